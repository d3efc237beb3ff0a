/** A name or an answer that holds a terminal's commands: none of them reaches a terminal, by any verb. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { BUNDLE, NODE, SLEEPER, startTree, tempDir } from './tree.ts';

const EVIL = 'x\x1b]0;owned\x07\x9b2J\u202e\r\nforged';
const ODD = /[^\P{Cc}\n\t]|\p{Cf}/u;

async function verb(env: Record<string, string>, ...args: string[]) {
  const { stdout, stderr, exitCode } = await execa(NODE, [BUNDLE, ...args], {
    env: { PATH: process.env['PATH'], ...env },
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
  });
  return { text: stdout + stderr, code: exitCode };
}

test('a directory with such a name: our own log, and every verb that tells of it', async (t) => {
  const tree = startTree(
    t,
    { [`${EVIL}/run`]: SLEEPER, [`web/dependencies.d/${EVIL}x`]: '', 'web/run': SLEEPER, 'web/down': '' },
    { env: { SUPERVISE_LOG_FORMAT: 'text' } },
  );
  // An unknown dependency refuses the tree, and is named.
  assert.equal((await tree.ended).code, 100);
  assert.match(tree.noise, /owned/);
  assert.doesNotMatch(tree.noise, ODD);

  const other = startTree(
    t,
    { [`${EVIL}/run`]: SLEEPER, 'web/run': SLEEPER },
    { env: { SUPERVISE_LOG_FORMAT: 'text' } },
  );
  const env = { SUPERVISE_SOCKET: other.socket };
  for (const args of [
    ['wait', 'web', '--for', 'ready'],
    ['status'],
    ['status', EVIL],
    ['status', '--json'],
    ['check'],
    ['rescan'],
  ]) {
    const { text } = await verb(env, ...args);
    assert.doesNotMatch(text, ODD, args.join(' '));
    if (args[0] !== 'wait') assert.match(text, /owned/, args.join(' '));
  }
  for (const args of [
    ['events'],
    ['events', '--json'],
    ['lint', other.scandir],
    ['lint', other.scandir, '--json'],
    ['up', EVIL],
    ['lint', EVIL],
  ]) {
    const { text } = await verb(env, ...args);
    assert.match(text, /owned/, args.join(' '));
    assert.doesNotMatch(text, ODD, args.join(' '));
  }
  other.signal('SIGTERM');
  await other.ended;
  assert.doesNotMatch(other.noise, ODD);
});

test('a supervisor that is none: what it answers is shown, and not obeyed', async (t) => {
  const path = join(tempDir(t), 'control');
  const service = {
    name: EVIL,
    type: 'longrun',
    is: EVIL,
    wanted: EVIL,
    disabled: false,
    since: new Date().toISOString(),
    pid: 1,
    crashes: 0,
    lastDeath: null,
    nextStart: null,
    dependencies: [],
    has: [],
    waitsFor: [EVIL],
    complaint: EVIL,
    heldBack: [EVIL],
    kept: [EVIL],
    rollout: null,
    problem: EVIL,
    hint: EVIL,
    path: EVIL,
    settings: { [EVIL]: EVIL },
  };
  const data: Record<string, unknown> = {
    status: {
      v: 1,
      version: '1',
      pid: 1,
      scandir: null,
      stopping: false,
      services: [service],
      package: null,
      source: { name: EVIL, awaySince: new Date().toISOString(), cause: EVIL },
    },
    check: [EVIL],
    up: { services: [{ name: EVIL, is: EVIL, waitsFor: [EVIL] }] },
    rescan: {
      added: [EVIL],
      removed: [],
      changed: [EVIL],
      files: { [EVIL]: [{ file: EVIL, takes: EVIL }] },
      problems: [{ service: EVIL, message: EVIL, hint: EVIL }],
    },
    events: [
      {
        v: 1,
        seq: 1,
        time: new Date().toISOString(),
        level: EVIL,
        service: EVIL,
        event: EVIL,
        fields: { [EVIL]: EVIL, hint: EVIL },
      },
    ],
  };
  const server = createServer((socket) => {
    socket.setEncoding('utf8').once('data', (text: string) => {
      const { do: what } = JSON.parse(text) as { do: string };
      const reply =
        what === 'stop'
          ? { v: 1, ok: false, exit: 1, error: EVIL, hint: EVIL }
          : { v: 1, ok: true, data: data[what] };
      socket.end(`${JSON.stringify(reply)}\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => server.close());
  for (const args of [
    ['status'],
    ['status', 'x'],
    ['check'],
    ['up', 'x'],
    ['rescan'],
    ['events'],
    ['stop'],
    ['completion', 'services'],
  ]) {
    const { text } = await verb({ SUPERVISE_SOCKET: path }, ...args);
    assert.match(text, /owned/, args.join(' '));
    assert.doesNotMatch(text, ODD, args.join(' '));
  }
});

test('values of strangers: --diff and --explain', async (t) => {
  const directory = tempDir(t);
  mkdirSync(join(directory, 'app/templates'), { recursive: true });
  mkdirSync(join(directory, '.supervise'));
  writeFileSync(join(directory, 'app/templates/a.hbs'), '{{!--\ndest: out\n--}}\n{{key "a"}}{{key "b"}}\n');
  writeFileSync(join(directory, '.supervise/kv.json'), JSON.stringify({ kv: { a: EVIL } }));
  for (const [mode, words] of [
    ['--explain', /lacks key "b"/],
    ['--diff', /lacks/],
  ] as const) {
    const { text } = await verb({ SUPERVISE_LOG_FORMAT: 'text' }, 'template', '--services', directory, mode);
    assert.match(text, words);
    assert.doesNotMatch(text, ODD);
  }
  writeFileSync(join(directory, '.supervise/kv.json'), JSON.stringify({ kv: { a: EVIL, b: '' } }));
  const { text, code } = await verb({}, 'template', '--services', directory, '--diff');
  assert.equal(code, 1);
  assert.match(text, /\+x\\u001b\]0;owned/);
  assert.doesNotMatch(text, ODD);
});
