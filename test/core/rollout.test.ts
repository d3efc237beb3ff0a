import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Action } from '../../src/core/action.ts';
import { type Death, newService, type Service } from '../../src/core/lifecycle.ts';
import {
  judgementOf,
  newRollout,
  type Rollout,
  type RolloutEffect,
  type RolloutEvent,
  type Surroundings,
  stepRollout,
} from '../../src/core/rollout.ts';
import { runs } from '../nightly.ts';
import { FILES, SETTLE, SPACING, World } from './rollout-world.ts';

/** Everybody does what they can, for so long. */
function settle(world: World, ms = 20 * SETTLE): void {
  const end = world.now + ms;
  while (world.now < end) {
    world.startTemplater();
    for (let i = 0; i < 100 && !world.templater?.isIdle; i++) {
      world.templater?.work();
      world.templater?.speak();
      world.templater?.listen();
    }
    world.pass(Math.min(50, end - world.now));
  }
}

function started(value = 'one'): World {
  const world = new World(value);
  settle(world);
  assert.deepEqual(
    [world.service.is, world.rollout.phase, world.runsOn],
    ['ready', 'good', `${value}+${value}`],
  );
  world.acts = [];
  world.words = [];
  return world;
}

describe('stories', () => {
  test('a good value: one action, and good', () => {
    const world = started();
    world.value = 'two';
    settle(world);
    assert.deepEqual(
      world.acts.map(({ action }) => action),
      ['restart'],
    );
    assert.deepEqual(world.words, ['changed', 'proved good']);
    assert.equal(world.runsOn, 'two+two');
    assert.deepEqual(world.previous, { a: undefined, b: undefined });
  });

  test('a bad value is taken back, is not tried again, and the next good one rolls out', () => {
    const world = started();
    world.value = 'bad';
    settle(world);
    assert.deepEqual(world.words, ['changed', 'judged bad', 'changed', 'taken back', 'proved good']);
    assert.equal(world.acts.length, 2);
    assert.equal(world.runsOn, 'one+one');
    assert.deepEqual(world.rollout.bad, [{ generation: 'bad+bad', cause: 'it exited with 3' }]);
    world.value = 'one';
    settle(world);
    assert.equal(world.acts.length, 2, 'back to what is in place: nothing');
    world.value = 'bad';
    settle(world);
    assert.equal(world.acts.length, 2, 'the same content is not tried again');
    world.take({ type: 'forgiven' });
    settle(world);
    assert.deepEqual(world.words.slice(5), [
      'forgiven',
      'changed',
      'judged bad',
      'changed',
      'taken back',
      'proved good',
    ]);
    assert.equal(world.acts.length, 4, 'tried once more, and taken back once more');
    world.acts = world.acts.slice(2);
    world.value = 'three';
    settle(world);
    assert.equal(world.runsOn, 'three+three');
    assert.equal(world.rollout.phase, 'good');
  });

  test('the previous files are back within settle, from the crash at once', () => {
    const world = started();
    world.value = 'bad';
    const from = world.now;
    settle(world, 300);
    assert.deepEqual(world.disk, { a: 'one', b: 'one' });
    assert.ok((world.acts[1]?.time ?? Number.POSITIVE_INFINITY) - from < 200);
  });

  test('a service that is not ready in time is taken back; if it is no quicker on the old files, these are not to blame', () => {
    const world = started();
    world.value = 'slow';
    settle(world);
    assert.deepEqual(world.words.slice(0, 2), ['changed', 'judged bad']);
    assert.equal(world.runsOn, 'one+one');
    const slow = started();
    slow.isSlow = true;
    slow.value = 'two';
    settle(slow, 40 * SETTLE);
    assert.equal(slow.runsOn, 'two+two');
    assert.ok(slow.words.includes('cleared'));
    assert.deepEqual([slow.service.is, slow.rollout.phase, slow.rollout.bad], ['ready', 'good', []]);
  });

  test('a service that was slow before has twice that time, and no more', () => {
    const world = started('slow');
    world.value = 'slow two';
    settle(world);
    assert.deepEqual(world.words, ['changed', 'proved good']);
    world.value = 'never';
    const before = world.now;
    settle(world, 10 * SETTLE);
    assert.deepEqual(world.words.slice(2), ['changed', 'judged bad', 'changed', 'taken back', 'proved good']);
    assert.deepEqual(world.rollout.bad, [
      { generation: 'never+never', cause: 'it was not ready within 4.0s' },
    ]);
    assert.ok((world.acts.at(-1)?.time ?? 0) - before < 5 * SETTLE);
    assert.equal(world.runsOn, 'slow two+slow two');
  });

  test('a service that was in trouble before is not blamed on what comes then', () => {
    const world = started();
    world.isBroken = true;
    world.order({ type: 'restart' });
    settle(world, 3 * SETTLE);
    world.value = 'two';
    settle(world, 10 * SETTLE);
    assert.deepEqual(world.disk, { a: 'two', b: 'two' });
    assert.deepEqual(world.rollout.bad, []);
    world.isBroken = false;
    settle(world);
    assert.equal(world.rollout.phase, 'good');
  });

  test('what is blamed while everything breaks is cleared when the old files are no better', () => {
    const world = started();
    world.value = 'two';
    world.isBroken = true;
    settle(world, 20 * SETTLE);
    assert.ok(world.words.includes('cleared'));
    assert.deepEqual(world.disk, { a: 'two', b: 'two' });
    assert.ok(world.acts.length <= 6, `${world.acts.length} actions`);
    world.isBroken = false;
    settle(world);
    assert.deepEqual([world.rollout.phase, world.runsOn], ['good', 'two+two']);
  });

  test('a second generation waits until the first is judged; only the latest is put in place', () => {
    const world = started();
    world.value = 'two';
    settle(world, 300);
    for (const value of ['three', 'four', 'five']) {
      world.value = value;
      settle(world, 50);
    }
    assert.deepEqual(world.disk, { a: 'two', b: 'two' });
    settle(world);
    assert.equal(world.runsOn, 'five+five');
    assert.equal(world.acts.length, 2);
  });

  test('the mend of a bad value that comes while the bad one is judged is not blamed', () => {
    const world = started();
    world.value = 'bad';
    settle(world, 20);
    world.value = 'two';
    settle(world);
    assert.equal(world.runsOn, 'two+two');
    assert.equal(world.words.filter((word) => word === 'judged bad').length, 1);
    assert.equal(world.rollout.phase, 'good');
  });

  test('upon a reload the next may follow; what is gone back to stays what the service was last well on', () => {
    const world = started();
    world.action = 'reload';
    for (const value of ['two', 'three', 'four']) {
      const before = world.now;
      world.value = value;
      settle(world, SPACING + 60);
      assert.equal(world.runsOn, `${value}+${value}`, `${world.now - before} ms`);
    }
    assert.deepEqual([world.rollout.phase, world.rollout.good], ['settling', 'one+one']);
    world.value = 'bad';
    settle(world, SPACING + 3 * 60);
    assert.deepEqual([world.runsOn, world.disk], ['one+one', { a: 'one', b: 'one' }]);
    settle(world);
    // It was not told apart from those before it, so it was tried again.
    assert.equal(world.words.filter((word) => word === 'judged bad').length, 2);
    assert.deepEqual([world.runsOn, world.rollout.phase], ['one+one', 'good']);
    assert.deepEqual(
      world.rollout.bad.map(({ generation }) => generation),
      ['bad+bad'],
    );
  });

  test('the mend of a bad value that comes upon it by a reload is had in the end', () => {
    const world = started();
    world.action = 'reload';
    world.crashAfter = SPACING + 80;
    world.value = 'bad';
    settle(world, SPACING + 60);
    world.value = 'two';
    settle(world);
    assert.deepEqual([world.runsOn, world.rollout.phase, world.rollout.bad], ['two+two', 'good', []]);
  });

  test('values that change for ever are reloaded as fast as may be, and judged from time to time', () => {
    const world = started();
    world.action = 'reload';
    let good = 0;
    let last = world.rollout.good;
    let late = 0;
    for (let i = 0; i < 200; i++) {
      world.value = `v${i}`;
      settle(world, 2 * SPACING);
      if (world.runsOn !== `v${i}+v${i}`) late++;
      if (world.rollout.good !== last) good++;
      last = world.rollout.good;
    }
    assert.ok(good >= 2, `judged ${good} times`);
    assert.ok(late < 30, `${late} of 200 had to wait`);
  });

  test('down and up again, or a wait for others, does not save a bad value', () => {
    for (const word of ['down', 'restart'] as const)
      for (const ms of [10, 60, 300]) {
        const world = started();
        world.crashAfter = 200;
        world.value = 'bad';
        settle(world, ms);
        world.order({ type: word });
        settle(world, 100);
        world.order({ type: 'up' });
        settle(world);
        assert.deepEqual([world.runsOn, world.rollout.phase], ['one+one', 'good'], `${word} after ${ms} ms`);
      }
  });

  test('a second bad value, put in place while the service was down after the first was taken back, is taken back too', () => {
    for (const ms of [60, 300, 3 * SETTLE]) {
      const world = started();
      world.value = 'bad';
      settle(world, ms);
      world.order({ type: 'down' });
      settle(world, 100);
      world.value = 'bad two';
      settle(world, 100);
      world.order({ type: 'up' });
      settle(world);
      assert.deepEqual([world.runsOn, world.rollout.phase], ['one+one', 'good'], `after ${ms} ms`);
    }
  });

  test('what came while the service was down is judged too; a service that was in trouble before is not', () => {
    const world = started();
    world.order({ type: 'down' });
    settle(world, 100);
    world.value = 'bad';
    settle(world, 100);
    assert.deepEqual(world.disk, { a: 'bad', b: 'bad' });
    world.order({ type: 'up' });
    settle(world);
    assert.deepEqual([world.runsOn, world.rollout.phase], ['one+one', 'good']);
    const broken = started();
    broken.isBroken = true;
    broken.order({ type: 'restart' });
    settle(broken, 3 * SETTLE);
    broken.order({ type: 'down' });
    settle(broken, 100);
    broken.value = 'two';
    settle(broken, 100);
    broken.order({ type: 'up' });
    settle(broken);
    assert.deepEqual(broken.disk, { a: 'two', b: 'two' });
  });

  test('a reload that the service survives is good; one that ends it is taken back', () => {
    const world = started();
    world.action = 'reload';
    world.value = 'two';
    settle(world);
    assert.deepEqual(
      world.acts.map(({ action }) => action),
      ['reload'],
    );
    world.value = 'bad';
    settle(world);
    assert.deepEqual(
      world.acts.map(({ action }) => action),
      ['reload', 'reload', 'restart'],
    );
    assert.equal(world.runsOn, 'two+two');
  });

  test('a change that asks for nothing is not judged and holds nothing up', () => {
    const world = started();
    world.action = 'none';
    for (const value of ['two', 'three']) {
      world.value = value;
      settle(world, 100);
      assert.deepEqual(world.disk, { a: value, b: value });
    }
    assert.deepEqual(world.acts, []);
    settle(world);
    assert.equal(world.rollout.phase, 'good');
    assert.deepEqual(world.previous, { a: undefined, b: undefined });
  });

  test('while the service is down, changes come and go; it is started on the latest', () => {
    const world = started();
    world.value = 'two';
    settle(world, 50);
    world.order({ type: 'down' });
    settle(world, 100);
    world.value = 'three';
    settle(world, 100);
    assert.deepEqual(world.disk, { a: 'three', b: 'three' });
    world.order({ type: 'up' });
    settle(world);
    assert.deepEqual([world.runsOn, world.rollout.phase], ['three+three', 'good']);
  });

  test('a service that has failed on its files gets its chance with others', () => {
    const world = new World('bad', { restart: 'never' });
    settle(world, SETTLE);
    assert.equal(world.service.is, 'failed');
    for (const value of ['bad two', 'one']) {
      world.value = value;
      settle(world, 300);
      assert.equal(world.runsOn, `${value}+${value}`);
    }
    settle(world);
    assert.deepEqual([world.service.is, world.rollout.phase], ['ready', 'good']);
    world.value = 'bad';
    settle(world);
    assert.deepEqual(
      [world.service.is, world.runsOn],
      ['ready', 'one+one'],
      'it is started again, failed or not',
    );
  });

  test('a templater of the user’s that names no generations has nothing taken back, and its actions are spaced', () => {
    const world = started();
    world.killTemplater();
    for (let i = 0; i < 100; i++) {
      const digest = i % 2 === 0 ? 'bad' : 'fine';
      world.take({
        type: 'rendered',
        files: FILES.map((dest) => ({ dest, digest, onChange: 'reload' as const })),
        generation: undefined,
        canGoBack: false,
        mended: false,
      });
      world.pass(1);
    }
    world.pass(5 * SETTLE);
    assert.ok(world.acts.length >= 2 && world.acts.length <= 3, `${world.acts.length} actions`);
    assert.deepEqual(world.rollout.bad, []);
  });
});

