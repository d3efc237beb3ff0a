import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bench, pause } from './context.ts';
import { type Quantity, Results, share } from './results.ts';
import { interleave, type Turn } from './rounds.ts';
import type { Stage } from './stage.ts';

const WHAT: Quantity = { measure: 'm', what: 'w', unit: 'ms' };

function bench(shareMs = 1e9): Bench {
  return {
    stage: undefined as unknown as Stage,
    results: new Results([]),
    peers: [],
    floor: false,
    quick: false,
    rounds: (usual) => usual,
    shareMs,
    progress() {},
  };
}

test('peers take turns, each round begins with another, the first is to warm up', async () => {
  const b = bench();
  const order: string[] = [];
  const turn = (peer: string): Turn => ({
    peer,
    async begin() {
      order.push(peer);
      return [[WHAT, order.length]];
    },
  });
  await interleave(b, { what: 'case', rounds: 2, turns: [turn('a'), turn('b'), turn('c')] });
  assert.equal(order.join(''), 'abcbcacab');
  assert.deepEqual(b.results.of(WHAT, 'a')?.samples, [6, 8]);
  assert.deepEqual(b.results.unrun, []);
});

test('who settles together has begun before anybody finishes; who does not is finished first', async () => {
  for (const [together, expected] of [
    [true, 'abABbaBA'],
    [false, 'aAbBbBaA'],
  ] as const) {
    let order = '';
    const turn = (peer: string): Turn => ({
      peer,
      async begin() {
        order += peer;
        return [];
      },
      async finish() {
        order += peer.toUpperCase();
        return [];
      },
    });
    await interleave(bench(), { what: 'case', rounds: 1, turns: [turn('a'), turn('b')], together });
    assert.equal(order, expected);
  }
});

test('who fails is said and asked no more; the others go on', async () => {
  const b = bench();
  let asked = 0;
  const bad: Turn = {
    peer: 'bad',
    async begin() {
      asked++;
      if (asked === 2) throw new Error('it is broken');
      return [[WHAT, 1]];
    },
  };
  await interleave(b, {
    what: 'case',
    rounds: 4,
    turns: [bad, { peer: 'good', begin: async () => [[WHAT, 1]] }],
  });
  assert.equal(asked, 2);
  assert.equal(b.results.of(WHAT, 'good')?.samples.length, 4);
  assert.deepEqual(b.results.unrun, ['case: bad: given up in round 1 of 4: it is broken']);
});

test('who is too slow leaves with what there is of it, be it the round to warm up', async () => {
  const b = bench(30);
  const slow = (peer: string, ms: number): Turn => ({
    peer,
    async begin() {
      await pause(ms);
      return [[WHAT, ms]];
    },
  });
  await interleave(b, { what: 'case', rounds: 9, turns: [slow('slow', 12), slow('slowest', 50)] });
  assert.deepEqual(b.results.of(WHAT, 'slowest')?.samples, [50]);
  const n = b.results.of(WHAT, 'slow')?.samples.length ?? 0;
  assert.ok(n >= 1 && n <= 2, `${n} samples of 12 ms out of 30`);
  assert.match(
    b.results.unrun.join('\n'),
    /^case: slowest: the round to warm up is all there is, each takes 0\.\d s$/m,
  );
});

test('a share of the samples', () => {
  assert.equal(share([3, 1, 2], 0.5), 2);
  assert.equal(share([4, 1, 2, 3], 0.5), 2.5);
  assert.equal(share([7], 0.95), 7);
  assert.equal(
    Math.round(
      share(
        Array.from({ length: 101 }, (_, i) => i),
        0.95,
      ),
    ),
    95,
  );
});
