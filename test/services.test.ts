/** The life of services, with real processes. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { processes, runTree, SLEEPER, startTree, until } from './tree.ts';

const FINISH = '#!/bin/sh\necho "$@" >>"$OUT/finish"\n';
const CRASH = '#!/bin/sh\necho "$@ $SUPERVISE_REASON $SUPERVISE_NEXT" >>"$OUT/crash"\n';

test('kill -9 of the main binary: finish and the crash hook learn it, and it runs again', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER, 'app/finish': FINISH, '.supervise/crash': CRASH });
  const { pid } = await tree.event('started', 'app');
  process.kill(Number(pid), 'SIGKILL');
  await tree.event('started', 'app', 2);
  const died = await tree.event('died', 'app');
  assert.equal(died['signal'], 'SIGKILL');
  assert.equal(died['next'], 'restart');
  assert.equal(tree.file('finish'), `256 9 app ${pid}\n`);
  await until('the crash hook', () => tree.file('crash'));
  assert.equal(tree.file('crash'), 'app 256 9 1 SIGKILL restart\n');
});

test('run gets its name, its directory and a session of its own', async (t) => {
  const run =
    '#!/bin/sh\necho "$0 $*" >"$OUT/argv"; pwd >"$OUT/cwd"; cat /proc/$$/stat >"$OUT/stat"; echo >&4; exec sleep 1000\n';
  const tree = startTree(t, { 'app/run': run, 'app/notification-fd': '4\n' });
  await tree.event('ready', 'app');
  assert.equal(tree.file('argv'), './run app\n');
  assert.equal(tree.file('cwd'), `${join(tree.scandir, 'app')}\n`);
  const [pid, , , , group, session] = tree.file('stat').split(' ');
  assert.deepEqual([group, session], [pid, pid]);
});

test('readiness can be told by a path to its descriptor, as under s6', async (t) => {
  const tree = startTree(t, {
    'app/run': '#!/bin/sh\necho >/dev/fd/3\nexec sleep 1000\n',
    'app/notification-fd': '3',
  });
  await tree.event('ready', 'app');
  assert.equal(tree.noise, '');
});

test('crashes in a row: the delay doubles from the least to the greatest, the limit ends them', async (t) => {
  const tree = startTree(t, {
    'app/run': '#!/bin/sh\necho x >>"$OUT/runs"\nexit 3\n',
    'app/restart-delay': '500ms 1200ms',
    'app/restart-limit': '4',
    '.supervise/crash': CRASH,
  });
  await tree.event('failed', 'app');
  const deaths = tree.eventsOf('died', 'app');
  assert.deepEqual(
    deaths.map((event) => [event['code'], event['crashes'], event['next'], event['delayMs']]),
    [
      [3, 1, 'restart', 500],
      [3, 2, 'restart', 1000],
      [3, 3, 'restart', 1200],
      [3, 4, 'failed', undefined],
    ],
  );
  assert.equal(tree.lines('runs').length, 4);
  await until('four crash hooks', () => tree.lines('crash').length === 4);
  assert.equal(tree.lines('crash').sort()[3], 'app 3 0 4 exit 3 failed');
});

test('exit 0 of a longrun is started again, without a crash hook', async (t) => {
  const tree = startTree(t, {
    'app/run':
      '#!/bin/sh\necho x >>"$OUT/runs"\n[ $(wc -l <"$OUT/runs") -lt 3 ] && exit 0\nexec sleep 1000\n',
    'app/restart-delay': '10ms 10ms',
    '.supervise/crash': CRASH,
  });
  await tree.event('started', 'app', 3);
  assert.equal(tree.eventsOf('ended', 'app').length, 2);
  assert.equal(tree.eventsOf('died').length, 0);
  assert.equal(tree.file('crash'), '');
});

test('restart: on-failure leaves a clean end alone, never leaves every end alone', async (t) => {
  const tree = startTree(t, {
    'clean/run': '#!/bin/sh\nexit 0\n',
    'clean/restart': 'on-failure',
    'broken/run': '#!/bin/sh\nexit 1\n',
    'broken/restart': 'never',
    'flaky/run': '#!/bin/sh\n[ -e "$OUT/once" ] && exec sleep 1000\ntouch "$OUT/once"\nexit 1\n',
    'flaky/restart': 'on-failure',
    'flaky/restart-delay': '10ms',
  });
  assert.equal((await tree.event('ended', 'clean'))['next'], 'down');
  assert.equal((await tree.event('died', 'broken'))['next'], 'failed');
  await tree.event('started', 'flaky', 2);
  const { services } = JSON.parse(tree.control('status', '--json').stdout) as {
    services: { name: string; is: string }[];
  };
  assert.deepEqual(
    services.map(({ name, is }) => [name, is]),
    [
      ['broken', 'failed'],
      ['clean', 'down'],
      ['flaky', 'ready'],
    ],
  );
});

test('finish: 125 means stay down', async (t) => {
  const tree = startTree(t, { 'app/run': '#!/bin/sh\nexit 4\n', 'app/finish': `${FINISH}exit 125\n` });
  await tree.event('finish said: do not restart', 'app');
  await tree.event('failed', 'app');
  assert.match(tree.file('finish'), /^4 0 app \d+\n$/);
  assert.equal(tree.eventsOf('started', 'app').length, 1);
});

test('a finish that hangs is killed with its group at timeout-finish', async (t) => {
  const tree = startTree(t, {
    'app/run': '#!/bin/sh\n[ -e "$OUT/once" ] && exec sleep 1000\ntouch "$OUT/once"\nexit 1\n',
    'app/restart-delay': '10ms',
    'app/finish': '#!/bin/sh\necho $$ >"$OUT/pid"\nsleep 1000\n',
    'app/timeout-finish': '100ms',
  });
  await tree.event('started', 'app', 2);
  await until('finish gone', () => !isAlive(Number(tree.file('pid'))));
});

test('down: not started at boot, started on order', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER, 'app/down': '', 'other/run': SLEEPER });
  await tree.event('started', 'other');
  assert.equal(tree.eventsOf('started', 'app').length, 0);
  assert.equal(tree.control('check').code, 0);
  assert.equal(tree.control('up', 'app').code, 0);
  await tree.event('started', 'app');
});

test('dependencies: a service starts when what it depends on is ready', async (t) => {
  const slow = (name: string): string =>
    `#!/bin/sh\necho ${name} >>"$OUT/order"\nuntil [ -e "$OUT/go-${name}" ]; do sleep 0.01; done\necho >&3\nexec sleep 1000\n`;
  const tree = startTree(t, {
    'db/run': slow('db'),
    'db/notification-fd': '3',
    'web/run': slow('web'),
    'web/notification-fd': '3',
    'web/dependencies.d/db': '',
    'proxy/run': '#!/bin/sh\necho proxy >>"$OUT/order"\nexec sleep 1000\n',
    'proxy/dependencies.d/web': '',
  });
  await tree.event('started, not ready yet', 'db');
  const { services } = JSON.parse(tree.control('status', 'proxy', '--json').stdout) as {
    services: { waitsFor: string[] }[];
  };
  assert.deepEqual(services[0]?.waitsFor, ['web (down)']);
  assert.equal(tree.control('check').code, 1);
  assert.match(tree.control('check').stdout, /web: waits for db \(nothing written to descriptor 3 yet\)\n/);
  writeFileSync(join(tree.directory, 'go-db'), '');
  await tree.event('ready', 'db');
  await tree.event('started, not ready yet', 'web');
  writeFileSync(join(tree.directory, 'go-web'), '');
  await tree.event('started', 'proxy');
  await until('proxy to say so', () => tree.lines('order').length === 3);
  assert.deepEqual(tree.lines('order'), ['db', 'web', 'proxy']);
  assert.equal(tree.control('check').code, 0);
});

test('a dependency that crashes later does not stop its dependents', async (t) => {
  const tree = startTree(t, { 'db/run': SLEEPER, 'web/run': SLEEPER, 'web/dependencies.d/db': '' });
  const { pid } = await tree.event('started', 'db');
  await tree.event('started', 'web');
  process.kill(Number(pid), 'SIGKILL');
  await tree.event('started', 'db', 2);
  assert.equal(tree.eventsOf('stopping', 'web').length, 0);
});

test('what a dead service left in its group goes before it starts again', async (t) => {
  const tree = startTree(t, {
    'app/run':
      '#!/bin/sh\n[ -e "$OUT/left" ] && exec sleep 1000\nsleep 1000 &\necho $! >"$OUT/left"\nexit 1\n',
    'app/restart-delay': '0 1s',
  });
  await tree.event('started', 'app', 2);
  await until('the left process gone', () => !isAlive(Number(tree.file('left'))));
});

test('a service that is stopped by SIGSTOP is stopped all the same', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER });
  const { pid } = await tree.event('started', 'app');
  process.kill(Number(pid), 'SIGSTOP');
  assert.equal(tree.control('down', 'app').code, 0);
  assert.equal((await tree.event('stopped', 'app'))['signal'], 'SIGTERM');
});

test('down-signal and reload-signal are those that were set', async (t) => {
  const tree = startTree(t, {
    'app/run':
      '#!/bin/sh\ntrap "echo usr2 >>$OUT/got" USR2\ntrap "echo quit >>$OUT/got; exit 0" QUIT\necho >&3\nwhile :; do sleep 0.01; done\n',
    'app/notification-fd': '3',
    'app/down-signal': 'SIGQUIT',
    'app/reload-signal': 'usr2',
  });
  await tree.event('ready', 'app');
  assert.equal(tree.control('reload', 'app').code, 0);
  await until('the reload', () => tree.file('got') === 'usr2\n');
  tree.control('down', 'app');
  await tree.event('stopped', 'app');
  assert.equal(tree.file('got'), 'usr2\nquit\n');
});

test('a run that cannot be executed is a crash that names the cause', async (t) => {
  const tree = startTree(t, {
    'app/run': '#!/no/such/shell\n',
    'app/restart': 'never',
    'other/run': SLEEPER,
  });
  const died = await tree.event('died', 'app');
  assert.equal(died['code'], 127);
  assert.match(
    String(died['reason']),
    /cannot execute \.\/run: its interpreter \/no\/such\/shell does not exist/,
  );
  await tree.event('started', 'other');
});

test('services read nothing from our stdin, and their output passes untouched', async (t) => {
  const tree = await runTree(t, {
    'app/run': '#!/bin/sh\nprintf "no newline"; printf "err\\n" >&2; cat; echo end\n',
    'app/essential': '',
    'app/restart': 'never',
  });
  assert.equal(tree.stdout, 'no newlineend\n');
  assert.equal(tree.noise, 'err\n');
});

function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

test('a run that is written in a way that cannot work is told how to mend it, once', async (t) => {
  const tree = startTree(t, {
    'daemon/run': '#!/bin/sh\nsleep 1000 &\n',
    'daemon/restart-delay': '0 10ms',
    'late/run': SLEEPER,
    'late/notification-fd': '3',
    'late/timeout-up': '20ms',
    'late/restart-delay': '0 10ms',
    'shell/run': '#!/bin/sh\nsleep 1000\necho never\n',
  });
  const daemon = await tree.event('ended at once again and again', 'daemon');
  assert.match(
    String(daemon['hint']),
    /^let run stay in the foreground: what it leaves in the background is killed/,
  );
  const late = await tree.event('was never ready in time', 'late');
  assert.match(String(late['hint']), /descriptor 3/);
  const { pid: leader } = await tree.event('started', 'shell');
  await until('the shell to wait', () => processes().some(({ ppid }) => ppid === leader));
  tree.control('restart', 'shell', '--wait', 'ready');
  const shell = await tree.event('killed what did not get the stop signal', 'shell');
  assert.match(String(shell['hint']), /^write exec before/);
  tree.signal('SIGTERM');
  await tree.ended;
  for (const { msg, service } of [daemon, late, shell]) assert.equal(tree.eventsOf(msg, service).length, 1);
});

test('where /dev/null is missing a start says so, and not that of its run', async (t) => {
  const prefix = ['unshare', ...(process.getuid?.() === 0 ? [] : ['-r']), '-m'];
  const tree = startTree(
    t,
    { 'app/run': SLEEPER },
    { prefix: [...prefix, 'sh', '-c', 'mount -t tmpfs none /dev && exec "$@"', 'sh'] },
  );
  const { reason } = await tree.event('died', 'app');
  assert.equal(reason, 'cannot execute ./run: /dev/null does not exist');
});
