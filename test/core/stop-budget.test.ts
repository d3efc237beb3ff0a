import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Descent } from '../../src/core/order.ts';
import { patience, reserve, stopTime } from '../../src/core/stop-budget.ts';
import { runs } from '../nightly.ts';

/** The way down through services whose stops take these times, the first on top. */
function descentOf(times: readonly number[]): Descent {
  const [own = 0, ...more] = times;
  const below = more.length > 0 ? descentOf(more) : undefined;
  return { name: `s${times.length}`, own, sum: own + (below?.sum ?? 0), below };
}

describe('stopTime', () => {
  const PLAIN = { timeoutKill: 5000, timeoutFinish: 5000, hasFinish: false };
  const rows: [string, Partial<typeof PLAIN> | { timeoutKill: undefined }, number][] = [
    ['timeout-kill', {}, 5000],
    ['a finish is given its share of the plan, not its ceiling', { hasFinish: true }, 5500],
    ['a finish that may take less is given less', { hasFinish: true, timeoutFinish: 100 }, 5100],
    ['no limit counts as the whole budget', { timeoutKill: undefined }, 9000],
  ];
  for (const [name, service, time] of rows)
    test(name, () => assert.equal(stopTime({ ...PLAIN, ...service }, 9000), time));
});

describe('reserve', () => {
  test('strays, and the hook where there is one', () => {
    assert.equal(reserve(9000, false), 500);
    assert.equal(reserve(9000, true), 1500);
  });
  test('of a small budget a quarter', () => assert.equal(reserve(1000, true), 250));
  test('however small the budget, the services get most of it', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.boolean(), (budget, hook) => {
        const kept = reserve(budget, hook);
        assert.ok(kept >= 0 && kept <= budget / 4 && kept <= 1500);
      }),
    );
  });
});

describe('patience', () => {
  const rows: [string, number | undefined, number, number[], number][] = [
    ['the whole way fits: its own limit', 5000, 8500, [5000, 3000], 5000],
    ['it does not fit: the same for all', 5000, 8000, [5000, 5000], 4000],
    ['who asks for little gets it, the patient give way', 5000, 8000, [5000, 1000, 5000], 3500],
    ['and the little one is not lengthened', 1000, 8000, [1000, 5000, 5000], 1000],
    ['no limit of its own, alone: all that is left', undefined, 8500, [9000], 8500],
    ['no limit of its own, above another without: half', undefined, 8500, [9000, 9000], 4250],
    ['no limit of its own, above one with: all but the other’s', undefined, 29_500, [30_000, 5000], 24_500],
    ['at the bottom of the way: what is left', 60_000, 700, [60_000], 700],
    ['no limit of its own, and the plan fits: all that is left', undefined, 8500.5, [5000], 8500.5],
    ['the plan fits to a hair', undefined, 0.5, [0.5], 0.5],
    ['nothing is left', 5000, 0, [5000], 0],
    ['less than nothing is left', 5000, -20, [5000], 0],
    ['nobody below, as for who came late', 5000, 8500, [], 5000],
    ['nobody below, and less left than its own limit', 5000, 300, [], 300],
  ];
  for (const [name, own, left, times, ms] of rows)
    test(`${name}: ${ms}`, () => assert.equal(patience(own, left, descentOf(times)), ms));

  const TIMES = fc.array(fc.nat(20_000), { minLength: 1, maxLength: 12 });
  const LEFT = fc.oneof(fc.nat(30_000), fc.double({ min: 0, max: 30_000, noNaN: true }));

  test('is never more than what is left, nor than its own limit, nor less than nothing', () => {
    fc.assert(
      fc.property(fc.option(fc.nat(20_000), { nil: undefined }), LEFT, TIMES, (own, left, times) => {
        const ms = patience(own, left, descentOf(times));
        assert.ok(ms >= 0 && ms <= left && ms <= (own ?? left), `${ms} of ${left}`);
      }),
      { numRuns: runs(2000, 10) },
    );
  });

  test('the cap is the greatest with which all along the way fit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30_000 }), TIMES, (left, times) => {
        const sum = (cap: number): number => times.reduce((all, time) => all + Math.min(time, cap), 0);
        fc.pre(sum(Number.POSITIVE_INFINITY) > left);
        const cap = patience(undefined, left, descentOf(times));
        assert.ok(sum(cap) <= left, `${cap}: ${sum(cap)} of ${left}`);
        assert.ok(sum(cap + 1) > left, `${cap} is less than need be`);
      }),
      { numRuns: runs(2000, 10) },
    );
  });

  /** Nobody obeys: each takes all its patience, and its finish script too, and only then is the next one told. */
  const STUBBORN = fc.array(
    fc.record({
      timeoutKill: fc.option(fc.integer({ min: 1, max: 20_000 }), { nil: undefined }),
      timeoutFinish: fc.option(fc.integer({ min: 1, max: 20_000 }), { nil: undefined }),
      hasFinish: fc.boolean(),
    }),
    { minLength: 1, maxLength: 10 },
  );

  test('a chain of the stubborn fits into the budget, whatever they ask for', () => {
    fc.assert(
      fc.property(
        STUBBORN,
        fc.double({ min: 1, max: 20_000, noNaN: true }),
        fc.boolean(),
        (chain, budget, hook) => {
          const times = chain.map((service) => stopTime(service, budget));
          let left = budget - reserve(budget, hook);
          for (const [i, service] of chain.entries()) {
            const descent = descentOf(times.slice(i));
            left -= patience(service.timeoutKill, left, descent);
            if (service.hasFinish) left -= patience(service.timeoutFinish, left, descent);
          }
          assert.ok(left >= -1e-6, `${-left} ms too long`);
        },
      ),
      { numRuns: runs(2000, 10) },
    );
  });

  test('where the plan fits, everybody has its whole time, though all above took theirs', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5000), { minLength: 1, maxLength: 10 }), fc.nat(1000), (times, spare) => {
        let left = times.reduce((all, time) => all + time, spare);
        for (const [i, own] of times.entries()) {
          assert.equal(patience(own, left, descentOf(times.slice(i))), left <= 0 ? 0 : own);
          left -= own;
        }
        assert.equal(left, spare);
      }),
    );
  });

  test('who obeys at once leaves its time to those below', () => {
    const [first, second] = [descentOf([6000, 6000]), descentOf([6000])];
    assert.equal(patience(6000, 8000, first), 4000);
    assert.equal(patience(6000, 8000 - 10, second), 6000);
  });
});
