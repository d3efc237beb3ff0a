import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type End, heed, NO_HABITS } from '../../src/core/advice.ts';
import type { Death } from '../../src/core/lifecycle.ts';
import { bareConfig, type ServiceConfig } from '../../src/core/servicedir.ts';

const CONFIG: ServiceConfig = bareConfig('web', ['./run']);
const ENDED: Death = { kind: 'ended', code: 0, signal: 0, ranMs: 20, reason: undefined, pgid: 7 };
const LATE: Death = { ...ENDED, kind: 'crash', code: 256, signal: 15, ranMs: 500, reason: 'timeout-up' };
const STOPPED: Death = { ...ENDED, kind: 'stopped', code: 256, signal: 15, ranMs: 5000 };

/** What is said of these ends, one after the other. */
function said(ends: readonly (Death | End)[], config: Partial<ServiceConfig> = {}): (string | undefined)[] {
  let habits = NO_HABITS;
  return ends.map((end) => {
    const step = heed(habits, 'left' in end ? end : { death: end, left: false }, { ...CONFIG, ...config });
    habits = step.habits;
    return step.advice?.event;
  });
}

function hintOf(end: End, times: number, config: Partial<ServiceConfig> = {}): string | undefined {
  const before = { ...NO_HABITS, atOnce: times, late: times };
  return heed(before, end, { ...CONFIG, ...config }).advice?.fields.hint;
}

test('clean ends at once: said at the third in a row, once', () => {
  const [none, event] = [undefined, 'ended at once again and again'];
  assert.deepEqual(said([ENDED, ENDED, ENDED, ENDED]), [none, none, event, none]);
  const long = { ...ENDED, ranMs: 1000 };
  const crash: Death = { ...ENDED, kind: 'crash', code: 1 };
  for (const other of [long, crash]) assert.ok(!said([ENDED, ENDED, other, ENDED, ENDED]).includes(event));
  assert.ok(!said([ENDED, ENDED, ENDED], { type: 'oneshot' }).includes(event));
  assert.ok(!said([ENDED, ENDED, ENDED], { restart: 'on-failure' }).includes(event));
  assert.match(hintOf({ death: ENDED, left: true }, 2) ?? '', /foreground: what it leaves .* is killed/);
  assert.match(hintOf({ death: ENDED, left: false }, 2) ?? '', /foreground; .* oneshot/);
});

test('never ready in time: said at the third in a row, once, with how it is to say so', () => {
  const [none, event] = [undefined, 'was never ready in time'];
  assert.deepEqual(said([LATE, LATE, LATE, LATE]), [none, none, event, none]);
  assert.deepEqual(said([LATE, LATE, STOPPED, LATE]), [none, none, none, event]);
  const crash: Death = { ...ENDED, kind: 'crash', code: 1 };
  assert.ok(!said([LATE, LATE, crash, LATE]).includes(event));
  const end = { death: LATE, left: false };
  assert.match(hintOf(end, 2, { notificationFd: 3 }) ?? '', /newline to descriptor 3/);
  assert.match(hintOf(end, 2, { hasCheck: true }) ?? '', /what check says/);
  assert.match(hintOf(end, 2, { type: 'oneshot' }) ?? '', /how long a oneshot may run/);
});

test('what is told leaves the count, and another end begins it anew', () => {
  const { habits, advice } = heed({ atOnce: 1, late: 2, told: [] }, { death: LATE, left: false }, CONFIG);
  assert.equal(advice?.event, 'was never ready in time');
  assert.deepEqual(habits, { atOnce: 0, late: 3, told: ['was never ready in time'] });
  assert.ok(!said([ENDED, LATE, LATE]).includes('was never ready in time'));
});

test('a stop that only the leader heard: said once, and not of one that ended by itself', () => {
  const [none, event] = [undefined, 'killed what did not get the stop signal'];
  const end = { death: STOPPED, left: true };
  assert.deepEqual(said([end, end]), [event, none]);
  assert.deepEqual(said([{ death: { ...STOPPED, code: 0, signal: 0 }, left: true }]), [none]);
  assert.deepEqual(said([{ death: { ...STOPPED, signal: 9 }, left: true }]), [none]);
  assert.deepEqual(said([STOPPED]), [none]);
  assert.deepEqual(said([{ death: { ...STOPPED, kind: 'crash' }, left: true }]), [none]);
});
