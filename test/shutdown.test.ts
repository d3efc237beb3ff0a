/** SPEC §4 and §7: the way down. */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Files, processes, SLEEPER, startBundle, startTree, until } from './tree.ts';

const AS_ROOT = { skip: process.getuid?.() === 0 ? false : 'not root' };

/** Says when it is told to stop and when it ends. */
const polite = (name: string, seconds = 0): string =>
  `#!/bin/sh\ntrap 'echo "${name} told" >>"$OUT/log"; sleep ${seconds}; echo "${name} gone" >>"$OUT/log"; exit 0' TERM\necho >&3\nwhile :; do sleep 0.01; done\n`;
const stubborn = (name: string): string =>
  `#!/bin/sh\ntrap 'echo "${name} told" >>"$OUT/log"' TERM\necho >&3\nwhile :; do sleep 0.01; done\n`;
const chain = (runs: Record<string, string>): Files => {
  const files: Files = {};
  let before: string | undefined;
  for (const [name, run] of Object.entries(runs)) {
    files[`${name}/run`] = run;
    files[`${name}/notification-fd`] = '3';
    if (before) files[`${name}/dependencies.d/${before}`] = '';
    before = name;
  }
  return files;
};

test('a chain of four, one of which ignores TERM: mirror order, the stubborn one killed at its timeout-kill, in time', async (t) => {
  const tree = startTree(
    t,
    {
      ...chain({ a: polite('a'), b: polite('b'), c: stubborn('c'), d: polite('d') }),
      'c/timeout-kill': '300ms',
    },
    { args: ['--stop-timeout', '3s'] },
  );
  await tree.event('ready', 'd');
  const before = performance.now();
  tree.signal('SIGTERM');
  const { code } = await tree.ended;
  const took = performance.now() - before;
  assert.deepEqual(tree.lines('log'), ['d told', 'd gone', 'c told', 'b told', 'b gone', 'a told', 'a gone']);
  const killed = tree.eventsOf('killed');
  assert.deepEqual(
    killed.map((event) => event.service),
    ['c'],
  );
  assert.ok(Number(killed[0]?.['afterMs']) >= 300, 'not before its timeout-kill');
  assert.equal(code, 137);
  assert.ok(took < 3000, `whole stop took ${took} ms`);
});

test('the main command has no timeout-kill of its own: the whole budget is its', async (t) => {
  const tree = startTree(t, { 'web/run': SLEEPER }, { args: ['--', 'sleep', '1000'] });
  await tree.event('started', '(command)');
  const { services } = JSON.parse(tree.control('status', '(command)', '--json').stdout);
  assert.equal(services[0].settings['timeout-kill'], 'none');
});

test('when the budget is too small for all timeouts, each gets its share and the whole is in time', async (t) => {
  const tree = startTree(
    t,
    chain({ a: stubborn('a'), b: stubborn('b'), c: stubborn('c'), d: stubborn('d') }),
    {
      args: ['--stop-timeout', '1s'],
    },
  );
  await tree.event('ready', 'd');
  const before = performance.now();
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 137);
  const took = performance.now() - before;
  assert.deepEqual(tree.lines('log'), ['d told', 'c told', 'b told', 'a told']);
  assert.ok(took < 1200, `took ${took} ms`);
  assert.equal(tree.eventsOf('ran out of time to stop').length, 0);
});

test('independent services stop in parallel, as fast as the slowest', async (t) => {
  const files: Files = {};
  for (const name of ['a', 'b', 'c', 'd']) {
    files[`${name}/run`] = polite(name, 0.3);
    files[`${name}/notification-fd`] = '3';
  }
  const tree = startTree(t, files);
  for (const name of ['a', 'b', 'c', 'd']) await tree.event('ready', name);
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
  const [stopped] = tree.eventsOf('stopped the tree');
  // Four times 0.3 s one after the other would be 1.2 s.
  assert.ok(Number(stopped?.['tookMs']) < 1100, `took ${stopped?.['tookMs']} ms`);
});

