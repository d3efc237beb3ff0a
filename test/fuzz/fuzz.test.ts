/** The fuzzer in short: the same cases every time. `npm run fuzz` looks for others. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { told } from './oracle.ts';
import { attack, type Target } from './target.ts';
import { TARGETS } from './targets/index.ts';
import { startWatchdog } from './watchdog.ts';

const SEED = 7;
const CASES = 60;
/** No more than this on a machine that does other things too. */
const SECONDS = 20;

const watchdog = startWatchdog();
after(() => watchdog.close());

for (const [name, target] of Object.entries(TARGETS))
  test(`${name}: ${target.about}`, async () => {
    const { cases } = await attack(target, { seed: SEED, seconds: SECONDS, cases: CASES }, watchdog);
    assert.ok(cases > 0);
  });

test('a target that makes a mistake is found out', async () => {
  const broken = (act: (input: number) => unknown): Target<number> => ({
    about: 'nothing',
    cases: fc.nat(1000),
    open: async () => ({ act: async (input) => String(act(input)), close: async () => {} }),
  });
  let calls = 0;
  const rows: [(input: number) => unknown, RegExp][] = [
    [
      (input) => (input > 500 ? (undefined as unknown as { x: 1 }).x : 1),
      /a mistake[\s\S]*the least case: \[501\]/,
    ],
    [(input) => (input > 500 ? ++calls : 1), /not the same twice/],
    [
      (input) => {
        if (input > 500) throw new Error('Cannot read properties of null');
      },
      /no words of ours/,
    ],
    [(input) => input > 500 && Object.assign(Object.prototype, { polluted: 1 }), /a prototype was changed/],
  ];
  try {
    for (const [act, words] of rows)
      await assert.rejects(
        attack(broken(act), { seed: SEED, seconds: SECONDS, cases: 100 }, watchdog),
        words,
      );
  } finally {
    delete (Object.prototype as { polluted?: unknown }).polluted;
  }
  assert.throws(() => told('it was hunter2'), /a secret is told/);
  assert.equal(told('expected "undefined" to be text'), 'expected "undefined" to be text');
});
