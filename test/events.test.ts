/** `supervise events` and `status --watch`: what happened, and what is, as it changes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import type { EventRecord, Reply, Status } from '../src/control/protocol.ts';
import { BUNDLE, NODE, type RunningTree, SLEEPER, startTree, until, writeFiles } from './tree.ts';

const TEMPLATE = '{{!--\ndest: ${OUT}/app.conf\non-change: reload\n--}}\n{{key "a"}}\n';

/** A verb that goes on, read as it comes. */
class Following {
  stdout = '';
  stderr = '';
  readonly code: Promise<number | null>;
  readonly child;

  constructor(t: { after: (work: () => void) => void }, tree: RunningTree, ...args: string[]) {
    this.child = spawn(NODE, [BUNDLE, ...args], {
      env: { PATH: process.env['PATH'], SUPERVISE_SOCKET: tree.socket },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.code = new Promise((resolve) => this.child.once('close', (code) => resolve(code)));
    t.after(() => this.child.kill('SIGKILL'));
  }

  async has(pattern: RegExp): Promise<void> {
    await until(`${pattern} in:\n${this.stdout}${this.stderr}`, () => pattern.test(this.stdout));
  }
}

const records = (text: string): EventRecord[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as EventRecord);

test('events are our log lines, whatever --log-level lets through, and what was rendered', async (t) => {
  const tree = startTree(
    t,
    {
      '.supervise/kv.json': '{"kv":{"a":"1"}}',
      '.supervise/crash': '#!/bin/sh\nexit 7\n',
      'app/run': '#!/bin/sh\ntrap : HUP\nwhile :; do sleep 0.02; done\n',
      'app/templates/app.conf.hbs': TEMPLATE,
      'bad/run': '#!/bin/sh\nexit 3\n',
      'bad/restart': 'never',
    },
    { args: ['--log-level', 'silent', '--wait', '10ms'] },
  );
  const follower = new Following(t, tree, 'events', '--follow', '--json');
  await until('a supervisor', () => tree.control('check', 'app').code === 0);
  writeFiles(tree.scandir, { '.supervise/kv.json': '{"kv":{"a":"2"}}', 'new/run': SLEEPER });
  await until('events', async () => {
    if (follower.child.exitCode === 111) return true;
    return follower.stdout.includes('"config changed"');
  });
  tree.control('rescan');
  const { code, stdout } = tree.control('events', '--json');
  assert.equal(code, 0);
  assert.equal(tree.events.length, 0, 'nothing was logged');
  const found = records(stdout);
  assert.deepEqual(
    found.map(({ seq }) => seq),
    found.map((_, i) => i + 1),
  );
  const has = (service: string | null, event: string, fields: Record<string, unknown>): void =>
    assert.ok(
      found.some(
        (record) =>
          record.service === service &&
          record.event === event &&
          Object.entries(fields).every(([name, value]) => record.fields[name] === value),
      ),
      `${service}: ${event} ${JSON.stringify(fields)} in:\n${stdout}`,
    );
  has('app', 'rendered', { files: `${tree.directory}/app.conf` });
  has('app', 'started', {});
  has('bad', 'died', { code: 3, crashes: 1, next: 'failed' });
  has('bad', 'failed', { crashes: 1 });
  has(null, 'a hook failed', { hook: 'crash', end: 'exit 7' });
  has('app', 'config changed', { action: 'reload' });
  has(null, 'rescanned', {});
  has('new', 'started', {});
  assert.ok(found.every(({ level }) => level !== ('debug' as string)));
  rmSync(`${tree.scandir}/.supervise/kv.json`);
  await until('the loss', () => tree.control('events').stdout.includes('warn: lost the source source='));
  writeFiles(tree.scandir, { '.supervise/kv.json': '{"kv":{"a":"2"}}' });
  await until('its return', () =>
    tree.control('events').stdout.includes('supervise: reached the source source='),
  );
});

test('events of some services, in the words of the log', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER, 'web/run': SLEEPER, 'old/run': SLEEPER, 'old/down': '' });
  await tree.event('started', 'web');
  const pid = tree.servicePid('app');
  tree.control('down', 'app', '--wait', 'down');
  assert.match(
    tree.control('events', 'app').stdout,
    new RegExp(
      [
        `^\\d\\d:\\d\\d:\\d\\d\\.\\d{3} supervise: app: started pid=${pid}`,
        `\\S+ supervise: app: stopping pid=${pid} signal=SIGTERM`,
        '\\S+ supervise: app: stopped signal=SIGTERM ran=\\S+\n$',
      ].join('\n'),
    ),
  );
  assert.deepEqual(tree.control('events', 'old'), { code: 0, stdout: '', stderr: '' });
  assert.deepEqual(tree.control('events', 'ap'), {
    code: 100,
    stdout: '',
    stderr: 'supervise: cannot find "ap": no such service (did you mean "app"?)\n',
  });
});

