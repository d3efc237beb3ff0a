/** What each control verb does, says and exits with (SPEC §1). */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { BUNDLE, NODE, type RunningTree, SLEEPER, startTree, tempDir, until, writeFiles } from './tree.ts';

/** Ready when its directory's parent has a file of this name. */
const readyWhen = (name: string): string =>
  `#!/bin/sh\nuntil [ -e $OUT/${name} ]; do sleep 0.02; done; echo >&3; exec sleep 1000\n`;
const UNWRITTEN = 'nothing written to descriptor 3 yet';
const CRASHES = '#!/bin/sh\nexit 3\n';

/** A verb that runs meanwhile; the tree's own, so that its connection is one of many. */
function meanwhile(tree: RunningTree, ...args: string[]) {
  return execa(NODE, [BUNDLE, ...args], {
    env: { PATH: process.env['PATH'], SUPERVISE_SOCKET: tree.socket },
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    timeout: 30_000,
  });
}

/** Waits until this many clients are connected. */
async function connected(tree: RunningTree, count: number): Promise<void> {
  await until(`${count} connections`, () => {
    const lines = readFileSync('/proc/net/unix', 'utf8').split('\n');
    // Num: RefCount Protocol Flags Type St Inode Path; 03 is connected.
    return (
      lines.filter((line) => line.endsWith(` ${tree.socket}`) && line.split(/\s+/)[5] === '03').length >=
      count
    );
  });
}

test('up: what has to wait says for what, and exits 0', async (t) => {
  const tree = startTree(t, {
    'app/run': SLEEPER,
    'app/down': '',
    'app/dependencies.d/db': '',
    'db/run': CRASHES,
    'db/restart-delay': '1h',
  });
  await tree.event('died', 'db');
  assert.deepEqual(tree.control('up', 'app'), {
    code: 0,
    stdout: 'app waits for db (backoff)\n',
    stderr: '',
  });
  assert.deepEqual(tree.control('restart', 'app'), {
    code: 0,
    stdout: 'app waits for db (backoff)\n',
    stderr: '',
  });
  assert.equal(tree.control('check', 'app').stdout, 'app: waits for db (backoff)\n');
});

test('an order that has to wait is the one that starts it: no backoff goes on beside it', async (t) => {
  const tree = startTree(t, {
    'db/run': SLEEPER,
    'app/run': CRASHES,
    'app/restart-delay': '1h',
    'app/dependencies.d/db': '',
    'late/run': CRASHES,
    'late/restart-delay': '1h',
    'late/dependencies.d/db': '',
  });
  await tree.event('died', 'app');
  await tree.event('died', 'late');
  tree.control('down', 'db', '--wait', 'down');
  assert.equal(tree.control('up', 'app').stdout, 'app waits for db (down)\n');
  assert.equal(tree.control('restart', 'late').stdout, 'late waits for db (down)\n');
  assert.match(tree.control('status').stdout, /^app +down +up .*\n(.*\n)?late +down +up /m);
  assert.equal(tree.control('up', 'db').code, 0);
  await tree.event('died', 'app', 2);
  await tree.event('died', 'late', 2);
});

test('to run a oneshot again is no answer to whoever waits for what depends on it', async (t) => {
  const tree = startTree(t, {
    'job/run': '#!/bin/sh\nexit 0\n',
    'job/type': 'oneshot',
    'db/run': readyWhen('go'),
    'db/notification-fd': '3',
    'app/run': SLEEPER,
    'app/dependencies.d/db': '',
    'app/dependencies.d/job': '',
  });
  await tree.event('done', 'job');
  const waiting = meanwhile(tree, 'wait', 'app', '--for', 'ready');
  await connected(tree, 1);
  assert.equal(tree.control('restart', 'job', '--wait', 'ready').code, 0);
  writeFiles(tree.directory, { go: '' });
  assert.deepEqual([(await waiting).exitCode, (await waiting).stderr], [0, '']);
});

