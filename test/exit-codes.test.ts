/** SPEC §6, each row. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Files, runTree, SLEEPER, startBundle, startTree } from './tree.ts';

test('the main command: its code', async (t) => {
  const tree = startBundle(t, ['--', 'sh', '-c', 'exit 7']);
  assert.deepEqual(await tree.ended, { code: 7, signal: null });
});

test('the main command beside services: its code, and it starts when they are ready', async (t) => {
  const run = '#!/bin/sh\nsleep 0.1\necho ready >"$OUT/ready"\necho >&3\nexec sleep 1000\n';
  const tree = await runTree(
    t,
    { 'db/run': run, 'db/notification-fd': '3' },
    { args: ['--', 'sh', '-c', 'cat "$OUT/ready"; exit 9'] },
  );
  assert.equal(tree.exit.code, 9);
  assert.equal(tree.stdout, 'ready\n');
});

test('the main command killed by SIGSEGV: 128 + 11', async (t) => {
  const tree = startBundle(t, ['--', 'sh', '-c', 'kill -SEGV $$']);
  assert.equal((await tree.ended).code, 139);
});

test('the main command that cannot be found: 127; that cannot be executed: 126', async (t) => {
  assert.equal((await startBundle(t, ['--', 'no-such-program']).ended).code, 127);
  assert.equal((await startBundle(t, ['--', '/etc/passwd']).ended).code, 126);
});

test('TERM with a main command: its code as it is', async (t) => {
  const script = 'trap "exit 3" TERM; echo up; while :; do sleep 0.01; done';
  const trapping = startBundle(t, ['--', 'sh', '-c', script]);
  await trapping.event('started');
  await waitForOutput(trapping, 'up');
  trapping.signal('SIGTERM');
  assert.equal((await trapping.ended).code, 3);

  const plain = startBundle(t, ['--', 'sleep', '1000']);
  await plain.event('started');
  plain.signal('SIGTERM');
  assert.equal((await plain.ended).code, 143);
});

const essential = (run: string, more: Files = {}): Files => ({
  'app/run': `#!/bin/sh\n${run}\n`,
  'app/essential': '',
  'app/restart': 'never',
  'other/run': SLEEPER,
  ...more,
});

test('an essential service that is over: its code', async (t) => {
  assert.equal((await runTree(t, essential('exit 5'))).exit.code, 5);
});

test('an essential service that ended well: 0', async (t) => {
  assert.equal((await runTree(t, essential('exit 0'))).exit.code, 0);
});

test('an essential service killed by a signal: 128 + signal', async (t) => {
  assert.equal((await runTree(t, essential('kill -SEGV $$'))).exit.code, 139);
});

test('an essential service past its restart-limit: the code of its last crash', async (t) => {
  const counting = 'echo x >>"$OUT/runs"; exit $(wc -l <"$OUT/runs")';
  const tree = await runTree(
    t,
    essential(counting, {
      'app/restart': 'always',
      'app/restart-limit': '3',
      'app/restart-delay': '10ms 20ms',
    }),
  );
  assert.equal(tree.exit.code, 3);
  assert.equal(tree.lines('runs').length, 3);
});

test('an essential service whose finish says 125: its code', async (t) => {
  const files = essential('exit 6', { 'app/restart': 'always', 'app/finish': '#!/bin/sh\nexit 125\n' });
  assert.equal((await runTree(t, files)).exit.code, 6);
});

test('services only, TERM: 0 when all went down in time', async (t) => {
  const tree = startTree(t, { 'a/run': SLEEPER, 'b/run': SLEEPER });
  await tree.event('started', 'a');
  await tree.event('started', 'b');
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
});

test('services only, TERM: 137 when one had to be killed', async (t) => {
  const tree = startTree(t, {
    'a/run': '#!/bin/sh\ntrap "" TERM\necho >&3\nwhile :; do sleep 0.1; done\n',
    'a/notification-fd': '3',
    'a/timeout-kill': '100ms',
  });
  await tree.event('ready', 'a');
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 137);
});

test('supervise stop: 0', async (t) => {
  const tree = startTree(t, { 'a/run': SLEEPER });
  await tree.event('started', 'a');
  assert.equal(tree.control('stop').code, 0);
  assert.equal((await tree.ended).code, 0);
});

test('the finish hook: its non-zero code replaces ours; it learns why, the code so far, and who', async (t) => {
  const hook = '#!/bin/sh\necho "$@" >>"$OUT/finish"\nexit $CODE\n';
  const files = essential('exit 5', { '.supervise/finish': hook });
  const replaced = await runTree(t, files, { env: { CODE: '42' } });
  assert.equal(replaced.exit.code, 42);
  assert.equal(replaced.file('finish'), 'essential 5 app\n');
  assert.equal((await runTree(t, files, { env: { CODE: '0' } })).exit.code, 5);
});

test('--exit-map changes one into another', async (t) => {
  const tree = startBundle(t, ['--exit-map', '143=0,9=1', '--', 'sleep', '1000']);
  await tree.event('started');
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
});

test('refused configuration: 100, and nothing was started', async (t) => {
  const run = '#!/bin/sh\ntouch "$OUT/started"\nexec sleep 1000\n';
  const cycle = await runTree(t, {
    'a/run': run,
    'a/dependencies.d/b': '',
    'b/run': run,
    'b/dependencies.d/a': '',
  });
  assert.equal(cycle.exit.code, 100);
  assert.equal(cycle.file('started'), '');
  assert.match(cycle.noise, /^supervise: cannot order services: a → b → a\n {2}hint: /);
});

test('an essential service that is refused: 100', async (t) => {
  const tree = await runTree(t, essential('exit 0', { 'app/timeout-kill': 'soon' }));
  assert.equal(tree.exit.code, 100);
  assert.match(tree.noise, /app\/timeout-kill: expected a time such as 5s, got "soon"/);
});

async function waitForOutput(tree: ReturnType<typeof startBundle>, text: string): Promise<void> {
  const { until } = await import('./tree.ts');
  await until(`output ${text}`, () => tree.stdout.includes(text));
}