test('events --follow: what was, then what comes, until the tree ends', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER, 'web/run': SLEEPER });
  await tree.event('started', 'web');
  const all = new Following(t, tree, 'events', '--follow');
  const one = new Following(t, tree, 'events', 'web', '--follow', '--json');
  await all.has(/app: started/);
  await one.has(/"started"/);
  tree.control('down', 'app');
  await all.has(/app: stopped/);
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
  assert.deepEqual([await all.code, await one.code], [0, 0]);
  assert.match(all.stdout, /supervise: stopped the tree why=signal exitCode=0 took=\S+\n$/);
  assert.deepEqual(
    records(one.stdout).map(({ event }) => event),
    ['started', 'stopping', 'stopped'],
  );
});

test('the ring forgets the oldest', async (t) => {
  const tree = startTree(t, {
    'app/run': '#!/bin/sh\ntrap : USR1\necho >&3\nwhile :; do sleep 0.02; done\n',
    'app/notification-fd': '3',
  });
  await tree.event('ready', 'app');
  const line = (service: string): string =>
    `{"v":1,"do":"signal","signal":"USR1","services":["${service}"]}\n`;
  for (let i = 0; i < 1100; i++) await ask(tree.socket, line('app'));
  const found = records(tree.control('events', '--json').stdout);
  assert.deepEqual([found.length, found.at(-1)?.seq, found[0]?.seq], [1000, 1102, 103]);
});

test('a reader that does not read is cut off with a last line, and costs the tree nothing', async (t) => {
  const tree = startTree(
    t,
    { 'app/run': '#!/bin/sh\ntrap : USR1\nwhile :; do sleep 0.02; done\n' },
    { args: ['--log-level', 'silent'] },
  );
  await until('a supervisor', () => tree.control('check').code === 0);
  const request = `{"v":1,"do":"signal","signal":"USR1","services":["app"]}\n`;
  for (let i = 0; i < 3000; i++) await ask(tree.socket, request);
  const before = rss(tree.pid);
  const followers = Array.from({ length: 20 }, () => connect(tree.socket));
  t.after(() => {
    for (const follower of followers) follower.destroy();
  });
  for (const follower of followers) {
    follower.write('{"v":1,"do":"events","services":[],"follow":true}\n');
    await new Promise((resolve) => follower.once('readable', resolve));
  }
  const watching = connect(tree.socket);
  watching.write('{"v":1,"do":"status","services":[],"follow":true}\n');
  await new Promise((resolve) => watching.once('readable', resolve));
  // Each is an event of some 130 bytes, to readers that take none of it; unbounded, it would be hundreds of megabytes.
  for (let i = 0; i < 8000; i++) await ask(tree.socket, request);
  assert.equal(tree.control('check').code, 0);
  assert.ok(rss(tree.pid) - before < 64_000, `${before} kB, then ${rss(tree.pid)} kB`);
  const [stuck = connect(tree.socket)] = followers;
  const lines = (await rest(stuck))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Reply);
  assert.deepEqual(lines.at(-1), {
    v: 1,
    ok: false,
    exit: 111,
    error: 'cannot events: you read too slowly, and were cut off here',
  });
  // A table that nobody took is left out for a newer one, so its reader is never cut off.
  watching.on('data', () => {});
  assert.equal(watching.destroyed, false);
  watching.destroy();
});

test('status --watch: a new table at each change, and none between', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER, 'web/run': SLEEPER });
  await tree.event('started', 'web');
  const table = new Following(t, tree, 'status', '--watch');
  const json = new Following(t, tree, 'status', 'app', '--watch', '--json');
  await table.has(/app +ready[\s\S]*web +ready/);
  await json.has(/"ready"/);
  assert.equal(table.stdout.split('SERVICE').length - 1, 1);
  tree.control('down', 'app', '--wait', 'down');
  await table.has(/app +down +down/);
  await json.has(/"down"/);
  tree.control('stop');
  assert.deepEqual([await table.code, await json.code], [0, 0]);
  assert.match(table.stdout, /the tree is stopping\n\n$/);
  const states = json.stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as Status).services[0]?.is);
  assert.equal(states[0], 'ready');
  assert.equal(states.at(-1), 'down');
});