test('a second TERM kills what is left, at once', async (t) => {
  const tree = startTree(t, { 'a/run': stubborn('a'), 'a/notification-fd': '3', 'a/timeout-kill': '0' });
  await tree.event('ready', 'a');
  tree.signal('SIGTERM');
  await until('TERM to arrive', () => tree.file('log') === 'a told\n');
  const before = performance.now();
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 137);
  assert.ok(performance.now() - before < 2000);
  assert.equal(tree.eventsOf('stopping at once').length, 1);
});

test('TERM while services start, wait and back off: everything ends', async (t) => {
  const tree = startTree(t, {
    'never-ready/run': SLEEPER,
    'never-ready/notification-fd': '3',
    'waits/run': SLEEPER,
    'waits/dependencies.d/never-ready': '',
    'crashes/run': '#!/bin/sh\nexit 1\n',
    'crashes/restart-delay': '1h',
    'slow-finish/run': '#!/bin/sh\nexit 1\n',
    'slow-finish/finish': '#!/bin/sh\ntouch "$OUT/finishing"\nsleep 1000\n',
  });
  await tree.event('died', 'crashes');
  await until(
    'a finish under way',
    () => tree.file('finishing') === '' && tree.eventsOf('died', 'slow-finish').length > 0,
  );
  const before = performance.now();
  tree.signal('SIGTERM');
  await tree.ended;
  assert.ok(performance.now() - before < 9500);
  assert.equal(tree.eventsOf('started', 'waits').length, 0);
});

test('processes that services left behind are told to stop, and killed if they do not', async (t) => {
  // setsid: out of the service's group and session, an orphan of ours.
  const run = `#!/bin/sh
setsid sh -c 'trap "touch \\$OUT/told; exit" TERM; touch $OUT/polite; while :; do sleep 0.01; done' &
setsid sh -c 'trap "" TERM; echo $$ >$OUT/deaf; while :; do sleep 0.01; done' &
exec sleep 1000
`;
  const tree = startTree(t, { 'app/run': run }, { args: ['--stop-timeout', '4s'] });
  await until('the strays', () => tree.file('deaf') !== '' && fileExists(tree.directory, 'polite'));
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 137);
  assert.ok(fileExists(tree.directory, 'told'), 'the polite one was told');
  assert.equal(isGone(Number(tree.file('deaf'))), true);
});

test('a finish hook that hangs is killed within the budget', async (t) => {
  const tree = startTree(
    t,
    { 'app/run': SLEEPER, '.supervise/finish': '#!/bin/sh\nsleep 1000\n' },
    { args: ['--stop-timeout', '1s'] },
  );
  await tree.event('started', 'app');
  const before = performance.now();
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
  assert.ok(performance.now() - before < 1300);
});

test('INT stops the tree too', async (t) => {
  const tree = startTree(t, { 'a/run': SLEEPER });
  await tree.event('started', 'a');
  tree.signal('SIGINT');
  assert.equal((await tree.ended).code, 0);
});

test('other signals go to the main command, or else to the essential service', async (t) => {
  const trap = (where: string): string =>
    `trap 'echo usr1 >>"$OUT/${where}"' USR1; trap 'echo winch >>"$OUT/${where}"' WINCH; touch "$OUT/${where}"; while :; do sleep 0.01; done`;
  const command = startBundle(t, ['--', 'sh', '-c', trap('command')]);
  await until('the trap', () => fileExists(command.directory, 'command'));
  command.signal('SIGUSR1');
  command.signal('SIGWINCH');
  await until('both', () => command.lines('command').sort().join() === 'usr1,winch');

  const tree = startTree(t, { 'app/run': `#!/bin/sh\n${trap('app')}\n`, 'app/essential': '' });
  await until('the trap', () => fileExists(tree.directory, 'app'));
  tree.signal('SIGUSR1');
  await until('USR1', () => tree.file('app') === 'usr1\n');
});

test('signals without an addressee are ignored; SIGUSR1 opens no debugger', async (t) => {
  const tree = startTree(t, { 'a/run': SLEEPER });
  await tree.event('started', 'a');
  for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGQUIT', 'SIGALRM', 'SIGPWR'] as const) tree.signal(signal);
  assert.equal(tree.control('check').code, 0);
  assert.doesNotMatch(tree.noise, /Debugger/i);
});

