/** Service directories under s6 and under ours; `npm run differential` does it at length. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { type Compared, compare } from './differential/compare.ts';
import { DIFFERENCES } from './differential/differences.ts';
import { FIXED } from './differential/fixed.ts';
import { TREES } from './differential/generate.ts';
import { play } from './differential/play.ts';
import { lasting, recorded } from './differential/recorded.ts';
import { dismiss, hasS6 } from './differential/supervisors.ts';
import { tempDir } from './tree.ts';

/** Seed and number of the random trees. */
const RANDOM = { seed: 7, numRuns: 8 };
/** What only facts of the machine, or rare ways of the kernel, can show. */
const NOT_RECORDED = ['env/', 'open files'];

after(dismiss);

test('ours agrees with what s6 made of the fixed trees, or the difference is a listed one', async (t) => {
  const s6 = recorded();
  const root = tempDir(t);
  const seen = new Set<string>();
  const all = Object.entries(FIXED).map(async ([name, plan], i): Promise<[string, Compared]> => {
    const theirs = s6[name];
    assert.ok(theirs, `${name}: npm run differential -- --record`);
    return [name, compare(plan, theirs, lasting(await play('ours', plan, join(root, String(i)), 2)))];
  });
  for (const [name, { meant, unlisted }] of await Promise.all(all)) {
    assert.deepEqual(unlisted, [], name);
    for (const each of meant) seen.add(each);
  }
  const unseen = DIFFERENCES.map(({ name }) => name).filter(
    (name) => !seen.has(name) && !NOT_RECORDED.includes(name),
  );
  assert.deepEqual(unseen, [], 'each listed difference is shown by a fixed tree');
});

test('random trees agree with s6, or the difference is a listed one', async (t) => {
  if (!hasS6()) {
    t.diagnostic('s6 is not on the PATH: the fixed trees alone were held against what it made of them');
    return;
  }
  const root = tempDir(t);
  let count = 0;
  const unlistedOf = async (
    plan: (typeof FIXED)[string],
    patience: number,
  ): Promise<Compared['unlisted']> => {
    const [s6, ours] = await Promise.all(
      (['s6', 'ours'] as const).map((who) => play(who, plan, join(root, String(count++)), patience)),
    );
    assert.ok(s6 && ours);
    return compare(plan, s6, ours).unlisted;
  };
  await Promise.all(
    fc.sample(TREES, RANDOM).map(async (plan) => {
      if ((await unlistedOf(plan, 1)).length === 0) return;
      // Load can make one late.
      assert.deepEqual(await unlistedOf(plan, 4), [], JSON.stringify(plan));
    }),
  );
});