test('status --watch on a terminal: one table in its place, whose times go on', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER });
  await tree.event('started', 'app');
  const child = spawn('script', ['-qec', `exec '${NODE}' '${BUNDLE}' status --watch`, '/dev/null'], {
    env: { PATH: process.env['PATH'], SUPERVISE_SOCKET: tree.socket, SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let screen = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (screen += text));
  const code = new Promise((resolve) => child.once('close', resolve));
  await until('three tables without a change', () => screen.split('\x1b[H').length > 3);
  assert.match(screen, /app +ready +up/);
  tree.control('down', 'app');
  await until('the change', () => /app +down +down/.test(screen));
  tree.control('stop');
  assert.equal(await code, 0);
});

test('a follower whose reader is gone ends; one that goes away is forgotten', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER });
  await tree.event('started', 'app');
  const follower = new Following(t, tree, 'events', '--follow');
  await follower.has(/started/);
  follower.child.stdout.destroy();
  tree.control('restart', 'app', '--wait', 'ready');
  assert.equal(await follower.code, 0);
  // Far more than may follow at once, one after the other.
  for (let i = 0; i < 100; i++) {
    const socket = connect(tree.socket);
    socket.write('{"v":1,"do":"wait","services":["app"],"until":"down"}\n');
    await new Promise((resolve) => socket.once('readable', resolve));
    socket.destroy();
  }
  await until('room', () => tree.control('wait', 'app', '--for', 'down', '--timeout', '1ms').code === 99);
});

test('however many wait or follow, a status gets through, and a stop; what is refused is not done', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER });
  await tree.event('started', 'app');
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const answers: string[] = [];
  for (let i = 0; i < 60; i++) {
    const socket = connect(tree.socket);
    sockets.push(socket);
    const isWaiter = i % 2 === 0;
    socket.write(
      isWaiter
        ? '{"v":1,"do":"wait","services":["app"],"until":"down","timeoutMs":600000}\n'
        : '{"v":1,"do":"events","services":[],"follow":true}\n',
    );
    answers.push(
      await new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data)))),
    );
  }
  assert.equal(answers.filter((answer) => answer.includes('"more":true')).length, 48);
  assert.equal(
    answers.at(-1),
    '{"v":1,"ok":false,"exit":111,"error":"cannot events: 48 others wait or follow already"}\n',
  );
  assert.equal(tree.control('status').code, 0);
  assert.equal(tree.control('check').code, 0);
  assert.equal(tree.control('down', 'app', '--wait', 'down').code, 111);
  assert.equal(tree.eventsOf('stopping').length, 0);
  assert.deepEqual(tree.control('stop'), { code: 0, stdout: '', stderr: '' });
});

/** SUPERVISE_SOAK: how many, where the suite's own share is not enough. */
test('control requests leave nothing behind', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER }, { args: ['--log-level', 'error'] });
  await until('a supervisor', () => tree.control('check').code === 0);
  const requests = [
    '{"v":1,"do":"status","services":[]}\n',
    '{"v":1,"do":"check","services":[]}\n',
    '{"v":1,"do":"up","services":["app"],"until":"ready","timeoutMs":60000}\n',
    '{"v":1,"do":"wait","services":["app"],"until":"down","timeoutMs":1}\n',
    '{"v":1,"do":"nonsense"}\n',
    '{"v":1,"do":"down","services":["nobody"]}\n',
  ];
  const round = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await ask(tree.socket, requests[i % requests.length] ?? '');
  };
  await round(2000);
  const before = rss(tree.pid);
  const count = Number(process.env['SUPERVISE_SOAK'] ?? 4000);
  const started = performance.now();
  await round(count);
  const after = rss(tree.pid);
  t.diagnostic(
    `${count} requests in ${Math.round(performance.now() - started)} ms: ${before} kB, then ${after} kB`,
  );
  assert.ok(after - before < 16_000, `${before} kB, then ${after} kB`);
  assert.equal(tree.control('check').code, 0);
});

test('idle, with followers that are quiet, nobody wakes', async (t) => {
  const tree = startTree(t, { 'app/run': SLEEPER });
  await tree.event('started', 'app');
  const follower = new Following(t, tree, 'events', '--follow');
  await follower.has(/started/);
  const waiter = new Following(t, tree, 'wait', 'app', '--for', 'down');
  await until('a waiter', () => tree.control('check').code === 0);
  const wakeups = (): number => {
    const status = readFileSync(`/proc/${tree.pid}/status`, 'utf8');
    return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
  };
  // What the requests before have left to do is done when a whole second passes without any.
  let last = wakeups();
  await until('a quiet second', async () => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const now = wakeups();
    const isQuiet = now === last;
    last = now;
    return isQuiet;
  });
  tree.control('down', 'app');
  assert.equal(await waiter.code, 0);
});

function rss(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

function ask(path: string, request: string): Promise<string> {
  const socket = connect(path);
  socket.write(request);
  return rest(socket);
}

function rest(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', (piece) => (text += String(piece)));
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}