test('up of what runs waits for nobody; a oneshot that is done runs again, and is waited for', async (t) => {
  const tree = startTree(t, {
    'db/run': '#!/bin/sh\n[ -e $OUT/broken ] && exit 3\necho >&3; exec sleep 1000\n',
    'db/notification-fd': '3',
    'db/restart-delay': '1h',
    'app/run': SLEEPER,
    'app/dependencies.d/db': '',
    'job/run': '#!/bin/sh\nsleep 0.1; echo ran >>$OUT/ran\n',
    'job/type': 'oneshot',
    'job/dependencies.d/db': '',
  });
  await tree.event('done', 'job');
  assert.equal(tree.control('restart', 'job', '--wait', 'ready').code, 0);
  assert.equal(tree.lines('ran').length, 2);
  writeFiles(tree.directory, { broken: '' });
  tree.control('signal', 'KILL', 'db');
  await tree.event('died', 'db');
  tree.control('restart', 'db');
  await tree.event('died', 'db', 2);
  assert.deepEqual(tree.control('up', 'app', '--wait', 'ready'), { code: 0, stdout: '', stderr: '' });
  assert.equal(tree.control('up', 'job', '--wait', 'ready').code, 0);
  assert.equal(tree.lines('ran').length, 2, 'it is done');
  assert.equal(tree.control('wait', 'job', '--for', 'down').code, 0, 'and over');
});

test('up --wait ready: 0 when it is ready, 99 with what it still waits for', async (t) => {
  const tree = startTree(t, {
    'db/run': readyWhen('go'),
    'db/notification-fd': '3',
    'app/run': SLEEPER,
    'app/dependencies.d/db': '',
  });
  await tree.event('started, not ready yet', 'db');
  const late = tree.control('up', 'db', 'app', '--wait', 'ready', '--timeout', '200ms');
  assert.deepEqual(late, {
    code: 99,
    stdout: `app waits for db (${UNWRITTEN})\n`,
    stderr: `supervise: cannot up: timed out after 200ms: "db" up, not ready yet (${UNWRITTEN}); "app" waits for db (${UNWRITTEN})\n`,
  });
  const waiting = meanwhile(tree, 'up', 'app', '--wait', 'ready');
  writeFiles(tree.directory, { go: '' });
  const { exitCode, stdout } = await waiting;
  assert.equal(exitCode, 0);
  assert.match(stdout, /^(app waits for db \(nothing written to descriptor 3 yet\)\n)?$/);
  assert.equal(tree.eventsOf('started', 'app').length, 1);
});

test('--wait ready: 1 at once when it has failed for good, with the reason', async (t) => {
  const tree = startTree(t, {
    'job/run': CRASHES,
    'job/restart-limit': '2',
    'job/restart-delay': '10ms',
    'job/notification-fd': '3',
    'app/run': SLEEPER,
    'app/down': '',
    'app/dependencies.d/job': '',
    'idle/run': SLEEPER,
    'idle/down': '',
  });
  await tree.event('failed', 'job');
  assert.deepEqual(tree.control('up', 'job', '--wait', 'ready'), {
    code: 1,
    stdout: '',
    stderr: 'supervise: cannot up: "job" failed after exit 3, 2 crashes in a row\n',
  });
  assert.deepEqual(tree.control('wait', 'job', '--for', 'ready').code, 1);
  assert.deepEqual(tree.control('up', 'app', '--wait', 'ready', '--timeout', '20s'), {
    code: 1,
    stdout: 'app waits for job (failed)\n',
    stderr:
      'supervise: cannot up: "app" waits for "job", failed after exit 3, 2 crashes in a row (supervise up job)\n',
  });
  assert.deepEqual(tree.control('wait', 'idle', '--for', 'up'), {
    code: 1,
    stdout: '',
    stderr: 'supervise: cannot wait: "idle" is down, and nobody told it to start\n',
  });
});

test('restart --wait ready waits for the new run', async (t) => {
  const tree = startTree(t, {
    'app/run':
      '#!/bin/sh\ntrap "sleep 0.3; exit 0" TERM\n[ -e $OUT/once ] && sleep 0.3; touch $OUT/once; echo >&3\nwhile :; do sleep 0.05; done\n',
    'app/notification-fd': '3',
  });
  const first = await tree.event('ready', 'app');
  assert.deepEqual(tree.control('restart', 'app', '--wait', 'ready'), { code: 0, stdout: '', stderr: '' });
  const second = await tree.event('ready', 'app', 2);
  assert.notEqual(first['pid'], second['pid']);
  assert.equal(tree.servicePid('app'), second['pid']);
});