describe('a step', () => {
  const RUNS: Service = { ...newService(0), is: 'ready', want: 'up', pid: 7, readyAt: 0 };
  const AROUND: Surroundings = {
    service: RUNS,
    wanted: true,
    endIsFault: true,
    settle: SETTLE,
    spacing: SPACING,
  };
  const SETTLING: Rollout = {
    ...newRollout(),
    phase: 'settling',
    generation: 'two',
    from: 0,
    canGoBack: true,
    holdUntil: Number.POSITIVE_INFINITY,
    trialSince: 0,
    hasBeenReady: true,
  };
  const CRASH: Death = { kind: 'crash', code: 3, signal: 0, ranMs: 9, reason: undefined, pgid: 7 };
  const rendered = (digest: string, more: object = {}): RolloutEvent => ({
    type: 'rendered',
    files: [{ dest: '/a', digest, onChange: 'reload' }],
    generation: digest,
    canGoBack: true,
    mended: false,
    ...more,
  });
  const inWords = (effects: readonly RolloutEffect[]): string[] =>
    effects.map((effect) =>
      effect.do === 'act' ? `act ${effect.actions}` : effect.do === 'say' ? `say ${effect.what}` : effect.do,
    );

  for (const [death, cause] of [
    [{}, 'it exited with 3'],
    [{ kind: 'ended', code: 0 }, 'it ended'],
    [{ code: 256, signal: 11 }, 'signal 11 ended it'],
    [{ reason: 'timeout-up' }, 'timeout-up'],
  ] as const)
    test(`a run that ends while it is judged is bad: ${cause}`, () => {
      const { next, effects } = stepRollout(
        SETTLING,
        { type: 'died', death: { ...CRASH, ...death } },
        AROUND,
        9,
      );
      assert.deepEqual(
        [next.phase, next.bad, next.holdUntil],
        ['bad', [{ generation: 'two', cause }], undefined],
      );
      assert.deepEqual(inWords(effects), ['say judged bad', 'tell']);
    });

  test('a run that was told to end, or may end by itself, is no fault', () => {
    const oneshot = { ...AROUND, endIsFault: false };
    for (const [death, around] of [
      [{ ...CRASH, kind: 'stopped' }, AROUND],
      [{ ...CRASH, kind: 'ended', code: 0 }, oneshot],
    ] as const)
      assert.equal(stepRollout(SETTLING, { type: 'died', death }, around, 9).next, SETTLING);
    assert.equal(stepRollout(SETTLING, { type: 'died', death: CRASH }, oneshot, 9).next.phase, 'bad');
  });

  test('the end of the run before is only a trouble; what could not be executed at all was the new one', () => {
    const before = { ...SETTLING, from: undefined };
    const old = stepRollout(before, { type: 'died', death: CRASH }, AROUND, 9).next;
    assert.deepEqual([old.phase, old.inTrouble, old.troubledAt], ['settling', true, 9]);
    const refused = { ...CRASH, pgid: undefined };
    assert.equal(stepRollout(before, { type: 'died', death: refused }, AROUND, 9).next.phase, 'bad');
  });

  test('a config of no name is not judged', () => {
    const unnamed = { ...SETTLING, generation: undefined };
    assert.equal(stepRollout(unnamed, { type: 'died', death: CRASH }, AROUND, 9).next.phase, 'settling');
    assert.deepEqual(judgementOf('app', unnamed, 9), {
      service: 'app',
      seen: null,
      hold: true,
      good: null,
      bad: [],
      actedMsAgo: null,
    });
    assert.equal(judgementOf('app', { ...unnamed, actedAt: 4.4 }, 9).actedMsAgo, 5);
  });

  test('a new run of what is judged holds up the next again, and says so', () => {
    const event: RolloutEvent = { type: 'changed', before: { ...RUNS, pid: 6 } };
    const free = { ...SETTLING, holdUntil: undefined };
    const { next, effects } = stepRollout(free, event, AROUND, 9);
    assert.deepEqual([next.holdUntil, inWords(effects)], [Number.POSITIVE_INFINITY, ['tell']]);
    assert.deepEqual(stepRollout(SETTLING, event, AROUND, 9).effects, []);
  });

  test('what is still to be done to a service that is meant to be down is not done', () => {
    const owing: Rollout = { ...newRollout(), phase: 'good', owed: ['reload'], actedAt: 0 };
    const { next, effects } = stepRollout(owing, { type: 'timeout' }, { ...AROUND, wanted: false }, SPACING);
    assert.deepEqual([next.phase, next.owed, inWords(effects)], ['good', [], ['tell']]);
    assert.deepEqual(inWords(stepRollout(owing, { type: 'timeout' }, AROUND, SPACING).effects), [
      'act reload',
    ]);
    assert.equal(stepRollout(owing, { type: 'timeout' }, AROUND, SPACING - 1).deadline, SPACING);
  });

  test('a oneshot that is done is well once it has been so for settle', () => {
    const service: Service = { ...RUNS, is: 'done', pid: undefined, readyAt: undefined };
    const around = { ...AROUND, service };
    assert.equal(stepRollout(SETTLING, { type: 'timeout' }, around, SETTLE - 1).deadline, SETTLE);
    const { next, deadline } = stepRollout(SETTLING, { type: 'timeout' }, around, SETTLE);
    assert.deepEqual([next.phase, next.good, deadline], ['good', 'two', undefined]);
  });

  test('the same content by another name is the same config', () => {
    const files = new Map([['/a', 'x']]);
    const good: Rollout = { ...newRollout(), phase: 'good', generation: 'one', good: 'one', files };
    const { next } = stepRollout(good, rendered('x', { generation: 'other' }), AROUND, 5);
    assert.deepEqual([next.phase, next.generation, next.good], ['good', 'other', 'other']);
    const older = stepRollout(
      { ...good, good: 'zero' },
      rendered('x', { generation: 'other' }),
      AROUND,
      5,
    ).next;
    assert.deepEqual([older.generation, older.good], ['other', 'zero']);
    const mended = stepRollout(good, rendered('x', { generation: 'one', mended: true }), AROUND, 5);
    assert.deepEqual(
      inWords(mended.effects),
      ['tell', 'say changed', 'act reload'],
      'it may have read the half of it',
    );
  });

  test('nothing is known of a service that was given no config yet', () => {
    assert.deepEqual(newRollout(), {
      phase: 'unproven',
      generation: undefined,
      files: new Map(),
      from: undefined,
      good: undefined,
      bad: [],
      owed: [],
      actedAt: undefined,
      canGoBack: false,
      holdUntil: undefined,
      trialSince: undefined,
      readyTook: 0,
      isDoubtful: false,
      hasBeenReady: false,
      inTrouble: false,
      troubledAt: undefined,
    });
  });

  test('a service that has given up is judged no more, but gets what is still owed to it', () => {
    const failed: Service = { ...RUNS, is: 'failed', pid: undefined };
    const around = { ...AROUND, service: failed };
    const event: RolloutEvent = { type: 'changed', before: RUNS };
    const { next, effects, deadline } = stepRollout(SETTLING, event, around, 5);
    assert.deepEqual(
      [next.phase, next.holdUntil, next.from, deadline],
      ['unproven', undefined, undefined, undefined],
    );
    assert.deepEqual(inWords(effects), ['tell']);
    assert.equal(stepRollout(SETTLING, { type: 'timeout' }, around, 5).next.phase, 'settling');
    const owing: Rollout = { ...SETTLING, owed: ['reload'], actedAt: 4 };
    assert.deepEqual(stepRollout(owing, event, around, 5).next.owed, ['reload']);
    const backoff = { ...AROUND, service: { ...failed, is: 'backoff' as const } };
    assert.equal(stepRollout(SETTLING, event, backoff, 5).next.phase, 'settling');
  });

  test('a report that comes again asks for nothing', () => {
    const first = stepRollout({ ...newRollout(), phase: 'good' }, rendered('x'), AROUND, 500);
    assert.deepEqual(inWords(first.effects), ['tell', 'say changed', 'act reload']);
    assert.deepEqual(inWords(stepRollout(first.next, rendered('x'), AROUND, 600).effects), ['tell']);
  });

  test('a file that is gone is forgotten, and may be new again', () => {
    const files = new Map([
      ['/a', 'x'],
      ['/b', 'x'],
    ]);
    const good: Rollout = { ...newRollout(), phase: 'good', generation: 'x', files };
    const { next } = stepRollout(good, rendered('x'), AROUND, 5);
    assert.deepEqual([[...next.files.keys()], next.canGoBack, next.phase], [['/a'], true, 'good']);
    assert.equal(stepRollout(good, rendered('x', { canGoBack: false }), AROUND, 5).next.canGoBack, false);
  });

  test('only the files that it was well on end a trouble', () => {
    const troubled: Rollout = { ...newRollout(), hasBeenReady: true, inTrouble: true, troubledAt: -5000 };
    const back = { canGoBack: false };
    assert.equal(stepRollout(troubled, rendered('x', back), AROUND, 5).next.inTrouble, true);
    const bad: Rollout = { ...troubled, phase: 'bad' };
    const taken = stepRollout(bad, rendered('x', back), AROUND, 5);
    assert.deepEqual([taken.next.inTrouble, taken.next.phase], [false, 'recovering']);
    assert.deepEqual(inWords(taken.effects), ['tell', 'say changed', 'say taken back', 'act restart']);
    const other = stepRollout(bad, rendered('x'), AROUND, 5);
    assert.deepEqual([other.next.inTrouble, other.next.phase], [true, 'settling']);
    assert.deepEqual(inWords(other.effects), ['tell', 'say changed', 'act restart']);
  });

  test('while the new content waits for its action, the old run may end', () => {
    const acted: Rollout = { ...SETTLING, actedAt: 0 };
    const waiting = stepRollout(acted, rendered('three'), AROUND, 5).next;
    assert.deepEqual([waiting.phase, waiting.from, waiting.owed], ['settling', undefined, ['reload']]);
    const { next } = stepRollout(waiting, { type: 'died', death: CRASH }, AROUND, 6);
    assert.deepEqual([next.phase, next.inTrouble, next.bad], ['settling', true, []]);
  });

  test('what nobody can be blamed for holds up nothing', () => {
    const phases = (event: object, around: object): unknown[] => {
      const { next } = stepRollout(SETTLING, rendered('three', event), { ...AROUND, ...around }, 5000);
      return [next.phase, next.holdUntil];
    };
    assert.deepEqual(phases({}, { settle: 1 }), ['settling', Number.POSITIVE_INFINITY]);
    assert.deepEqual(phases({ canGoBack: false }, {}), ['unproven', undefined]);
    assert.deepEqual(phases({ generation: undefined }, {}), ['unproven', undefined]);
    assert.deepEqual(phases({}, { settle: 0 }), ['good', undefined], 'at once');
    const service: Service = { ...RUNS, is: 'up', readyAt: undefined };
    assert.deepEqual(phases({}, { settle: 0, service }), ['unproven', undefined]);
  });

  test('nothing is done to a service that is meant to be down', () => {
    const down = { ...AROUND, wanted: false, service: { ...RUNS, is: 'down' as const, pid: undefined } };
    const good: Rollout = { ...newRollout(), phase: 'good', hasBeenReady: true };
    const { next, effects, deadline } = stepRollout(good, rendered('x'), down, 5);
    assert.deepEqual([next.phase, next.generation, next.owed, deadline], ['unproven', 'x', [], undefined]);
    assert.deepEqual(inWords(effects), ['tell']);
  });

  test('a change that asks for nothing leaves what is still to be done', () => {
    const owing: Rollout = { ...newRollout(), phase: 'good', owed: ['reload'], actedAt: 0 };
    const files = [{ dest: '/b', digest: 'x', onChange: 'none' as const }];
    const { next } = stepRollout(owing, rendered('x', { files }), AROUND, 5);
    assert.deepEqual([next.phase, next.from, next.owed], ['unproven', 5, ['reload']]);
  });

  test('one trial upon the other goes on, and what a run that was never stopped has read before stays doubtful', () => {
    const troubled: Rollout = { ...SETTLING, inTrouble: true, troubledAt: undefined };
    assert.equal(stepRollout(troubled, rendered('three'), AROUND, 5000).next.phase, 'settling');
    const doubt = (rollout: Rollout, onChange: Action): boolean =>
      stepRollout(rollout, rendered('three', { files: [{ dest: '/a', digest: 'y', onChange }] }), AROUND, 5)
        .next.isDoubtful;
    assert.deepEqual([doubt(SETTLING, 'reload'), doubt(SETTLING, 'restart')], [true, false]);
    const good: Rollout = { ...SETTLING, phase: 'good', holdUntil: undefined };
    assert.equal(doubt(good, 'reload'), false);
  });

  test('how long it took to become ready counts from its start, once', () => {
    const up: Service = { ...RUNS, is: 'up', readyAt: undefined };
    const ready: RolloutEvent = { type: 'changed', before: up };
    const around = { ...AROUND, service: { ...RUNS, startedAt: 100 } };
    assert.equal(stepRollout(SETTLING, ready, around, 350).next.readyTook, 250);
    const again: RolloutEvent = { type: 'changed', before: around.service };
    assert.equal(stepRollout({ ...SETTLING, readyTook: 7 }, again, around, 350).next.readyTook, 7);
    assert.equal(stepRollout(newRollout(), ready, around, 350).next.hasBeenReady, true);
    assert.equal(stepRollout(newRollout(), ready, { ...around, service: up }, 350).next.hasBeenReady, false);
  });

  test('a start on files that took the place of good ones while it was down is judged', () => {
    const changed: Rollout = {
      ...newRollout(),
      generation: 'two',
      good: 'one',
      canGoBack: true,
      hasBeenReady: true,
      isDoubtful: true,
      owed: ['reload'],
      actedAt: 0,
    };
    const starts = (more: Partial<Rollout>, around: Partial<Surroundings> = {}): [Rollout, string[]] => {
      const event: RolloutEvent = { type: 'changed', before: { ...RUNS, is: 'starting', pid: undefined } };
      const up = { ...RUNS, is: 'up' as const, readyAt: undefined, startedAt: 3 };
      const { next, effects } = stepRollout(
        { ...changed, ...more },
        event,
        { ...AROUND, service: up, ...around },
        3,
      );
      return [next, inWords(effects)];
    };
    const [next, said] = starts({});
    assert.deepEqual(
      [next.phase, next.from, next.owed, next.isDoubtful, next.trialSince, next.holdUntil, said],
      ['settling', 3, [], false, 3, Number.POSITIVE_INFINITY, ['tell']],
    );
    for (const [more, around] of [
      [{ canGoBack: false }, {}],
      [{ generation: undefined }, {}],
      [{ good: 'two' }, {}],
      [{ hasBeenReady: false }, {}],
      [{ inTrouble: true }, {}],
      [{}, { settle: 0 }],
    ] as const) {
      const [other, words] = starts(more, around);
      assert.deepEqual(
        [other.phase, other.from, other.owed, words],
        ['unproven', 3, [], []],
        JSON.stringify([more, around]),
      );
    }
    assert.equal(starts({}, { settle: 1 })[0].phase, 'settling');
    for (const phase of ['good', 'bad'] as const) assert.equal(starts({ phase })[0].phase, phase);
  });

  test('only who is told to forgives, and only what there is, unless it is being taken back', () => {
    const bad = [{ generation: 'g', cause: 'c' }];
    const marked: Rollout = { ...newRollout(), phase: 'good', bad };
    assert.deepEqual(stepRollout(marked, { type: 'timeout' }, AROUND, 5).next.bad, bad);
    const { next, effects } = stepRollout(marked, { type: 'forgiven' }, AROUND, 5);
    assert.deepEqual([next.bad, inWords(effects)], [[], ['say forgiven', 'tell']]);
    assert.deepEqual(stepRollout(next, { type: 'forgiven' }, AROUND, 5).effects, []);
    for (const phase of ['bad', 'recovering'] as const)
      assert.deepEqual(
        stepRollout({ ...marked, phase }, { type: 'forgiven' }, AROUND, 5).next.bad,
        bad,
        phase,
      );
  });

  test('what proves good is said where it was on trial, and nothing of the trial is left', () => {
    const doubtful: Rollout = {
      ...SETTLING,
      isDoubtful: true,
      inTrouble: true,
      bad: [{ generation: 'two', cause: 'c' }],
    };
    const { next, effects } = stepRollout(doubtful, { type: 'timeout' }, AROUND, SETTLE);
    assert.deepEqual(inWords(effects), ['say proved good', 'tell']);
    assert.deepEqual(next, {
      ...SETTLING,
      phase: 'good',
      good: 'two',
      canGoBack: false,
      holdUntil: undefined,
      trialSince: undefined,
    });
    const unproven: Rollout = { ...SETTLING, phase: 'unproven', holdUntil: undefined };
    const quiet = stepRollout(unproven, { type: 'timeout' }, AROUND, SETTLE);
    assert.deepEqual([quiet.next.phase, inWords(quiet.effects)], ['good', ['tell']]);
  });

  test('it counts from when the service was ready', () => {
    const around = { ...AROUND, service: { ...RUNS, readyAt: 300 } };
    assert.equal(stepRollout(SETTLING, { type: 'timeout' }, around, 1).deadline, 300 + SETTLE);
  });

  test('nothing is judged while something is still to be done', () => {
    const owing: Rollout = { ...SETTLING, owed: ['reload'], actedAt: SETTLE - 10 };
    const { next, deadline } = stepRollout(owing, { type: 'timeout' }, AROUND, SETTLE + 5);
    assert.deepEqual([next.phase, deadline], ['settling', SETTLE - 10 + SPACING]);
  });

  test('what is bad once more is remembered once, and nothing is still to be done to it', () => {
    const bad = ['two', 'x'].map((generation) => ({ generation, cause: 'c' }));
    const rollout: Rollout = { ...SETTLING, from: undefined, owed: ['reload'], actedAt: 5, bad };
    const refused = { ...CRASH, pgid: undefined };
    const { next } = stepRollout(rollout, { type: 'died', death: refused }, AROUND, 9);
    assert.deepEqual([next.bad.map((each) => each.generation), next.owed], [['x', 'two'], []]);
  });

  test('trouble on the files before clears what was blamed last', () => {
    const bad = ['x', 'y'].map((generation) => ({ generation, cause: 'c' }));
    const recovering: Rollout = { ...SETTLING, phase: 'recovering', canGoBack: false, bad };
    const { next, effects } = stepRollout(recovering, { type: 'died', death: CRASH }, AROUND, 9);
    assert.deepEqual([next.phase, next.bad, next.holdUntil], ['unproven', bad.slice(0, 1), undefined]);
    assert.deepEqual(effects, [{ do: 'say', what: 'cleared', bad: bad[1] }, { do: 'tell' }]);
    const nobody = stepRollout({ ...recovering, bad: [] }, { type: 'died', death: CRASH }, AROUND, 9);
    assert.deepEqual(inWords(nobody.effects), ['tell']);
  });

  test('a crash on what was good is a trouble from then on', () => {
    const good: Rollout = { ...SETTLING, phase: 'good', holdUntil: undefined };
    const { next } = stepRollout(good, { type: 'died', death: CRASH }, AROUND, 9);
    assert.deepEqual([next.phase, next.inTrouble, next.troubledAt], ['unproven', true, 9]);
    const again = stepRollout(next, { type: 'died', death: CRASH }, AROUND, 15).next;
    assert.equal(again.troubledAt, 9);
  });

  test('what is not there to take a signal is started', () => {
    const owing: Rollout = { ...newRollout(), phase: 'settling', from: 5, owed: ['reload'] };
    for (const service of [
      { ...RUNS, is: 'backoff' as const, pid: undefined },
      { ...RUNS, is: 'finishing' as const },
      { ...RUNS, is: 'ready' as const, pid: undefined },
    ]) {
      const { next, effects } = stepRollout(owing, { type: 'timeout' }, { ...AROUND, service }, 50);
      assert.deepEqual(inWords(effects), ['act restart'], service.is);
      assert.deepEqual([next.from, next.actedAt, next.owed], [undefined, 50, []]);
    }
    const running = stepRollout(owing, { type: 'timeout' }, AROUND, 50);
    assert.deepEqual([inWords(running.effects), running.next.from], [['act reload'], 50]);
  });

  test('a crash ahead of the report of its cause is blamed on it, for a second', () => {
    const crashed: Rollout = {
      ...SETTLING,
      phase: 'unproven',
      generation: 'one',
      holdUntil: undefined,
      inTrouble: true,
      troubledAt: 0,
    };
    const at = (now: number): Rollout => stepRollout(crashed, rendered('two'), AROUND, now).next;
    assert.deepEqual([at(1000).phase, at(1001).phase], ['settling', 'unproven']);
    const later = { ...crashed, troubledAt: 4000 };
    assert.equal(stepRollout(later, rendered('two'), AROUND, 4500).next.phase, 'settling');
    const never = { ...crashed, hasBeenReady: false, inTrouble: false };
    assert.equal(stepRollout(never, rendered('two'), AROUND, 5).next.phase, 'unproven');
    const wellAgain = { ...crashed, inTrouble: false, troubledAt: undefined };
    assert.equal(stepRollout(wellAgain, rendered('two'), AROUND, 5000).next.phase, 'settling');
    const long = { ...crashed, troubledAt: undefined };
    assert.equal(stepRollout(long, rendered('two'), AROUND, 5).next.phase, 'unproven');
  });

  test('what is blamed and what may follow is put off for twelve times settle, no longer', () => {
    const owing: Rollout = { ...SETTLING, from: undefined, owed: ['reload'] };
    const at = (now: number): number | undefined =>
      stepRollout(owing, { type: 'timeout' }, AROUND, now).next.holdUntil;
    assert.equal(at(12 * SETTLE - 1), 12 * SETTLE - 1 + SPACING);
    assert.equal(at(12 * SETTLE), Number.POSITIVE_INFINITY);
    const begun = stepRollout(
      { ...owing, trialSince: undefined },
      { type: 'timeout' },
      AROUND,
      50 * SETTLE,
    ).next;
    assert.equal(begun.holdUntil, 50 * SETTLE + SPACING, 'a trial that begins now');
  });

  test('a service has settle to become ready, or twice what it took before', () => {
    const around = { ...AROUND, service: { ...RUNS, is: 'up' as const, readyAt: undefined } };
    const due = (readyTook: number): number | undefined =>
      stepRollout({ ...SETTLING, readyTook }, { type: 'timeout' }, around, 1).deadline;
    assert.deepEqual([due(0), due(SETTLE / 2), due(SETTLE)], [SETTLE, SETTLE, 2 * SETTLE]);
    const late = stepRollout(
      { ...SETTLING, readyTook: SETTLE },
      { type: 'timeout' },
      around,
      2 * SETTLE,
    ).next;
    assert.deepEqual(late.bad, [{ generation: 'two', cause: 'it was not ready within 2.0s' }]);
  });

  test('of many that are bad the latest are remembered', () => {
    let rollout = SETTLING;
    for (let i = 0; i < 20; i++) {
      const generation = `g${i}`;
      rollout = stepRollout(
        { ...SETTLING, generation, bad: rollout.bad },
        { type: 'died', death: CRASH },
        AROUND,
        9,
      ).next;
    }
    assert.deepEqual(
      rollout.bad.map((each) => each.generation),
      Array.from({ length: 16 }, (_, i) => `g${i + 4}`),
    );
  });
});

