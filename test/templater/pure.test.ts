/** The small rules: debounce, pace, memory, board. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Report } from '../../src/core/link.ts';
import { createBoard } from '../../src/templater/board.ts';
import { type Memory, remember } from '../../src/templater/memory.ts';
import { createSchedule, dueAt } from '../../src/templater/schedule.ts';
import { backoff, COST, FULL, take } from '../../src/templater/source/pace.ts';
import { pair } from '../../src/templater/source/pairs.ts';
import { until } from '../tree.ts';

test('changes are due after they settle, but never later than max after the first', () => {
  const wait = fc
    .record({ min: fc.nat(1000), more: fc.nat(5000) })
    .map(({ min, more }) => ({ min, max: min + more }));
  fc.assert(
    fc.property(wait, fc.array(fc.nat(800), { minLength: 1 }), (wait, gaps) => {
      let at = 0;
      for (const gap of gaps) {
        at += gap;
        const due = dueAt(0, at, wait);
        assert.ok(due <= wait.max && due <= at + wait.min && (due === wait.max || due === at + wait.min));
      }
    }),
  );
});

test('a schedule gathers changes, and lets urgent work through without them', async () => {
  let now = 0;
  const schedule = createSchedule({ min: 5, max: 10_000 }, () => now);
  schedule.soon();
  schedule.now();
  assert.equal(await schedule.next(), false);
  const next = schedule.next();
  now = 100;
  assert.equal(await next, true);
  let woken = false;
  void schedule.next().then(() => (woken = true));
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(woken, false);
  schedule.now();
  await until('the wake-up', () => woken);
});

test('answers without news are slowed down, answers with news hardly', () => {
  const last = (cost: number, count: number): number => {
    let bucket = FULL;
    let now = 0;
    for (let i = 0; i < count; i++) {
      const next = take(bucket, cost, now);
      bucket = next.bucket;
      now += next.delay;
    }
    return now;
  };
  assert.equal(last(COST.noNews, 2), 0);
  assert.equal(last(COST.noNews, 12), 10_000);
  assert.equal(last(COST.news, 20), 0);
  assert.equal(last(COST.news, 120), 10_000);
});

test('a short outage is waited out within a second, a long one within 3 % of itself, at most 30 s', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.nat(10_000_000),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (failures, outage, random) => {
        const delay = backoff(failures, outage, () => random);
        assert.ok(delay >= 0 && delay <= 30_000);
        assert.ok(delay <= Math.max(1000, outage * 0.034));
        assert.ok(delay <= 100 * 2 ** Math.min(failures, 30));
      },
    ),
  );
});

test('an empty answer after a gap never takes the place of data; a deletion that was seen does', () => {
  const a = pair({ path: 'k', bytes: 'a' });
  const has = (memory: Memory<'key'>): [boolean, boolean, boolean] => [
    memory.now !== null,
    memory.last !== null,
    memory.lost,
  ];
  const first = remember<'key'>(undefined, { data: a, continuous: false });
  assert.deepEqual(has(first), [true, true, false]);
  const deleted = remember(first, { data: null, continuous: true });
  assert.deepEqual(has(deleted), [false, true, false]);
  const lost = remember(first, { data: null, continuous: false });
  assert.deepEqual(has(lost), [true, true, true]);
  assert.equal(remember(lost, { data: null, continuous: true }), lost, 'still gone proves nothing');
  assert.deepEqual(has(remember(lost, { data: a, continuous: true })), [true, true, false]);
  assert.deepEqual(has(remember<'key'>(undefined, { data: null, continuous: false })), [false, false, false]);
});

test('whatever is answered, data once seen are never forgotten', () => {
  const a = pair({ path: 'k', bytes: 'a' });
  fc.assert(
    fc.property(
      fc.array(fc.record({ data: fc.constantFrom(a, null), continuous: fc.boolean() })),
      (answers) => {
        let memory: Memory<'key'> | undefined;
        let seen = false;
        for (const answer of answers) {
          memory = remember(memory, answer);
          seen ||= answer.data !== null;
          assert.equal(memory.last !== null, seen);
          if (!answer.continuous && seen && memory.lost) assert.notEqual(memory.now, null);
        }
      },
    ),
  );
});

test('the board says each thing once', () => {
  const reports: Report[] = [];
  const board = createBoard((report) => reports.push(report));
  const file = { dest: '/a', digest: '1', onChange: 'restart' as const };
  // Which generation it is, and whether one can go back, is told with the files.
  const told = (): unknown[] =>
    reports.splice(0).map((report) => {
      const { generation, canGoBack, ...rest } = { generation: '', canGoBack: false, ...report };
      return rest;
    });
  const rest = { canGoBack: false, mended: false, stale: undefined, kept: [] as string[] };
  board.tell('web', { files: undefined, missing: ['key "a"'], ...rest });
  board.tell('web', { files: undefined, missing: ['key "a"'], ...rest });
  assert.deepEqual(told(), [{ type: 'waiting', service: 'web', missing: ['key "a"'] }]);
  board.tell('web', { files: [file], missing: [], ...rest });
  board.tell('web', { files: [file], missing: [], ...rest });
  assert.deepEqual(told(), [{ type: 'rendered', service: 'web', files: [file] }]);
  // A template that fails keeps its last good file; a neighbour's change is reported all the same.
  board.tell('web', { files: [file], missing: ['broken'], ...rest });
  assert.deepEqual(told(), [{ type: 'waiting', service: 'web', missing: ['broken'] }]);
  const other = { ...file, digest: '2' };
  board.tell('web', { files: [other], missing: ['broken'], ...rest });
  assert.deepEqual(told(), [
    { type: 'rendered', service: 'web', files: [other] },
    { type: 'waiting', service: 'web', missing: ['broken'] },
  ]);
  board.tell('web', { files: [other], missing: [], ...rest });
  assert.deepEqual(told(), [{ type: 'rendered', service: 'web', files: [other] }]);
  board.tell('web', { files: [other], missing: [], ...rest, kept: ['key "a"'] });
  assert.deepEqual(told(), [{ type: 'kept', service: 'web', kept: ['key "a"'] }]);
  // Also that nothing is kept: who was told otherwise must hear it.
  board.forget();
  board.tell('web', { files: [other], missing: [], ...rest });
  assert.deepEqual(told(), [
    { type: 'rendered', service: 'web', files: [other] },
    { type: 'kept', service: 'web', kept: [] },
  ]);
});