test('restart --wait down waits for the end of the old run', async (t) => {
  const tree = startTree(t, {
    'app/run': '#!/bin/sh\ntrap "sleep 0.2; exit 0" TERM\nwhile :; do sleep 0.05; done\n',
  });
  await tree.event('started', 'app');
  assert.equal(tree.control('restart', 'app', '--wait', 'down').code, 0);
  await tree.event('stopped', 'app');
  await tree.event('started', 'app', 2);
});

test('down: what depends on it stays up; --wait down waits for its end', async (t) => {
  const tree = startTree(t, {
    'db/run': '#!/bin/sh\ntrap "sleep 0.3; exit 0" TERM\nwhile :; do sleep 0.05; done\n',
    'app/run': SLEEPER,
    'app/dependencies.d/db': '',
  });
  await tree.event('started', 'app');
  const pid = tree.servicePid('db');
  const late = tree.control('down', 'db', '--wait', 'down', '--timeout', '1ms');
  assert.deepEqual(
    [late.code, late.stderr],
    [99, 'supervise: cannot down: timed out after 1ms: "db" is stopping\n'],
  );
  assert.deepEqual(tree.control('down', 'db', '--wait', 'down'), { code: 0, stdout: '', stderr: '' });
  assert.throws(() => process.kill(pid, 0));
  assert.equal(tree.eventsOf('stopping', 'app').length, 0);
  assert.deepEqual(tree.control('down', 'app', '--wait', 'ready'), {
    code: 100,
    stdout: '',
    stderr: 'supervise: cannot down: it never makes a service ready\n',
  });
  assert.equal(tree.eventsOf('stopping', 'app').length, 0);
});

test('once: started, and not started again; --wait down waits until it is over', async (t) => {
  const tree = startTree(t, {
    'job/run': '#!/bin/sh\nsleep 0.2; echo ran >>$OUT/ran\nexit 1\n',
    'job/down': '',
    'a/run': SLEEPER,
  });
  await tree.event('started', 'a');
  assert.deepEqual(tree.control('once', 'job', '--wait', 'down'), { code: 0, stdout: '', stderr: '' });
  assert.deepEqual(tree.lines('ran'), ['ran']);
  assert.equal(tree.control('check').code, 0);
  assert.match(tree.control('status').stdout, /^job +down +down .* last end: exit 1 after \d+ms$/m);
});

test('signal: to the run, by any of its names; 1 where nothing runs, 100 where it is none', async (t) => {
  const tree = startTree(t, {
    'app/run':
      '#!/bin/sh\ntrap "echo usr1 >>$OUT/got" USR1\ntrap "echo hup >>$OUT/got" HUP\necho >&3\nwhile :; do sleep 0.02; done\n',
    'app/notification-fd': '3',
    'idle/run': SLEEPER,
    'idle/down': '',
  });
  await tree.event('ready', 'app');
  for (const name of ['USR1', 'SIGUSR1', '10', 'usr1'])
    assert.deepEqual(tree.control('signal', name, 'app'), { code: 0, stdout: '', stderr: '' });
  await until('all of them', () => tree.lines('got').length >= 1);
  assert.equal((await tree.event('signalled', 'app', 4))['signal'], 'SIGUSR1');
  assert.deepEqual(tree.control('signal', 'HUP', 'app', 'idle'), {
    code: 1,
    stdout: '',
    stderr: 'supervise: cannot signal "idle": it is down\n',
  });
  assert.ok(!tree.lines('got').includes('hup'), 'all or nothing');
  const rows: [string, string][] = [
    ['UST1', 'no such signal as "UST1" (did you mean USR1?)'],
    ['SIGHPU', 'no such signal as "SIGHPU" (did you mean HUP?)'],
    ['0', 'no such signal as "0"'],
    ['65', 'no such signal as "65"'],
  ];
  for (const [word, cause] of rows)
    assert.deepEqual(tree.control('signal', word, 'app'), {
      code: 100,
      stdout: '',
      stderr: `supervise: cannot signal: ${cause}\n`,
    });
  assert.equal(tree.control('signal', 'KILL', 'app').code, 0);
  assert.equal((await tree.event('died', 'app'))['signal'], 'SIGKILL');
});

