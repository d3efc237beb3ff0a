/** SPEC §8: PID 1, and not PID 1. In a PID namespace of its own where that matters. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  BUNDLE,
  type Files,
  number,
  processes,
  type RunningTree,
  SLEEPER,
  startTree,
  tempDir,
  until,
  writeFiles,
} from './tree.ts';

/** Not root: a user namespace gives the right to make the others. */
const NAMESPACE = [
  'unshare',
  ...(process.getuid?.() === 0 ? [] : ['-r']),
  '-pf',
  '--kill-child',
  '--mount-proc',
];
const CHILDREN = 500;
const ORPHANS = 2000;
const MAKERS = 4;
const SIGNALS = [
  'SIGTERM',
  'SIGKILL',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
  'SIGSEGV',
  'SIGABRT',
  'SIGUSR1',
  'SIGPIPE',
] as const;

/** The supervisor's pid as this test sees it. */
function supervisorOf(tree: RunningTree, prefixed: boolean): number {
  if (!prefixed) return tree.pid;
  const child = processes().find(({ ppid, command }) => ppid === tree.pid && command.includes('supervise'));
  return child?.pid ?? 0;
}

function zombiesOf(pid: number): number {
  return processes().filter(({ ppid, state }) => ppid === pid && state === 'Z').length;
}

function manyChildren(): { files: Files; expected: Map<string, string> } {
  const files: Files = {};
  const expected = new Map<string, string>();
  for (let i = 0; i < CHILDREN; i++) {
    const name = `child${i}`;
    const signal = SIGNALS[i % SIGNALS.length];
    // Every third dies by a signal; codes and signals both come in all their kinds.
    const bySignal = i % 3 === 0 && signal;
    const code = (i * 7) % 256;
    files[`${name}/run`] =
      `#!/bin/sh\nulimit -c 0\n${bySignal ? `kill -${number(bySignal)} $$` : `exit ${code}`}\n`;
    files[`${name}/restart`] = 'never';
    expected.set(name, bySignal || `exit ${code}`);
  }
  for (let i = 0; i < MAKERS; i++) {
    files[`orphans${i}/run`] =
      `#!/bin/sh\n${join(import.meta.dirname, 'fixtures/orphans.sh')} ${ORPHANS / MAKERS}\n`;
    files[`orphans${i}/restart`] = 'never';
  }
  return { files, expected };
}

for (const asPid1 of [true, false])
  test(`${asPid1 ? 'as PID 1' : 'as a subreaper'}: ${ORPHANS} orphans beside ${CHILDREN} children, no zombie left, every status exact`, async (t) => {
    const { files, expected } = manyChildren();
    const tree = startTree(t, { ...files, 'stays/run': SLEEPER }, { prefix: asPid1 ? NAMESPACE : [] });
    const deaths = (): typeof tree.events =>
      tree.events.filter(({ msg }) => msg === 'died' || msg === 'ended');
    await until('all ends', () => deaths().length >= CHILDREN + MAKERS || tree.hasEnded);
    const got = new Map(
      deaths().map((event) => [event.service ?? '', String(event['signal'] ?? `exit ${event['code']}`)]),
    );
    for (const [name, end] of expected) assert.equal(got.get(name), end, name);
    for (let i = 0; i < MAKERS; i++) assert.equal(got.get(`orphans${i}`), 'exit 0');
    const supervisor = supervisorOf(tree, asPid1);
    assert.notEqual(supervisor, 0);
    if (asPid1) assert.match(readFileSync(`/proc/${supervisor}/status`, 'utf8'), /^NSpid:\t\d+\t1$/m);
    await until('no zombie', () => zombiesOf(supervisor) === 0);
    process.kill(supervisor, 'SIGTERM');
    assert.equal((await tree.ended).code, 0);
  });

test('an orphan that outlives the service that made it is reaped when it ends', async (t) => {
  const run =
    '#!/bin/sh\n( setsid sh -c \'until [ -e "$OUT/go" ]; do sleep 0.01; done\' & echo $! >"$OUT/orphan" )\nexec sleep 1000\n';
  const tree = startTree(t, { 'app/run': run });
  await tree.event('started', 'app');
  const adopted = await until('the orphan to be ours', () =>
    processes().find(({ ppid, command }) => ppid === tree.pid && command.includes('until')),
  );
  writeFiles(tree.directory, { go: '' });
  await until('it to be reaped', () => !processes().some(({ pid }) => pid === adopted.pid));
});

test('without the addon: one warning that says what follows and how to fix it, and the tree runs', async (t) => {
  const bundle = join(tempDir(t), 'supervise.cjs');
  copyFileSync(BUNDLE, bundle);
  const tree = startTree(t, { 'a/run': SLEEPER }, { bundle });
  const warning = await tree.event('orphans will not be reaped');
  assert.equal(warning.level, 'warn');
  assert.match(String(warning['cause']), /reaper-\w+\.node: no such file/);
  assert.match(String(warning['hint']), /^docker run --init, or ship reaper-\w+\.node beside the bundle$/);
  await tree.event('started', 'a');
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
  assert.equal(tree.eventsOf('orphans will not be reaped').length, 1);
});

test('as PID 1, everything in the container is gone when it ends', async (t) => {
  const run = '#!/bin/sh\nsetsid sleep 4321 &\nexec sleep 1000\n';
  const tree = startTree(t, { 'app/run': run }, { prefix: NAMESPACE });
  await tree.event('started', 'app');
  await until('the stray', () => processes().some(({ command }) => command === 'sleep 4321'));
  process.kill(supervisorOf(tree, true), 'SIGTERM');
  assert.equal((await tree.ended).code, 0);
  assert.equal(processes().filter(({ command }) => command === 'sleep 4321').length, 0);
});

test('this machine can make namespaces', () => {
  const [file = '', ...args] = [...NAMESPACE, 'true'];
  assert.equal(
    spawnSync(file, args).status,
    0,
    'unshare (util-linux) must be allowed to make a PID namespace',
  );
});

test('a stop that comes while the program is being loaded is kept', () => {
  const [file = '', ...args] = NAMESPACE;
  const fixture = join(import.meta.dirname, 'fixtures/early-signal.ts');
  const { stdout, stderr } = spawnSync(file, [...args, process.execPath, fixture], { encoding: 'utf8' });
  assert.equal(stdout, 'SIGTERM SIGINT 0\n', stderr);
});

test('real-time signals end nobody: not the tree, which ignores them, and of services only those that they are sent to', async (t) => {
  const tree = startTree(t, {
    'app/run': '#!/bin/sh\ngrep SigIgn /proc/self/status >"$OUT/ignored"\nexec sleep 1000\n',
  });
  await until('the service', () => tree.file('ignored') !== '');
  assert.match(tree.file('ignored'), /^SigIgn:\t0+$/m);
  for (let signal = 34; signal <= 64; signal++) process.kill(tree.pid, signal);
  assert.equal(tree.control('signal', 'SIGRTMIN+3', 'app').code, 0);
  assert.equal((await tree.event('died', 'app'))['signal'], 'SIGRTMIN+3');
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
});
