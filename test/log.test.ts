import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLog, type Format, LEVELS, type Level, type RootLog } from '../src/log.ts';

function collect(format: Format, level: Level = 'info'): { log: RootLog; lines: string[] } {
  const lines: string[] = [];
  return { log: createLog({ format, level, write: (line) => lines.push(line) }), lines };
}

/** Lines of text without their clock. */
async function textOf(say: (log: RootLog) => void, level: Level = 'debug'): Promise<string[]> {
  const { log, lines } = collect('text', level);
  say(log);
  await log.ready();
  for (const line of lines) assert.match(line, /^\d\d:\d\d:\d\d\.\d{3} supervise: .*\n$/s);
  return lines.map((line) => line.replace(/^\S+ supervise: /, '').replace(/\n$/, ''));
}

for (const format of ['text', 'json'] as const)
  test(`${format}: held until ready, in order, with the time at which it was said`, async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.parse('2026-01-02T03:04:05.678Z') });
    const { log, lines } = collect(format);
    log.info('first');
    log.child({ service: 'web' }).info('second');
    t.mock.timers.setTime(Date.parse('2026-01-02T03:04:06.000Z'));
    const ready = log.ready();
    assert.deepEqual(lines.splice(0), format === 'json' ? [] : lines);
    await ready;
    log.info('third');
    const told = lines.join('');
    assert.ok(told.indexOf('first') < told.indexOf('second') && told.indexOf('second') < told.indexOf('third'));
    assert.equal(told.split('05.678').length - 1, format === 'json' ? 2 : 0);
    assert.equal(told.split('\n').length - 1, format === 'json' ? 3 : 1);
  });
