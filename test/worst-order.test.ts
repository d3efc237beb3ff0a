/** Events in the worst order: what once went wrong. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runTree, SLEEPER, startTree, until, writeFiles } from './tree.ts';

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
