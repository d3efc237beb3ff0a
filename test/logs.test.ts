/** `supervise logs`: the last output of services, where it is captured. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { Prefixer } from '../src/commands/logs.ts';
import { BUNDLE, NODE, type RunningTree, SLEEPER, startTree, until } from './tree.ts';

const CAPTURED = { args: ['--capture'], env: { SUPERVISE_LOG_FORMAT: 'text' } };

test('what a service wrote last, byte by byte', async (t) => {
  const files = { 'web/run': "#!/bin/sh\necho one\nprintf 'a\\000\\377\\n' >&2\nexec sleep 1000\n" };
  const tree = startTree(t, files, CAPTURED);
  await until('both lines', () => tree.control('logs', 'web').stdout.length > 6);
  const { code, stdout } = tree.control('logs', 'web');
  assert.equal(code, 0);
  assert.deepEqual(stdout.split('\n').sort(), ['', 'a\0\ufffd', 'one']);
  const json = tree.control('logs', 'web', '--json');
  const [record] = json.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(record.service, 'web');
  assert.match(Buffer.from(record.base64, 'base64').toString('latin1'), /^a\0\xff$/m);
});

test('of several, each line says whose it is', async (t) => {
  const files = {
    'a/run': '#!/bin/sh\necho one; echo two\nexec sleep 1000\n',
    'b/run': '#!/bin/sh\necho three\nexec sleep 1000\n',
  };
  const tree = startTree(t, files, { args: ['--log-prefix'] });
  await until('all lines', () => tree.control('logs', 'a', 'b').stdout === '[a] one\n[a] two\n[b] three\n');
});

test('of several, a line that has no end is shown all the same: at the end, or when it is long', () => {
  const prefixer = new Prefixer();
  const take = (service: string, text: string): string => prefixer.take({ service, text }).toString();
  assert.equal(take('a', 'one\ntw'), '[a] one\n');
  assert.equal(take('b', 'x\n'), '[b] x\n');
  assert.equal(take('a', 'o\nthr'), '[a] two\n');
  const long = 'y'.repeat(70_000);
  assert.equal(take('b', long), `[b] ${long}\n`);
  assert.equal(take('b', 'z\nafter\n'), '[b]+ z\n[b] after\n');
  assert.equal(prefixer.end().toString(), '[a] thr\n');
});

test('no more than 64 KiB, from the beginning of a line, and what a dead run said as well', async (t) => {
  const files = { 'web/run': '#!/bin/sh\nseq 20000; printf end\n', 'web/restart': 'never' };
  const tree = startTree(t, files, CAPTURED);
  await until('its end', () => tree.control('logs', 'web').stdout.endsWith('end\n'));
  const { stdout } = tree.control('logs', 'web');
  assert.ok(stdout.length > 65_500 && stdout.length <= 65_536, `${stdout.length}`);
  const lines = stdout.trim().split('\n');
  const first = Number(lines[0]);
  assert.deepEqual(lines, [
    ...Array.from({ length: 20_000 - first + 1 }, (_, i) => String(first + i)),
    'end',
  ]);
});

test('--follow goes on, line by line, and ends with the tree', async (t) => {
  const tree = startTree(
    t,
    {
      'web/run':
        '#!/bin/sh\necho first\nwhile [ ! -e "$OUT/more" ]; do sleep 0.02; done\necho second; printf last\nexec sleep 1000\n',
    },
    CAPTURED,
  );
  await until('the first', () => tree.control('logs', 'web').stdout === 'first\n');
  const following = follow(t, tree, 'web');
  await until('the past', () => following.text === 'first\n');
  spawn('touch', [`${tree.directory}/more`]);
  await until('what is new', () => following.text === 'first\nsecond\n');
  tree.signal('SIGTERM');
  assert.equal(await following.ended, 0);
  assert.equal(following.text, 'first\nsecond\nlast\n', 'and the last words');
});

test('where nothing is captured it says so, and how to have it: exit 1', async (t) => {
  const tree = startTree(t, { 'web/run': SLEEPER });
  await tree.event('started', 'web');
  assert.deepEqual(tree.control('logs', 'web'), {
    code: 1,
    stdout: '',
    stderr:
      'supervise: cannot show the logs of "web": its output is not captured\n  hint: start supervise with --capture or --log-prefix (SUPERVISE_CAPTURE=1, SUPERVISE_LOG_PREFIX=1)\n',
  });
  assert.equal(tree.control('logs', 'wbe').code, 100);
  assert.equal(tree.control('logs').code, 100);
});

function follow(
  t: TestContext,
  tree: RunningTree,
  service: string,
): { text: string; ended: Promise<number | null> } {
  const child = spawn(NODE, [BUNDLE, 'logs', service, '--follow'], {
    env: { SUPERVISE_SOCKET: tree.socket },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill());
  const result = {
    text: '',
    ended: new Promise<number | null>((resolve) => child.once('close', resolve)),
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    result.text += text;
  });
  return result;
}