type Deed = (world: World) => void;
const VALUES = ['one', 'two', 'three', 'bad one', 'bad two', 'slow'];

/** Any step of anybody, in any order. */
function deeds(broken: boolean): fc.Arbitrary<[string, Deed]> {
  const put = fc
    .constantFrom(...VALUES)
    .map((value): [string, Deed] => [`put ${value}`, (world) => (world.value = value)]);
  const pass = fc
    .integer({ min: 1, max: 2 * SETTLE })
    .map((ms): [string, Deed] => [`pass ${ms}`, (world) => world.pass(ms)]);
  const templater = fc.integer({ min: 1, max: 12 }).map((n): [string, Deed] => [
    `work ${n}`,
    (world) => {
      world.startTemplater();
      for (let i = 0; i < n; i++) world.templater?.work();
    },
  ]);
  const one = (name: string, deed: Deed): fc.Arbitrary<[string, Deed]> => fc.constant([name, deed]);
  const all = (name: string, ms: number): fc.Arbitrary<[string, Deed]> =>
    fc.constant([name, (world: World) => settle(world, ms)]);
  return fc.oneof(
    { weight: 4, arbitrary: put },
    { weight: 3, arbitrary: pass },
    { weight: 8, arbitrary: templater },
    { weight: 4, arbitrary: one('speak', (world) => world.templater?.speak()) },
    { weight: 4, arbitrary: one('listen', (world) => world.templater?.listen()) },
    { weight: 3, arbitrary: all('go on', 200) },
    { weight: 1, arbitrary: all('go on long', 3 * SETTLE) },
    { weight: 2, arbitrary: one('kill templater', (world) => world.killTemplater()) },
    { weight: 1, arbitrary: one('down', (world) => world.order({ type: 'down' })) },
    { weight: 1, arbitrary: one('up', (world) => world.order({ type: 'up' })) },
    { weight: 1, arbitrary: one('restart', (world) => world.order({ type: 'restart' })) },
    { weight: 1, arbitrary: one('reload from now on', (world) => (world.action = 'reload')) },
    { weight: 1, arbitrary: one('restart from now on', (world) => (world.action = 'restart')) },
    ...(broken
      ? [
          { weight: 1, arbitrary: one('break', (world) => (world.isBroken = true)) },
          { weight: 2, arbitrary: one('mend', (world) => (world.isBroken = false)) },
        ]
      : []),
  );
}