test('reload --wait ready: 1 as soon as the run that was told ends, with how', async (t) => {
  const tree = startTree(t, { 'noisy/run': SLEEPER, 'good/run': SLEEPER, 'good/reload-signal': 'CONT' });
  await tree.event('started', 'noisy');
  await tree.event('started', 'good');
  assert.deepEqual(tree.control('reload', 'noisy', '--wait', 'ready'), {
    code: 1,
    stdout: '',
    stderr: 'supervise: cannot reload: "noisy" ended: SIGHUP\n',
  });
  assert.equal(tree.control('reload', 'good', '--wait', 'ready').code, 0);
  assert.equal(tree.control('reload', 'good', '--wait', 'ready', '--timeout', '1ms').code, 0);
});

test('status of one: what it depends on, and what it has; of a disabled one, that it is', async (t) => {
  const tree = startTree(
    t,
    {
      'db/run': readyWhen('go'),
      'db/notification-fd': '3',
      'web/run': SLEEPER,
      'web/dependencies.d/db': '',
      'web/check': '#!/bin/sh\n',
      'web/health': '#!/bin/sh\n',
      'web/log/run': '#!/bin/sh\nexec cat >/dev/null\n',
      'off/run': SLEEPER,
      'lost/run': '#!/no/such/program\n',
      'lost/restart-delay': '1h',
    },
    { args: ['--disable', 'off', '--capture'] },
  );
  await tree.event('started, not ready yet', 'db');
  await tree.event('died', 'lost');
  const page = tree.control('status', 'web').stdout;
  assert.match(page, /^ {2}depends on +db \(up\)$/m);
  assert.match(page, /^ {2}has +check, health, log$/m);
  assert.match(tree.control('status', 'db').stdout, /^ {2}complaint +nothing written to descriptor 3 yet$/m);
  const off = tree.control('status', 'off').stdout;
  assert.match(off, /^ {2}wanted +down \(disabled\)$/m);
  assert.doesNotMatch(off, /settings/);
  assert.match(tree.control('status').stdout, /^off .* disabled$/m);
  assert.match(tree.control('status', 'lost').stdout, /^ {2}last end +cannot execute \.\/run: .*, at 20/m);
  assert.doesNotMatch(tree.control('status').stdout, /cannot execute .* after /);
  assert.equal(tree.control('logs', 'web').stderr, 'supervise: "web": its stdout goes to web/log\n');
  assert.equal(tree.control('logs', 'db').stderr, '');
});

test('reload: the reload-signal; 1 where nothing runs, and then to nobody', async (t) => {
  const tree = startTree(t, {
    'app/run': '#!/bin/sh\ntrap "echo hup >>$OUT/got" HUP\necho >&3\nwhile :; do sleep 0.02; done\n',
    'app/notification-fd': '3',
    'idle/run': SLEEPER,
    'idle/down': '',
  });
  await tree.event('ready', 'app');
  assert.equal(tree.control('reload', 'app', 'idle').stderr, 'supervise: cannot reload "idle": it is down\n');
  assert.equal(tree.control('reload', 'app', '--wait', 'ready').code, 0);
  await until('the signal', () => tree.lines('got').includes('hup'));
  await tree.event('reloaded', 'app');
});

