/** Events in the worst order: what once went wrong. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Hooks } from '../src/hooks.ts';
import { createLog } from '../src/log.ts';
import { Tree } from '../src/tree.ts';
import { runTree, SLEEPER, startTree, tempDir, until, writeFiles } from './tree.ts';

const NOTE = '#!/bin/sh\necho "$@ next=$SUPERVISE_NEXT" >>"$OUT/crash"\n';
test('the last crash of an essential service runs the crash hook, which learns that the tree stops', async (t) => {
  const tree = await runTree(t, {
    'app/run': '#!/bin/sh\nexit 5\n',
    'app/essential': '',
    'app/restart': 'never',
    '.supervise/crash': NOTE,
  });
  assert.equal(tree.exit.code, 5);
  assert.match(tree.file('crash'), /app 5 0 1 next=stop/);
});
test('a rescan that adds a service and what it depends on starts them in order', async (t) => {
  const tree = startTree(t, { 'x/run': SLEEPER });
  await tree.event('started', 'x');
  writeFiles(tree.scandir, {
    'db/run': '#!/bin/sh\nsleep 0.5\necho >&3\nexec sleep 1000\n',
    'db/notification-fd': '3',
    'app/run': SLEEPER,
    'app/dependencies.d/db': '',
  });
  tree.signal('SIGHUP');
  await tree.event('started', 'app');
  assert.equal(tree.eventsOf('ready', 'db').length, 1, tree.transcript);
});
test('a service that a rescan finds broken takes part in the order as it was read: no cycle of old and new', async (t) => {
  const tree = startTree(
    t,
    { 'a/run': SLEEPER, 'a/dependencies.d/b': '', 'b/run': SLEEPER },
    { args: ['--stop-timeout', '3s'] },
  );
  await tree.event('started', 'a');
  rmSync(join(tree.scandir, 'a/dependencies.d/b'));
  writeFiles(tree.scandir, { 'a/timeout-kill': 'soon', 'b/dependencies.d/a': '' });
  tree.signal('SIGHUP');
  await tree.event('rescanned');
  const t0 = performance.now();
  tree.signal('SIGTERM');
  const e = await tree.ended;
  assert.equal(e.code, 0, `${performance.now() - t0} ms\n${tree.transcript}`);
});
test('a SIGHUP that comes ahead of the start starts nothing that the start would start again', (t) => {
  const scandir = writeFiles(tempDir(t), { 'a/run': SLEEPER });
  const log = createLog({ format: 'text', level: 'silent', write() {} });
  const tree = new Tree({
    scandirs: [scandir],
    package: undefined,
    command: undefined,
    hasTerminal: false,
    disabled: new Set(),
    enabled: new Set(),
    program: [process.execPath],
    templater: [],
    log,
    hooks: new Hooks(1000, log),
    outputs: undefined,
    native: undefined,
    settle: 0,
    gatePolicy: undefined,
    isOutOfMemory: () => false,
  });
  assert.deepEqual(tree.rescan(), { added: [], removed: [], changed: [], files: {}, problems: [] });
  assert.equal(tree.members.size, 0);
});
test('the main command does not wait for a service that was removed', async (t) => {
  const tree = startTree(
    t,
    {
      'b/run': '#!/bin/sh\ntrap "sleep 0.3; exit 0" TERM\nwhile :; do sleep 0.05; done\n',
      'b/notification-fd': '3',
      'c/run': SLEEPER,
    },
    { args: ['--', 'sh', '-c', 'exit 7'] },
  );
  await tree.event('started, not ready yet', 'b');
  rmSync(join(tree.scandir, 'b'), { recursive: true });
  tree.signal('SIGHUP');
  await tree.event('stopped', 'b');
  await until(`main started ${tree.transcript}`, () => tree.hasEnded, 3000);
  assert.equal((await tree.ended).code, 7);
});
test('a service that was removed is none that the main command depends on: orders go on to be taken', async (t) => {
  const tree = startTree(t, { 'b/run': SLEEPER, 'c/run': SLEEPER }, { args: ['--', 'sleep', '1000'] });
  await tree.event('started', '(command)');
  rmSync(join(tree.scandir, 'b'), { recursive: true });
  tree.control('rescan');
  await tree.event('stopped', 'b');
  assert.deepEqual(tree.control('restart', 'c', '--wait', 'ready'), { code: 0, stdout: '', stderr: '' });
});
test('a patient service that ignores TERM leaves its finish its part of the budget', async (t) => {
  const tree = startTree(
    t,
    {
      'a/run': '#!/bin/sh\ntrap "" TERM\necho >"$OUT/up"\nwhile :; do sleep 0.05; done\n',
      'a/timeout-kill': '60s',
      'a/finish': '#!/bin/sh\nsleep 0.1\necho "$@" >>"$OUT/finish"\n',
    },
    { args: ['--stop-timeout', '3s'] },
  );
  await until('up', () => tree.file('up'));
  tree.signal('SIGTERM');
  await tree.ended;
  assert.match(tree.file('finish'), /^256 9 a /, tree.transcript);
});
test('an essential service that ends while a main command runs: its code, not that of the command which only obeyed', async (t) => {
  const tree = startTree(
    t,
    { 'a/run': '#!/bin/sh\nsleep 0.5; exit 3\n', 'a/essential': '', 'a/restart': 'never' },
    { args: ['--', 'sleep', '1000'] },
  );
  assert.equal((await tree.ended).code, 3, tree.transcript);
});
test('a finish that had to be killed on the way down: 137', async (t) => {
  const tree = startTree(t, {
    'a/run': SLEEPER,
    'a/finish': '#!/bin/sh\nexec sleep 1000\n',
    'a/timeout-finish': '200ms',
  });
  await tree.event('started', 'a');
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 137, tree.transcript);
});
test('a crash hook that still runs when the services are down comes to its end', async (t) => {
  const tree = await runTree(t, {
    'app/run': '#!/bin/sh\nif [ -e "$OUT/one" ]; then exec sleep 1000; fi; >"$OUT/one"; exit 5\n',
    '.supervise/crash': '#!/bin/sh\necho in>>"$OUT/in"; sleep 0.5\necho done >>"$OUT/crash"\n',
    'e/run': '#!/bin/sh\nwhile [ ! -e "$OUT/in" ]; do sleep 0.02; done; exit 0\n',
    'e/essential': '',
    'e/restart': 'never',
  });
  assert.equal(tree.file('crash'), 'done\n', tree.transcript);
});

test('a run that cannot be executed, with no delay between tries, leaves room for TERM', async (t) => {
  const tree = startTree(t, {
    'bad/run': '#!/no/such/shell\n',
    'bad/restart-delay': '0',
    'good/run': SLEEPER,
  });
  await tree.event('died', 'bad', 3);
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
});

test('many that are started again as soon as they end leave room for the socket and TERM', async (t) => {
  const files: Record<string, string> = { '.supervise/crash': '#!/bin/sh\n' };
  for (let i = 0; i < 120; i++) {
    files[`app${i}/run`] = '#!/bin/sh\nexit 1\n';
    files[`app${i}/restart-delay`] = '0 0';
  }
  const tree = startTree(t, files);
  await tree.event('died', 'app119', 3);
  assert.match(tree.control('status', 'app0').stdout, /^app0/);
  tree.signal('SIGTERM');
  assert.notEqual((await tree.ended).signal, 'SIGKILL');
  assert.ok(Number(tree.eventsOf('stopped the tree')[0]?.['tookMs']) < 9000);
});

test('a SIGTERM hook that fails, or cannot be run, does not make the tree deaf', async (t) => {
  const failing = startTree(t, { 'a/run': SLEEPER, '.supervise/SIGTERM': '#!/bin/sh\nexit 1\n' });
  await failing.event('started', 'a');
  failing.signal('SIGTERM');
  assert.equal((await failing.ended).code, 0);
  const plain = startTree(t, { 'a/run': SLEEPER, '.supervise/SIGTERM': 'not executable\n' });
  await plain.event('started', 'a');
  plain.signal('SIGTERM');
  assert.equal((await plain.ended).code, 0);
});

test('a SIGTERM hook that hangs: the second TERM stops the tree', async (t) => {
  const hook = '#!/bin/sh\ntouch "$OUT/in"; echo x >"$OUT/in"; sleep 1000\n';
  const tree = startTree(t, { 'a/run': SLEEPER, '.supervise/SIGTERM': hook });
  await tree.event('started', 'a');
  tree.signal('SIGTERM');
  await until('the hook', () => tree.file('in'));
  tree.signal('SIGTERM');
  // The hook's sleep takes TERM as what was left behind.
  assert.ok([0, 137].includes((await tree.ended).code ?? -1));
});

test('a thousand services in backoff stop at once, and without recursion', async (t) => {
  const files: Record<string, string> = { 'last/run': SLEEPER };
  for (let i = 0; i < 1000; i++) {
    files[`s${i}/run`] = '#!/no/such/shell\n';
    files[`s${i}/restart-delay`] = '1h 1h';
  }
  const tree = startTree(t, files);
  await tree.event('died', undefined, 1000);
  const before = performance.now();
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
  assert.ok(performance.now() - before < 5000);
  assert.equal(tree.eventsOf('mishandled an event').length, 0);
});

test('hooks of crashes that wait their turn are not begun on the way down', async (t) => {
  const files: Record<string, string> = {
    '.supervise/crash': '#!/bin/sh\necho x >>"$OUT/hooks"\nwhile [ ! -e "$OUT/go" ]; do sleep 0.01; done\n',
  };
  for (let i = 0; i < 12; i++) {
    files[`s${i}/run`] = '#!/bin/sh\nexit 1\n';
    files[`s${i}/restart`] = 'never';
  }
  const tree = startTree(t, files);
  await until('eight at once', () => tree.lines('hooks').length === 8);
  await tree.event('failed', undefined, 12);
  tree.signal('SIGTERM');
  await tree.event('stopping the tree');
  writeFiles(tree.directory, { go: '' });
  assert.equal((await tree.ended).code, 0);
  assert.equal(tree.lines('hooks').length, 8);
});

test('a template added to a running service is new config like any other', async (t) => {
  const template = (name: string): string => `{{!--\ndest: \${OUT}/${name}\n--}}\n{{key "${name}"}}\n`;
  const tree = startTree(t, {
    'app/run': SLEEPER,
    'other/run': SLEEPER,
    'other/templates/b.hbs': template('b'),
    '.supervise/kv.json': '{"kv":{"a":1,"b":2}}',
  });
  await tree.event('started', 'app');
  await tree.event('started', 'other');
  writeFiles(tree.scandir, { 'app/templates/a.hbs': template('a') });
  tree.signal('SIGHUP');
  await tree.event('config changed', 'app');
  await tree.event('started', 'app', 2);
  assert.equal(tree.file('a'), '1\n');
});

test('a template that is no file harms no other service', async (t) => {
  const tree = startTree(t, {
    'bad/run': SLEEPER,
    'bad/templates/x.txt': '',
    'good/run': SLEEPER,
    'good/down': '',
    '.supervise/kv.json': '{"kv":{"a":1}}',
    'gate/run': SLEEPER,
  });
  await tree.event('started', 'gate');
  spawnSync('mkfifo', [join(tree.scandir, 'bad/templates/fifo.hbs')]);
  writeFiles(tree.scandir, {
    'fine/run': SLEEPER,
    'fine/templates/a.hbs': '{{!--\ndest: ${OUT}/a\n--}}\n{{key "a"}}\n',
  });
  tree.signal('SIGHUP');
  await tree.event('started', 'fine');
  await until('the reason', () => tree.control('status', 'bad').code === 0);
  const refused = await tree.event('refused template');
  assert.match(JSON.stringify(refused), /fifo\.hbs: it is not a regular file/);
  const before = performance.now();
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
  assert.ok(performance.now() - before < 4000);
});

test('a directory that somebody chose for the socket stays as it is', async (t) => {
  const shared = tempDir(t);
  chmodSync(shared, 0o1777);
  const tree = startTree(
    t,
    { 'a/run': SLEEPER },
    { env: { SUPERVISE_SOCKET: '', SUPERVISE_RUNTIME_DIR: shared } },
  );
  await tree.event('started', 'a');
  assert.equal(statSync(shared).mode & 0o7777, 0o1777);
});

test('a status longer than a pipe holds is printed whole', async (t) => {
  const files: Record<string, string> = {};
  for (let i = 0; i < 400; i++) {
    files[`service-with-a-long-name-${i}/run`] = SLEEPER;
    files[`service-with-a-long-name-${i}/down`] = '';
  }
  const tree = startTree(t, { ...files, 'a/run': SLEEPER });
  await tree.event('started', 'a');
  const { stdout } = tree.control('status', '--json');
  assert.ok(stdout.length > 70_000);
  assert.equal((JSON.parse(stdout) as { services: unknown[] }).services.length, 401);
});

test('a templater that talks nonsense is told of once, and costs the tree nothing', async (t) => {
  const tree = startTree(t, {
    'templater/run': '#!/bin/sh\nyes "{}" >&3\nexec sleep 1000\n',
    'app/run': SLEEPER,
    'app/templates/a.hbs': '{{!--\ndest: ${OUT}/a\n--}}\nx\n',
    'other/run': SLEEPER,
  });
  await tree.event('gave up listening to the templater');
  assert.equal(tree.eventsOf('could not understand the templater').length, 1);
  assert.equal(tree.control('check', 'other').code, 0);
});