/** A config that the service was well on can be had at any moment: each of its files is in place, or kept. */
function assertRecoverable(world: World): void {
  if (world.proved.size === 0) return;
  const has = FILES.map((file) => [world.disk[file], world.previous[file]?.content]);
  const isThere = [...world.proved].some((name) => {
    const good = world.known.get(name);
    return FILES.every((file, i) => has[i]?.includes(good?.[file]));
  });
  assert.ok(isThere, `there is only ${JSON.stringify(has)}`);
}

function assertSpaced(world: World): void {
  for (const [i, act] of world.acts.entries()) {
    const before = world.acts[i - 1];
    if (before && act.phase !== 'recovering')
      assert.ok(act.time - before.time >= SPACING, `${JSON.stringify(world.acts)}`);
  }
}

function play(list: [string, Deed][]): World {
  const world = new World('one');
  settle(world, 100);
  // It is ready on that, and anything else that comes is on trial.
  world.proved.add('one+one');
  for (const [, deed] of list) {
    deed(world);
    assertRecoverable(world);
  }
  assertSpaced(world);
  world.isBroken = false;
  if (world.service.want === 'down') world.order({ type: 'up' });
  settle(world, 30 * SETTLE);
  assertRecoverable(world);
  assert.ok(!['settling', 'recovering'].includes(world.rollout.phase), 'it is judged for ever');
  assert.deepEqual(world.rollout.owed, [], 'an action never came');
  return world;
}