test('wait: for ready, up and down', async (t) => {
  const tree = startTree(t, { 'db/run': readyWhen('go'), 'db/notification-fd': '3' });
  await tree.event('started, not ready yet', 'db');
  assert.equal(tree.control('wait', 'db', '--for', 'up').code, 0);
  assert.deepEqual(tree.control('wait', 'db', '--for', 'ready', '--timeout', '50ms'), {
    code: 99,
    stdout: '',
    stderr: `supervise: cannot wait: timed out after 50ms: "db" up, not ready yet (${UNWRITTEN})\n`,
  });
  const ready = meanwhile(tree, 'wait', 'db', '--for', 'ready');
  const down = meanwhile(tree, 'wait', 'db', '--for', 'down');
  writeFiles(tree.directory, { go: '' });
  assert.equal((await ready).exitCode, 0);
  assert.equal(tree.control('down', 'db').code, 0);
  assert.equal((await down).exitCode, 0);
  assert.deepEqual(tree.control('wait', 'db'), {
    code: 100,
    stdout: '',
    stderr:
      'supervise: cannot wait: expected --for ready, --for up or --for down\n  hint: supervise wait web --for ready --timeout 30s\n',
  });
  assert.equal(tree.control('wait', 'bd', '--for', 'up').code, 100);
});

test('whoever waits hears of an end of the waiting that nobody wished: told down, removed, the tree stops', async (t) => {
  const tree = startTree(t, {
    'a/run': readyWhen('never'),
    'a/notification-fd': '3',
    'b/run': readyWhen('never'),
    'b/notification-fd': '3',
  });
  await tree.event('started, not ready yet', 'a');
  await tree.event('started, not ready yet', 'b');
  const a = meanwhile(tree, 'wait', 'a', '--for', 'ready');
  await connected(tree, 1);
  tree.control('down', 'a');
  assert.match(
    (await a).stderr,
    /^supervise: cannot wait: "a" (is stopping|is down), and (told to be down|nobody told it to start)\n$/,
  );
  assert.equal((await a).exitCode, 1);
  const b = meanwhile(tree, 'wait', 'b', '--for', 'ready');
  const down = meanwhile(tree, 'wait', 'b', '--for', 'down');
  await connected(tree, 2);
  const stop = tree.control('stop');
  assert.deepEqual(stop, { code: 0, stdout: '', stderr: '' });
  assert.deepEqual(
    [(await b).exitCode, (await b).stderr],
    [1, 'supervise: cannot wait: "b": the tree is stopping\n'],
  );
  assert.equal((await down).exitCode, 0);
  assert.equal((await tree.ended).code, 0);
});

test('up and restart read the directory again: what was mended counts, what was broken is refused', async (t) => {
  const tree = startTree(t, { 'app/run': 'sleep 1000\n', 'web/run': SLEEPER });
  await tree.event('started', 'web');
  const refused = tree.control('up', 'app');
  assert.equal(refused.code, 100);
  assert.match(
    refused.stderr,
    /^supervise: cannot start "app": \.\/run is not executable\n {2}hint: chmod \+x \S+\/app\/run\n$/,
  );
  writeFiles(tree.scandir, { 'app/run': SLEEPER, 'app/timeout-kill': '7s' });
  chmodSync(join(tree.scandir, 'app/run'), 0o755);
  assert.equal(tree.control('up', 'app', '--wait', 'ready').code, 0);
  assert.match(tree.control('status', 'app').stdout, /^ {2}settings {3}timeout-kill 7\.0s$/m);
  assert.deepEqual((await tree.event('rescanned'))['changed'], 'app');
  // A running service is not taken down for a directory on which it could not come up again.
  writeFiles(tree.scandir, { 'web/run': '#!/no/such/shell\n' });
  const lost = tree.control('restart', 'app', 'web');
  assert.equal(lost.code, 100);
  assert.match(
    lost.stderr,
    /^supervise: cannot restart "web": its run's interpreter \/no\/such\/shell does not exist, or is not executable\n {2}hint: mend the first line of \S+\/web\/run; what runs was left alone\n$/,
  );
  assert.equal(tree.eventsOf('stopping').length, 0);
  writeFiles(tree.scandir, { 'web/run': SLEEPER });
  writeFiles(tree.scandir, { 'web/timeout-kill': 'soon' });
  const broken = tree.control('restart', 'web');
  assert.equal(broken.code, 100);
  assert.match(
    broken.stderr,
    /^supervise: cannot read \S+\/web\/timeout-kill: expected a time such as 5s, got "soon"\n$/,
  );
  assert.equal(tree.eventsOf('stopping').length, 0);
  // An order is taken whole or not at all; what was read counts, and is told once.
  writeFiles(tree.scandir, { 'app/timeout-kill': '8s' });
  assert.equal(tree.control('restart', 'app', 'web').code, 100);
  assert.equal(tree.eventsOf('stopping').length, 0);
  assert.match(tree.control('status', 'app').stdout, /timeout-kill 8\.0s$/m);
  assert.equal((await tree.event('rescanned', undefined, 4))['changed'], 'app');
  // Nor does one order reach beyond its service.
  writeFiles(tree.scandir, { 'new/run': SLEEPER, 'web/timeout-kill': '1s', 'web/dependencies.d/new': '' });
  assert.match(tree.control('restart', 'web').stderr, /"web" depends on "new", which is no service/);
  assert.equal(tree.eventsOf('started', 'new').length, 0);
  assert.deepEqual(tree.control('up', 'new'), {
    code: 100,
    stdout: '',
    stderr: 'supervise: cannot find "new": no such service\n  hint: its directory is new: supervise rescan\n',
  });
});

