import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { plan, type Wanted } from '../../src/templater/source/consul-plan.ts';
import { describeQuery, type Query } from '../../src/templater/source/query.ts';

const keys = (directory: string, count: number): Query[] =>
  Array.from({ length: count }, (_, i) => ({ kind: 'key', name: `${directory}k${i}`, params: {} }));
const prefix = (name: string): Query => ({ kind: 'prefix', name, params: {} });

function planned(queries: Query[], given: Partial<Wanted> = {}): string[] {
  const wanted = new Map(queries.map((query) => [describeQuery(query), query]));
  const made = plan({
    queries: wanted,
    most: 14,
    standing: new Set(),
    unfit: new Set(),
    wasteful: new Map(),
    ...given,
  });
  return [...made].map(([id, { members }]) => (members.size === 1 ? id : `${id} for ${members.size}`)).sort();
}

test('few keys are asked one by one, many of one directory as one', () => {
  assert.equal(planned(keys('app/', 7)).length, 7);
  assert.deepEqual(planned(keys('app/', 8)), ['keys under "app/" for 8']);
  assert.deepEqual(planned([...keys('app/', 8), ...keys('app/x/', 3), ...keys('b/', 1)]), [
    'key "b/k0"',
    'keys under "app/" for 11',
  ]);
});

test('what is shared stays so while half of it is left', () => {
  const standing = new Set(['keys under "app/"']);
  assert.deepEqual(planned(keys('app/', 4), { standing }), ['keys under "app/" for 4']);
  assert.equal(planned(keys('app/', 3), { standing }).length, 3);
});

test('a prefix that is wanted answers for all below it', () => {
  assert.deepEqual(planned([prefix('app/'), ...keys('app/', 1), ...keys('app/a/b/', 2), prefix('app/c/')]), [
    'keys under "app/" for 5',
  ]);
  assert.deepEqual(planned([prefix('app/'), ...keys('apple/', 1)]), ['key "apple/k0"', 'keys under "app/"']);
});

test('the whole store is asked for only where it is wanted', () => {
  assert.equal(planned(keys('', 100)).length, 100);
  assert.deepEqual(planned([...keys('', 100), prefix('')]), ['keys under "" for 101']);
});

test('under pressure the deepest directories are joined first, and no more than needed', () => {
  const pairs = (count: number): Query[] =>
    Array.from({ length: count }, (_, i) => keys(`app/${i}/`, 2)).flat();
  assert.equal(planned(pairs(7)).length, 14);
  assert.equal(planned(pairs(10)).length, 14);
  assert.deepEqual(planned([...pairs(500), ...keys('b/', 2)]), [
    'key "b/k0"',
    'key "b/k1"',
    'keys under "app/" for 1000',
  ]);
});

test('what holds too much else is asked in pieces until more of it is wanted, or there are too many pieces', () => {
  const wasteful = new Map([['keys under "app/"', 13]]);
  assert.equal(planned(keys('app/', 12), { wasteful }).length, 12);
  assert.equal(planned(keys('app/', 13), { wasteful }).length, 1);
  assert.equal(planned(keys('app/', 12), { wasteful, most: 11 }).length, 1);
});

test('what cannot be asked as one never is, but for itself', () => {
  const unfit = new Set(['keys under "app/"']);
  assert.equal(planned(keys('app/', 20), { unfit }).length, 20);
  assert.deepEqual(planned([prefix('app/'), ...keys('app/', 2)], { unfit }).length, 3);
});

test('other parameters are another query; services are never joined', () => {
  const there: Query[] = keys('app/', 8).map((query) => ({ ...query, params: { dc: 'eu' } }));
  const services: Query[] = keys('s/', 30).map((query) => ({ ...query, kind: 'service' }));
  assert.deepEqual(planned([...keys('app/', 8), ...there]), [
    'keys under "app/" (dc=eu) for 8',
    'keys under "app/" for 8',
  ]);
  assert.equal(planned(services).length, 30);
});

test('however it is planned, each query is answered once, by itself or by a prefix of it', () => {
  const name = fc.array(fc.constantFrom('a', 'b', 'c', ''), { minLength: 1, maxLength: 4 });
  const query = fc.record({ kind: fc.constantFrom('key', 'prefix'), name }).map(({ kind, name }): Query => {
    const path = name.join('/');
    return kind === 'key' ? { kind, name: path, params: {} } : prefix(path && `${path}/`);
  });
  const some = fc.array(query, { maxLength: 40 });
  const most = fc.integer({ min: 1, max: 14 });
  fc.assert(
    fc.property(some, most, some, (queries, most, unfit) => {
      const wanted = new Map(queries.map((each) => [describeQuery(each), each]));
      const made = plan({
        queries: wanted,
        most,
        standing: new Set(['keys under "a/"']),
        unfit: new Set(unfit.map(describeQuery)),
        wasteful: new Map(unfit.map((each) => [`${describeQuery(each)}/`, 2])),
      });
      const answered = [...made.values()].flatMap(({ members }) => [...members.keys()]);
      assert.deepEqual([...answered].sort(), [...wanted.keys()].sort());
      for (const [id, { query: asked, members }] of made) {
        assert.equal(id, describeQuery(asked));
        for (const each of members.values())
          assert.ok(asked.kind === 'prefix' ? each.name.startsWith(asked.name) : each === asked);
      }
    }),
  );
});