describe('in any order of events', () => {
  test('no good config is ever lost, and in the end the service is well: on the latest values if it can live with them', () => {
    let judged = 0;
    fc.assert(
      fc.property(fc.array(deeds(false), { maxLength: 60 }), (list) => {
        const world = play(list);
        if (world.words.includes('judged bad')) judged++;
        assert.equal(world.disk.a, world.disk.b, 'half of a generation');
        if (/^(bad|slow)/.test(world.value)) return;
        assert.deepEqual([world.service.is, world.rollout.phase], ['ready', 'good']);
        if (!world.wasKilledTwice) assert.equal(world.runsOn, `${world.value}+${world.value}`);
      }),
      { numRuns: runs(1500, 30) },
    );
    assert.ok(judged > 100, `only ${judged} had something taken back`);
  });

  test('not even when everything breaks now and then', () => {
    fc.assert(
      fc.property(fc.array(deeds(true), { maxLength: 60 }), (list) => {
        const world = play(list);
        assert.equal(world.disk.a, world.disk.b, 'half of a generation');
        if (/^(bad|slow)/.test(world.value)) return;
        assert.equal(world.service.is, 'ready');
        assert.equal(world.rollout.phase, 'good');
      }),
      { numRuns: runs(1000, 30) },
    );
  });
});