test('a supervisor that we may not ask is another thing than none', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER });
  await tree.event('started', 'app');
  // Root may ask everybody; so somebody else asks, who must be able to read the program.
  const isRoot = process.getuid?.() === 0;
  const directory = tempDir(t);
  chmodSync(directory, 0o755);
  copyFileSync(BUNDLE, join(directory, 'supervise.cjs'));
  copyFileSync(NODE, join(directory, 'node'));
  chmodSync(join(directory, 'node'), 0o755);
  if (!isRoot) chmodSync(tree.socket, 0);
  const { status, stderr } = spawnSync(
    join(directory, 'node'),
    [join(directory, 'supervise.cjs'), 'status'],
    {
      env: { SUPERVISE_SOCKET: tree.socket },
      cwd: '/',
      encoding: 'utf8',
      ...(isRoot ? { uid: 65_534, gid: 65_534 } : {}),
    },
  );
  assert.deepEqual(
    [status, stderr],
    [
      111,
      `supervise: cannot ask the supervisor at ${tree.socket}: permission denied (EACCES)\n` +
        `  hint: run this as its user (uid ${process.getuid?.()}), or as root\n`,
    ],
  );
});

test('a tree that is stopping takes no order to read or to start', async (t) => {
  const tree = startTree(t, { 'app/run': '#!/bin/sh\ntrap "" TERM\nwhile :; do sleep 0.05; done\n' });
  await tree.event('started', 'app');
  tree.signal('SIGTERM');
  await tree.event('stopping', 'app');
  const refused = (...args: string[]): unknown => {
    const { code, stderr } = tree.control(...args);
    return [code, stderr];
  };
  assert.deepEqual(refused('rescan'), [1, 'supervise: cannot rescan: the tree is stopping\n']);
  assert.deepEqual(refused('restart', 'app'), [1, 'supervise: cannot restart "app": the tree is stopping\n']);
  assert.deepEqual(refused('up', 'app'), [1, 'supervise: cannot start "app": the tree is stopping\n']);
});

test('check: why each is not as it should be', async (t) => {
  const tree = startTree(t, {
    'a/run': readyWhen('never'),
    'a/notification-fd': '3',
    'b/run': CRASHES,
    'b/restart': 'never',
    'c/run': '#!/bin/sh\nkill -9 $$\n',
    'c/finish': '#!/bin/sh\nexec sleep 1000\n',
    'c/timeout-finish': '3s',
    'd/run': '#!/bin/sh\ntrap "" TERM\nwhile :; do sleep 0.05; done\n',
    'd/timeout-kill': '2s',
    'ok/run': SLEEPER,
  });
  await tree.event('started, not ready yet', 'a');
  await tree.event('failed', 'b');
  await tree.event('died', 'c');
  await tree.event('started', 'd');
  tree.control('restart', 'd');
  assert.deepEqual(tree.control('check'), {
    code: 1,
    stdout: [
      'a: up, not ready yet (nothing written to descriptor 3 yet)',
      'b: failed after exit 3',
      'c: its finish runs after SIGKILL',
      'd: is stopping',
      '',
    ].join('\n'),
    stderr: '',
  });
  assert.equal(tree.control('check', 'ok').code, 0);
});
