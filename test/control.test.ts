/** SPEC §9 and the control verbs of §1. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { BUNDLE, runTree, SLEEPER, startTree, tempDir, until, writeFiles } from './tree.ts';

test('status tells what is wanted, what is, and why; as JSON too', async (t) => {
  const tree = startTree(t, {
    'app/run': SLEEPER,
    'crash/run': '#!/bin/sh\nexit 3\n',
    'crash/restart-delay': '1h',
    'bad/run': SLEEPER,
    'bad/restart': 'sometimes',
  });
  await tree.event('started', 'app');
  await tree.event('died', 'crash');
  const { stdout, code } = tree.control('status');
  assert.equal(code, 0);
  const rows = stdout.split('\n');
  assert.match(rows[0] ?? '', /^SERVICE +IS +WANTED +SINCE +PID +CRASHES$/);
  assert.match(rows[1] ?? '', /^app +ready +up +\S+ +\d+ +0$/);
  assert.match(
    rows[2] ?? '',
    /^bad +failed +up +\S+ +- +0 +cannot read .*bad\/restart: expected always, on-failure or never, got "sometimes"$/,
  );
  assert.match(
    rows[3] ?? '',
    /^crash +backoff +up +\S+ +- +1 +starts in 59m\d\ds; last end: exit 3 after \d+ms$/,
  );
  const status = JSON.parse(tree.control('status', '--json').stdout);
  assert.equal(status.v, 1);
  assert.equal(status.pid, tree.pid);
  assert.deepEqual(
    status.services.map((service: { name: string; is: string; wanted: string }) => [
      service.name,
      service.is,
      service.wanted,
    ]),
    [
      ['app', 'ready', 'up'],
      ['bad', 'failed', 'up'],
      ['crash', 'backoff', 'up'],
    ],
  );
  assert.deepEqual(status.services[2].lastDeath.code, 3);
});

test('check: 0 only if all that should be up is up and ready', async (t) => {
  const tree = startTree(t, {
    'app/run': SLEEPER,
    'crash/run': '#!/bin/sh\nexit 3\n',
    'crash/restart-delay': '1h',
  });
  await tree.event('died', 'crash');
  const unwell = tree.control('check');
  assert.equal(unwell.code, 1);
  assert.match(unwell.stdout, /^crash: in backoff after exit 3, starts in (1h00m|59m\d\ds)\n$/);
  assert.equal(tree.control('check', 'app').code, 0);
  tree.control('down', 'crash');
  assert.equal(tree.control('check').code, 0);
});

test('up, down and restart', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER });
  await tree.event('started', 'app');
  assert.equal(tree.control('down', 'app').code, 0);
  await tree.event('stopped', 'app');
  assert.equal(tree.control('up', 'app').code, 0);
  await tree.event('started', 'app', 2);
  assert.equal(tree.control('restart', 'app').code, 0);
  await tree.event('started', 'app', 3);
  assert.equal(tree.eventsOf('died').length, 0, 'an ordered restart is no crash');
});

test('a wrong name is said, and nothing else is touched', async (t) => {
  const tree = startTree(t, { 'web/run': SLEEPER });
  await tree.event('started', 'web');
  const wrong = tree.control('down', 'web', 'wbe');
  assert.equal(wrong.code, 100);
  assert.equal(wrong.stderr, 'supervise: cannot find "wbe": no such service (did you mean "web"?)\n');
  assert.equal(tree.eventsOf('stopping').length, 0);
  assert.equal(tree.control('restart').code, 100);
});

test('reload of a service that does not run: 1', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER, 'app/down': '', 'other/run': SLEEPER });
  await tree.event('started', 'other');
  const { code, stderr } = tree.control('reload', 'app');
  assert.deepEqual([code, stderr], [1, 'supervise: cannot reload "app": it is down\n']);
});

test('no supervisor there: 111', (t) => {
  const { status, stderr } = spawnSync(process.execPath, [BUNDLE, 'status'], {
    env: { PATH: process.env['PATH'], SUPERVISE_SOCKET: join(tempDir(t), 'none') },
    encoding: 'utf8',
  });
  assert.equal(status, 111);
  assert.match(stderr, /^supervise: cannot reach a supervisor at .*\n {2}hint: /);
});

test('a second supervisor on the same socket is refused with 100, and the first is not disturbed', async (t) => {
  const first = startTree(t, { 'app/run': SLEEPER });
  await first.event('started', 'app');
  const second = await runTree(t, { 'app/run': SLEEPER }, { args: ['--socket', first.socket] });
  assert.equal(second.exit.code, 100);
  assert.match(second.noise, /cannot start: another supervisor answers on .*\n {2}hint: /);
  assert.equal(second.eventsOf('started').length, 0);
  assert.equal(first.control('check').code, 0);
});

test('a stale socket is replaced; the new one is mode 0600 and gone after the end', async (t) => {
  const dead = startTree(t, { 'app/run': SLEEPER });
  await dead.event('started', 'app');
  const orphan = Number(dead.eventsOf('started')[0]?.['pid']);
  dead.child.kill('SIGKILL');
  process.kill(orphan, 'SIGKILL');
  await dead.ended;
  assert.ok(existsSync(dead.socket), 'left behind');
  const tree = startTree(t, { 'app/run': SLEEPER }, { args: ['--socket', dead.socket] });
  await tree.event('started', 'app');
  assert.equal(statSync(dead.socket).mode & 0o777, 0o600);
  tree.signal('SIGTERM');
  await tree.ended;
  assert.equal(existsSync(dead.socket), false);
});

test('a file that is no socket is not taken away', async (t) => {
  const path = join(writeFiles(tempDir(t), { precious: 'data' }), 'precious');
  const tree = await runTree(t, { 'app/run': SLEEPER }, { args: ['--socket', path] });
  assert.equal(tree.exit.code, 100);
  assert.match(tree.noise, /cannot listen on .*precious: there is a file that is no socket/);
  assert.ok(existsSync(path));
});

test('nowhere to make a socket: the tree runs without control and says so once', async (t) => {
  const tree = startTree(
    t,
    { 'app/run': SLEEPER },
    { env: { SUPERVISE_SOCKET: '', SUPERVISE_RUNTIME_DIR: '/proc/nowhere' } },
  );
  await tree.event('running without control');
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
  assert.equal(tree.eventsOf('started', 'app').length, 1);
  assert.equal(tree.eventsOf('running without control').length, 1);
});

test('SUPERVISE_RUNTIME_DIR is where the socket goes, in a directory only we can enter', async (t) => {
  const directory = join(tempDir(t), 'run/deep');
  const env = { SUPERVISE_SOCKET: '', SUPERVISE_RUNTIME_DIR: directory };
  const tree = startTree(t, { 'app/run': SLEEPER }, { env });
  await tree.event('started', 'app');
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  const { status } = spawnSync(process.execPath, [BUNDLE, 'check'], {
    env: { PATH: process.env['PATH'], ...env },
  });
  assert.equal(status, 0);
});

test('malformed, oversized and wrong requests are answered with an error and cost the tree nothing', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER });
  await tree.event('started', 'app');
  const cases: [string | Buffer, RegExp][] = [
    ['no json\n', /expected one line of JSON/],
    ['[]\n', /expected a JSON object/],
    ['{"v":2,"do":"status"}\n', /expected \\"v\\": 1, got 2/],
    ['{"v":1,"do":"explode"}\n', /expected \\"do\\" to be one of status, /],
    ['{"v":1,"do":"up","services":"app"}\n', /to be a list of names/],
    ['{"v":1,"do":"up","services":["__proto__"]}\n', /no such service/],
    ['{"v":1,"do":"constructor"}\n', /expected \\"do\\"/],
    // Lists within lists: too deep to be written out again.
    [`{"v":${'['.repeat(20_000)}${']'.repeat(20_000)},"do":"status"}\n`, /expected \\"v\\": 1, got a list/],
    ['{"do":"status"}\n', /expected \\"v\\": 1, got nothing/],
    [Buffer.alloc(70_000, 'x'), /more than 65536 bytes/],
    [Buffer.from([0xff, 0xfe, 0x00, 0x0a]), /expected one line of JSON/],
  ];
  for (const [request, expected] of cases) assert.match(await exchange(tree.socket, request), expected);
  // Clients that say nothing, half of something, or leave in the middle.
  const silent = Array.from({ length: 20 }, () => connect(tree.socket));
  silent[0]?.write('{"v":1,');
  for (const socket of silent.slice(10)) socket.destroy();
  assert.equal(tree.control('check').code, 0);
  for (const socket of silent) socket.destroy();
  assert.equal(tree.eventsOf('survived a mistake').length, 0);
});

test('clients that say nothing keep nobody out: with too many, those who have waited longest go', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER });
  await tree.event('started', 'app');
  const waiting = exchange(tree.socket, '{"v":1,"do":"wait","services":["app"],"until":"down"}\n');
  const silent = Array.from({ length: 200 }, () => connect(tree.socket).on('error', () => {}));
  await Promise.all(silent.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  const began = performance.now();
  assert.equal(tree.control('check').code, 0);
  assert.ok(performance.now() - began < 9000, 'it did not wait for their time to be up');
  await until('the oldest to be gone', () => silent.slice(0, 136).every(({ destroyed }) => destroyed));
  assert.ok(
    silent.slice(-60).every(({ destroyed }) => !destroyed),
    'and no more than those',
  );
  assert.equal(tree.control('down', 'app').code, 0);
  assert.match(await waiting, /"ok":true,"data":null/, 'who waits for an answer is not silent');
  for (const socket of silent) socket.destroy();
});

test('rescan: new services start, removed ones stop, changed settings count at the next start', async (t) => {
  const tree = startTree(t, { 'old/run': SLEEPER, 'stays/run': SLEEPER });
  await tree.event('started', 'old');
  assert.deepEqual(tree.control('rescan'), { code: 0, stdout: 'nothing changed\n', stderr: '' });
  writeFiles(tree.scandir, { 'new/run': SLEEPER, 'stays/timeout-kill': '7s' });
  rmSync(join(tree.scandir, 'old'), { recursive: true });
  assert.equal(
    tree.control('rescan').stdout,
    'added: new\nremoved: old\nchanged: stays (timeout-kill at once)\n',
  );
  await tree.event('started', 'new');
  await tree.event('stopped', 'old');
  assert.equal(tree.eventsOf('stopping', 'stays').length, 0);
  await until('old to be forgotten', () => tree.control('status', 'old').code === 100);
});

test('SIGHUP rescans; a broken service is told, left as it was, and starts when it is mended', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER });
  await tree.event('started', 'app');
  writeFiles(tree.scandir, { 'two/run': 'exec sleep 1\n' });
  tree.signal('SIGHUP');
  const complaint = await tree.event('cannot start "two": ./run is not executable');
  assert.equal(complaint['hint'], `chmod +x ${tree.scandir}/two/run`);
  writeFiles(tree.scandir, { 'app/timeout-kill': 'never' });
  tree.signal('SIGHUP');
  await tree.event('rescanned', undefined, 2);
  assert.equal(tree.eventsOf('stopping', 'app').length, 0, 'a bad edit harms no running service');
  writeFiles(tree.scandir, { 'two/run': SLEEPER });
  tree.signal('SIGHUP');
  await tree.event('started', 'two');
});

test('a rescan that cannot be ordered changes nothing', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER });
  await tree.event('started', 'app');
  writeFiles(tree.scandir, { 'two/run': SLEEPER, 'two/dependencies.d/nobody': '' });
  const { code, stderr } = tree.control('rescan');
  assert.equal(code, 100);
  assert.match(stderr, /cannot order services: "two" depends on "nobody", which is no service/);
  assert.equal(tree.eventsOf('started').length, 1);
});

test('--watch: a service that always writes beside its run hides no edit, and is no news', async (t) => {
  const busy = '#!/bin/sh\nwhile :; do echo x >>app.log; sleep 0.05; done\n';
  const tree = startTree(t, { 'app/run': busy }, { args: ['--watch', '--log-level', 'debug'] });
  await tree.event('watching');
  await tree.event('rescanned');
  writeFiles(tree.scandir, { 'new/run': SLEEPER });
  await tree.event('started', 'new');
  // Told once all of it is done.
  const told = await until(
    'it was told',
    () => tree.eventsOf('rescanned').filter(({ level }) => level === 'info')[0],
  );
  assert.equal(told['added'], 'new');
  assert.equal(tree.eventsOf('rescanned').filter(({ level }) => level === 'info').length, 1);
});

test('--watch has its threads before anything is started: where none is to be had later, it would end us', async (t) => {
  const counting = '#!/bin/sh\nls /proc/$PPID/task >"$OUT/threads"\nexec sleep 1000\n';
  const tree = startTree(t, { 'app/run': counting }, { args: ['--watch', '--log-level', 'debug'] });
  await tree.event('watching');
  await until('the count', () => tree.lines('threads').length > 0);
  assert.deepEqual(readdirSync(`/proc/${tree.pid}/task`), tree.lines('threads'));
});

test('--watch: an edit takes effect as soon as it is on disk', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER }, { args: ['--watch', '--log-level', 'debug'] });
  await tree.event('watching');
  writeFiles(tree.directory, { 'draft/run': SLEEPER });
  renameSync(join(tree.directory, 'draft'), join(tree.scandir, 'two'));
  await tree.event('started', 'two');
  rmSync(join(tree.scandir, 'app'), { recursive: true });
  await tree.event('stopped', 'app');
});

test('the scandir may be read-only: nothing is written into it', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER, 'app/finish': '#!/bin/sh\n' });
  chmodSync(tree.scandir, 0o555);
  chmodSync(join(tree.scandir, 'app'), 0o555);
  await tree.event('started', 'app');
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
  const { stdout } = spawnSync('find', [tree.scandir, '-type', 'f', '-printf', '%f\n'], { encoding: 'utf8' });
  assert.deepEqual(stdout.split('\n').filter(Boolean).sort(), ['finish', 'run']);
  chmodSync(join(tree.scandir, 'app'), 0o755);
  chmodSync(tree.scandir, 0o755);
});

function exchange(path: string, request: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path, () => socket.write(request));
    socket.on('data', (piece) => (text += piece.toString()));
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}
