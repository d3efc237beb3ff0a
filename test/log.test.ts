import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLog, type Format, LEVELS, type Level, type Log, type RootLog } from '../src/log.ts';

function collect(format: Format, level: Level = 'info'): { log: RootLog; lines: string[] } {
  const lines: string[] = [];
  return { log: createLog({ format, level, write: (line) => lines.push(line) }), lines };
}

/** The lines of text, without their clock. */
async function textOf(say: (log: Log) => void): Promise<string[]> {
  const { log, lines } = collect('text', 'debug');
  await log.ready();
  say(log);
  for (const line of lines) assert.match(line, /^\d\d:\d\d:\d\d\.\d{3} supervise: .*\n$/s);
  return lines.map((line) => line.replace(/^\S+ supervise: /, '').replace(/\n$/, ''));
}

/** The lines of JSON as values, without their time. */
async function jsonOf(say: (log: Log) => void): Promise<object[]> {
  const { log, lines } = collect('json', 'debug');
  await log.ready();
  say(log);
  return lines.map((line) => {
    assert.match(line, /^\{.*\}\n$/, 'one line, and whole');
    const { time, ...rest } = JSON.parse(line) as { time: string };
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    return rest;
  });
}

for (const format of ['text', 'json'] as const)
  test(`${format}: lines are held until ready, and keep their order and the time at which they were said`, async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-01-02T03:04:05.678Z') });
    const { log, lines } = collect(format);
    log.info('first');
    log.child({ service: 'web' }).warn('second');
    log.debug('below the level');
    assert.deepEqual(lines, []);
    t.mock.timers.setTime(Date.parse('2026-01-02T03:04:06.001Z'));
    await log.ready();
    assert.equal(lines.length, 2, 'each line once, when there is time');
    log.info('third');
    assert.deepEqual(
      lines.map((line) => /(first|second|third)/.exec(line)?.[0]),
      ['first', 'second', 'third'],
    );
    assert.deepEqual(
      lines.map((line) => /03:04:0\d\.\d{3}/.exec(line)?.[0]),
      ['03:04:05.678', '03:04:05.678', '03:04:06.001'],
    );
  });

for (const format of ['text', 'json'] as const)
  test(`${format}: a level lets through itself and what is graver`, async () => {
    for (const [i, level] of LEVELS.entries()) {
      const { log, lines } = collect(format, level);
      const say = (): void => {
        for (const one of LEVELS) if (one !== 'silent') log[one](`said ${one}`);
      };
      say();
      await log.ready();
      say();
      const told = lines.map((line) => /said (\w+)/.exec(line)?.[1]);
      const expected = LEVELS.slice(i).filter((one) => one !== 'silent');
      assert.deepEqual(told, [...expected, ...expected], level);
    }
  });

describe('text', () => {
  const rows: [string, (log: Log) => void, string][] = [
    ['an event', (log) => log.info('rescanned'), 'rescanned'],
    ['a level above info is named', (log) => log.warn('lost it'), 'warn: lost it'],
    ['error', (log) => log.error('gave up'), 'error: gave up'],
    ['debug', (log) => log.debug('did', { effect: 'run' }), 'debug: did effect=run'],
    [
      'fields in their order',
      (log) => log.info('died', { code: 1, signal: 'SIGTERM' }),
      'died code=1 signal=SIGTERM',
    ],
    [
      'the service in front',
      (log) => log.warn('died', { code: 1, service: 'web' }),
      'warn: web: died code=1',
    ],
    [
      'what is undefined is not there',
      (log) => log.info('died', { code: undefined, crashes: 0 }),
      'died crashes=0',
    ],
    [
      'times as people read them',
      (log) => log.info('died', { ranMs: 3021, delayMs: 250 }),
      'died ran=3.0s delay=250ms',
    ],
    ['a word that only looks like a time', (log) => log.info('x', { someMs: 'soon' }), 'x someMs=soon'],
    ['several words are quoted', (log) => log.info('x', { reason: 'a "b" c' }), 'x reason="a \\"b\\" c"'],
    ['nothing is quoted too', (log) => log.info('x', { cause: '' }), 'x cause=""'],
    [
      'a control character cannot reach the terminal',
      (log) => log.info('x', { line: '\x1b[2J\n' }),
      'x line="\\u001b[2J\\n"',
    ],
    [
      'values that are no words',
      (log) => log.info('x', { pids: [1, 2], ok: true, no: null }),
      'x pids=[1,2] ok=true no=null',
    ],
    [
      'a path is one word',
      (log) => log.info('x', { dest: '/etc/app/a-b_c.json' }),
      'x dest=/etc/app/a-b_c.json',
    ],
    [
      'a hint has a line of its own',
      (log) => log.error('cannot start', { hint: 'chmod +x run', service: 'web' }),
      'error: web: cannot start\n  hint: chmod +x run',
    ],
  ];
  for (const [name, say, line] of rows) test(name, async () => assert.deepEqual(await textOf(say), [line]));
});

describe('json', () => {
  test('level, fields, msg', async () => {
    assert.deepEqual(
      await jsonOf((log) => {
        log.warn('died', { code: 1, ranMs: 3021, crashes: 2, next: 'restart', signal: undefined });
        log.error('cannot start', { hint: 'chmod +x run' });
        log.debug('x', { nothing: null, pids: [1], text: 'a "b"\n\x1b' });
      }),
      [
        { level: 'warn', msg: 'died', code: 1, ranMs: 3021, crashes: 2, next: 'restart' },
        { level: 'error', msg: 'cannot start', hint: 'chmod +x run' },
        { level: 'debug', msg: 'x', nothing: null, pids: [1], text: 'a "b"\n\x1b' },
      ],
    );
  });

  test('neither our pid nor our host', async () => {
    const [line] = await jsonOf((log) => log.info('x'));
    assert.deepEqual(Object.keys(line ?? {}).sort(), ['level', 'msg']);
  });
});

test("a child's fields are on each of its lines, under its own, and not on its parent's", async () => {
  const say = (log: Log): void => {
    const web = log.child({ service: 'web' });
    const hook = web.child({ hook: 'crash' });
    hook.info('a', { code: 1 });
    web.info('b', { service: 'other' });
    log.info('c');
  };
  assert.deepEqual(await jsonOf(say), [
    { level: 'info', msg: 'a', service: 'web', hook: 'crash', code: 1 },
    { level: 'info', msg: 'b', service: 'other' },
    { level: 'info', msg: 'c' },
  ]);
  assert.deepEqual(await textOf(say), ['web: a hook=crash code=1', 'other: b', 'c']);
});

test('a child made before ready is the same log after it', async () => {
  const { log, lines } = collect('text');
  const child = log.child({ service: 'web' });
  child.info('before');
  await log.ready();
  child.info('after');
  assert.deepEqual(
    lines.map((line) => line.replace(/^\S+ /, '')),
    ['supervise: web: before\n', 'supervise: web: after\n'],
  );
});

test('ready a second time repeats nothing', async () => {
  const { log, lines } = collect('text');
  log.info('once');
  await log.ready();
  await log.ready();
  log.info('and once');
  assert.equal(lines.length, 2);
});
