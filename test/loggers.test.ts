/** `log/run`: a logger reads its service's stdout through a pipe that survives restarts of both. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { processes, SLEEPER, startTree, until, writeFiles } from './tree.ts';

/** `SUPERVISE_SOAK=1` runs the long test in full. */
const SOAK = process.env['SUPERVISE_SOAK'] === '1';
const LINES = SOAK ? 1_000_000 : 60_000;
const KILLS = SOAK ? 20 : 5;

const TO_FILE = '#!/bin/sh\nexec cat >>"$OUT/log"\n';
const AT_ONCE = '10ms 10ms';

test('every line is read, in order, by one logger or the next, while both are killed', async (t) => {
  const tree = startTree(t, {
    // One write per line, so that what is written is whole lines; the pid tells the runs apart.
    'web/run': '#!/bin/sh\ni=0\nwhile :; do printf "$$ %07d\\n" $i; i=$((i + 1)); done\n',
    'web/restart-delay': AT_ONCE,
    'web/log/run': TO_FILE,
    'web/log/restart-delay': AT_ONCE,
  });
  const log = join(tree.directory, 'log');
  const written = new Map<number, number>();
  /** Stops the service and notes what it wrote until now. */
  const hold = async (): Promise<number> => {
    const pid = tree.servicePid('web');
    process.kill(pid, 'SIGSTOP');
    await until('the service to hold', () => stateOf(pid) === 'T');
    const bytes = Number(/^wchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
    // Less than a line is what the child wrote ahead of its execution.
    written.set(pid, Math.floor(bytes / `${pid} 0000000\n`.length));
    return pid;
  };

  for (let kill = 1; kill <= KILLS; kill++) {
    const enough = ((LINES * kill) / (KILLS + 1)) * '12345 0000000\n'.length;
    await until('lines', () => sizeOf(log) > enough);
    process.kill(await hold(), 'SIGKILL');
    await tree.event('died', 'web', kill);
    await tree.event('started', 'web', kill + 1);

    // What a logger has read and not yet written dies with it. So: it waits for input, is held there, its pipe fills up.
    const service = await hold();
    const logger = tree.servicePid('web/log');
    await until('the logger to have written all', () => isReading(logger));
    process.kill(logger, 'SIGSTOP');
    await until('the logger to hold', () => stateOf(logger) === 'T');
    process.kill(service, 'SIGCONT');
    await until('the pipe to be full', () => isWriting(service));
    process.kill(logger, 'SIGKILL');
    await tree.event('died', 'web/log', kill);
  }
  await until('all lines', () => sizeOf(log) > LINES * '12345 0000000\n'.length);
  const last = await hold();
  tree.signal('SIGTERM');
  await until('the stop', () => tree.eventsOf('stopping', 'web').length > 0);
  assert.deepEqual(await tree.ended, { code: 0, signal: null });

  const text = readFileSync(log, 'latin1');
  assert.ok(text.endsWith('\n'));
  const lines = text.slice(0, -1).split('\n');
  t.diagnostic(`${lines.length} lines, ${KILLS} kills of the service, ${KILLS} of its logger`);
  assert.ok(lines.length >= LINES);
  let at = 0;
  for (const [pid, count] of written) {
    for (let i = 0; i < count; i++, at++)
      if (lines[at] !== `${pid} ${String(i).padStart(7, '0')}`)
        assert.fail(`line ${at} is ${lines[at]}, expected ${i} of ${pid}`);
  }
  assert.equal(at, lines.length, 'and nothing else');
  assert.ok(written.has(last));
});

test('a logger is a service by the name of its service, and the last to go: it reads to the end of its input', async (t) => {
  const tree = startTree(t, {
    'web/run':
      '#!/bin/sh\ntrap "echo last words; exit 0" TERM\necho to the log\necho to us >&2\nwhile :; do sleep 0.05; done\n',
    'web/finish': '#!/bin/sh\necho finish says $1\n',
    'web/log/run': '#!/bin/sh\necho logger says $1\nexec cat >>"$OUT/log"\n',
    'web/log/finish': '#!/bin/sh\necho $1 $2 $3 >"$OUT/finished"\n',
  });
  await tree.event('started', 'web');
  await until('the line', () => tree.file('log'));
  const names = JSON.parse(tree.control('status', '--json').stdout).services.map(
    ({ name }: { name: string }) => name,
  );
  assert.deepEqual(names, ['web/log', 'web']);
  assert.equal(tree.control('check').code, 0);

  tree.signal('SIGTERM');
  assert.deepEqual(await tree.ended, { code: 0, signal: null });
  assert.deepEqual(tree.lines('log'), ['to the log', 'last words', 'finish says 0']);
  assert.equal(tree.file('finished'), '0 0 web/log\n');
  assert.equal(tree.stdout, 'logger says web/log\n');
  assert.equal(tree.noise, 'to us\n');
  const order = tree.events.filter(({ msg }) => msg === 'stopped' || msg === 'stopping');
  assert.deepEqual(
    order.map(({ msg, service, signal }) => [msg, service, signal]),
    [
      ['stopping', 'web', 'SIGTERM'],
      ['stopped', 'web', undefined],
      ['stopping', 'web/log', undefined],
      ['stopped', 'web/log', undefined],
    ],
  );
});

test('what is in the pipe waits while nobody reads', async (t) => {
  const tree = startTree(t, {
    'web/run': '#!/bin/sh\necho one; echo two; touch "$OUT/wrote"; exec sleep 1000\n',
    'web/log/run': TO_FILE,
    'web/log/down': '',
  });
  await until('it to be written', () => existsSync(join(tree.directory, 'wrote')));
  assert.equal(tree.file('log'), '');
  assert.equal(tree.control('down', 'web').code, 0);
  await tree.event('stopped', 'web');
  assert.equal(tree.control('up', 'web/log').code, 0);
  await until('it to be read', () => tree.lines('log').length === 2);
  assert.deepEqual(tree.lines('log'), ['one', 'two']);
});

test('somebody who holds the pipe and is none of ours does not hold up the stop', async (t) => {
  const tree = startTree(t, {
    'web/run': '#!/bin/sh\nsetsid sleep 1000 &\necho $! >"$OUT/pid"\nexec sleep 1000\n',
    'web/log/run': TO_FILE,
  });
  const pid = Number(await until('its pid', () => tree.file('pid')));
  const before = performance.now();
  tree.signal('SIGTERM');
  assert.deepEqual(await tree.ended, { code: 0, signal: null });
  assert.ok(performance.now() - before < 3000);
  assert.equal(tree.eventsOf('stopped', 'web/log')[0]?.['signal'], 'SIGTERM');
  assert.ok(!processes().some((one) => one.pid === pid && one.state !== 'Z'));
});

test('a logger that cannot be used keeps its service from starting, with its own words', async (t) => {
  const tree = startTree(t, { 'web/run': SLEEPER, 'web/log/run': 'no script' });
  const run = join(tree.scandir, 'web/log/run');
  const problem = await tree.event('cannot start "web/log": ./run is not executable');
  assert.equal(problem['hint'], `chmod +x ${run}`);
  assert.equal(problem.service, 'web');
  assert.equal(tree.eventsOf(problem.msg).length, 1, 'said once');
  writeFiles(tree.scandir, { 'web/log/run': '#!/bin/sh\nexec cat\n' });
  assert.equal(tree.control('rescan').code, 0);
  await tree.event('started', 'web');
  await tree.event('started', 'web/log');
});

test('a logger comes and goes with a rescan, and takes effect at the next start of its service', async (t) => {
  const tree = startTree(t, { 'web/run': '#!/bin/sh\necho hello\nexec sleep 1000\n' });
  await until('it to speak', () => tree.stdout === 'hello\n');
  writeFiles(tree.scandir, { 'web/log/run': TO_FILE });
  assert.equal(tree.control('rescan').code, 0);
  await tree.event('started', 'web/log');
  tree.control('restart', 'web');
  await until('the log', () => tree.file('log') === 'hello\n');

  rmSync(join(tree.scandir, 'web/log'), { recursive: true });
  assert.equal(tree.control('rescan').code, 0);
  assert.equal(tree.eventsOf('stopping', 'web/log').length, 0, 'its service still writes to it');
  tree.control('restart', 'web');
  await until('it to speak to us', () => tree.stdout === 'hello\nhello\n');
  await tree.event('stopped', 'web/log');
  assert.equal(tree.file('log'), 'hello\n');
  assert.doesNotMatch(tree.control('status').stdout, /web\/log/);

  writeFiles(tree.scandir, { 'web/log/run': TO_FILE });
  tree.control('rescan');
  tree.control('restart', 'web');
  await until('the log', () => tree.file('log') === 'hello\nhello\n');
  rmSync(join(tree.scandir, 'web'), { recursive: true });
  tree.control('rescan');
  await tree.event('stopped', 'web/log', 2);
  await until('both to be gone', () => tree.control('status').stdout.trim().split('\n').length === 1);
});

test('a service in whose log/ is no run has no logger; a cycle through one is refused by name', async (t) => {
  const plain = startTree(t, { 'web/run': SLEEPER, 'web/log/old.txt': '' });
  await plain.event('started', 'web');
  assert.doesNotMatch(plain.control('status').stdout, /web\/log/);

  const files = { 'web/run': SLEEPER, 'web/log/run': SLEEPER, 'web/log/dependencies.d/web': '' };
  const cycle = startTree(t, files);
  assert.equal((await cycle.ended).code, 100);
  assert.match(cycle.noise, /cannot order services: web(\/log)? → web(\/log)? → web(\/log)?$/m);
});

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}

function stateOf(pid: number): string | undefined {
  return processes().find((one) => one.pid === pid)?.state;
}

/** The numbers of read and write, and their first argument, as /proc/PID/syscall shows them. */
const CALLS =
  process.arch === 'x64' ? { read: '0 0x0 ', write: '1 0x1 ' } : { read: '63 0x0 ', write: '64 0x1 ' };

function isReading(pid: number): boolean {
  return readFileSync(`/proc/${pid}/syscall`, 'latin1').startsWith(CALLS.read);
}

function isWriting(pid: number): boolean {
  return readFileSync(`/proc/${pid}/syscall`, 'latin1').startsWith(CALLS.write);
}