test('--rewrite takes one signal for another', async (t) => {
  const script = 'trap "exit 5" QUIT; touch "$OUT/up"; while :; do sleep 0.01; done';
  const tree = startBundle(t, ['--rewrite', 'TERM:QUIT', '--', 'sh', '-c', script]);
  await until('up', () => fileExists(tree.directory, 'up'));
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 5);
});

test('--rewrite of a stop without a main command is still a stop', async (t) => {
  const tree = startTree(t, { 'a/run': SLEEPER }, { args: ['--rewrite', 'TERM:QUIT'] });
  await tree.event('started', 'a');
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
});

test('SIG hooks run instead of what the signal does', async (t) => {
  const tree = startTree(t, {
    'a/run': SLEEPER,
    '.supervise/SIGTERM': '#!/bin/sh\necho term >>"$OUT/hook"\n',
    '.supervise/SIGUSR2': '#!/bin/sh\necho usr2 >>"$OUT/hook"\n',
  });
  await tree.event('started', 'a');
  tree.signal('SIGTERM');
  await until('the TERM hook', () => tree.file('hook') === 'term\n');
  tree.signal('SIGUSR2');
  await until('the USR2 hook', () => tree.file('hook') === 'term\nusr2\n');
  assert.equal(tree.control('stop').code, 0);
});

test(
  'what SIGKILL does not end keeps nobody else from an orderly stop: its dependencies, the finish hook, the budget',
  AS_ROOT,
  async (t) => {
    const tree = startTree(
      t,
      {
        'db/run': polite('db'),
        'db/notification-fd': '3',
        'app/run':
          '#!/bin/sh\nexec >/dev/null 2>&1\nsetsid sh -c \'trap "" TERM; echo >&3; exec sleep 1000\' &\nexec sleep 1000\n',
        'app/notification-fd': '3',
        'app/dependencies.d/db': '',
        'app/user': '1234:1234',
        'app/timeout-kill': '100ms',
        '.supervise/finish': '#!/bin/sh\necho "$1 $2" >"$OUT/hook"\nexit 7\n',
      },
      {
        args: ['--stop-timeout', '20s'],
        // Nothing of another user's is ours to kill then: what a traced process is to root, or one in D state.
        prefix: ['setpriv', '--bounding-set=-kill', '--inh-caps=-kill'],
      },
    );
    chmodSync(tree.directory, 0o711);
    await tree.event('ready', 'app');
    const pid = tree.servicePid('app');
    const left = [pid, ...processes().flatMap(({ pid: each, ppid }) => (ppid === pid ? each : []))];
    assert.equal(left.length, 2);
    t.after(() => {
      for (const { pid: each } of processes()) if (left.includes(each)) process.kill(each, 'SIGKILL');
    });
    tree.control('restart', 'app');
    const told = await tree.event('could not kill', 'app');
    assert.equal(told.level, 'error');
    assert.equal(told['pid'], pid);
    const complaint = `SIGKILL has not ended process ${pid}`;
    assert.ok(tree.control('status').stdout.includes(complaint));
    assert.match(tree.control('check', 'app').stdout, new RegExp(`app: is stopping \\(${complaint}\\)`));
    const before = performance.now();
    tree.signal('SIGTERM');
    assert.equal((await tree.ended).code, 7);
    assert.ok(performance.now() - before < 10_000, 'well within the budget');
    assert.deepEqual(tree.lines('log'), ['db told', 'db gone']);
    assert.deepEqual(tree.lines('hook'), ['signal 137']);
    // Once for the service, once for its stray.
    assert.deepEqual(
      tree.eventsOf('could not kill').map(({ service, pid, pids }) => service ?? pids ?? pid),
      ['app', [left[1]]],
    );
    assert.deepEqual(
      tree.eventsOf('killed what was left').map(({ pids }) => pids),
      [[left[1]]],
    );
    assert.equal(tree.eventsOf('ran out of time to stop').length, 0);
  },
);

function fileExists(directory: string, name: string): boolean {
  try {
    readFileSync(`${directory}/${name}`);
    return true;
  } catch {
    return false;
  }
}

function isGone(pid: number): boolean {
  try {
    return /^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return true;
  }
}
