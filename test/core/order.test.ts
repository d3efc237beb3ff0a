import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  checkOrder,
  type Dependencies,
  dependentsOf,
  longestDescents,
  orderProblems,
} from '../../src/core/order.ts';
import { UserError } from '../../src/errors.ts';
import { runs } from '../nightly.ts';

const graph = (edges: Record<string, string[]>): Dependencies => new Map(Object.entries(edges));

function refusal(dependencies: Dependencies): UserError {
  try {
    checkOrder(dependencies);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.exitCode, 100);
    return error;
  }
  throw new assert.AssertionError({ message: 'it was not refused' });
}

describe('what cannot be ordered', () => {
  const rows: [string, Record<string, string[]>, string, string][] = [
    [
      'a cycle, by name, once around',
      { web: ['db'], db: ['cache'], cache: ['web'] },
      'cannot order services: web → db → cache → web',
      'remove one of these from its dependencies.d',
    ],
    [
      'itself',
      { web: ['web'] },
      'cannot order services: web → web',
      'remove one of these from its dependencies.d',
    ],
    [
      'a cycle without the way that leads to it',
      { a: ['b'], b: ['c'], c: ['b'] },
      'cannot order services: b → c → b',
      'remove one of these from its dependencies.d',
    ],
    [
      'an unknown name that is near a known one',
      { web: ['dv'], db: [] },
      'cannot order services: "web" depends on "dv", which is no service',
      'did you mean "db"?',
    ],
    [
      'an unknown name',
      { web: ['postgres'] },
      'cannot order services: "web" depends on "postgres", which is no service',
      'add the service, or remove web/dependencies.d/postgres',
    ],
  ];
  for (const [name, edges, message, hint] of rows)
    test(name, () => {
      const error = refusal(graph(edges));
      assert.equal(error.message, message);
      assert.equal(error.hint, hint);
    });
});

test('nothing, one alone, a diamond, the same dependency twice: in order', () => {
  checkOrder(graph({}));
  checkOrder(graph({ a: [] }));
  checkOrder(graph({ a: ['b', 'c'], b: ['d'], c: ['d'], d: [] }));
  checkOrder(graph({ a: ['b', 'b'], b: [] }));
});

test('a chain of 20,000 costs no stack', () => {
  const names = Array.from({ length: 20_000 }, (_, i) => `s${i}`);
  const chain = new Map(names.map((name, i) => [name, names.slice(i + 1, i + 2)]));
  checkOrder(chain);
  assert.equal(longestDescents(chain, () => 1).get('s0')?.sum, 20_000);
});

test('all that cannot be ordered is named, the first of it as the refusal', () => {
  const dependencies = graph({
    web: ['dbb', 'web'],
    db: ['cache', 'x'],
    cache: ['queue', 'db'],
    queue: ['db'],
    a: ['b'],
    b: ['a'],
  });
  const problems = orderProblems(dependencies);
  assert.deepEqual(
    problems.map(({ message, name, other }) => [message, `${name}/dependencies.d/${other}`]),
    [
      ['cannot order services: "web" depends on "dbb", which is no service', 'web/dependencies.d/dbb'],
      ['cannot order services: "db" depends on "x", which is no service', 'db/dependencies.d/x'],
      ['cannot order services: web → web', 'web/dependencies.d/web'],
      ['cannot order services: db → cache → queue → db', 'db/dependencies.d/cache'],
      ['cannot order services: db → cache → db', 'db/dependencies.d/cache'],
      ['cannot order services: a → b → a', 'a/dependencies.d/b'],
    ],
  );
  assert.equal(refusal(dependencies).message, problems[0]?.message);
});

test('the mirror: who waits for me stops before me', () => {
  const dependents = dependentsOf(graph({ web: ['db', 'cache'], worker: ['db'], db: [], cache: [] }));
  assert.deepEqual(Object.fromEntries(dependents), {
    web: [],
    worker: [],
    db: ['web', 'worker'],
    cache: ['web'],
  });
});

/** Edges go from a lower number to a higher one only, under names whose order says nothing. */
const DAG: fc.Arbitrary<Dependencies> = fc
  .record({
    size: fc.integer({ min: 1, max: 14 }),
    coins: fc.array(fc.nat(3), { minLength: 200, maxLength: 200 }),
    names: fc.shuffledSubarray(
      Array.from({ length: 14 }, (_, i) => `s${i}`),
      { minLength: 14, maxLength: 14 },
    ),
    order: fc.nat(),
  })
  .map(({ size, coins, names, order }) => {
    const nodes = names.slice(0, size);
    const edges = nodes.map(
      (name, i) => [name, nodes.slice(i + 1).filter((_, j) => coins[i * 14 + j] === 0)] as const,
    );
    // The map's own order must not matter either.
    return new Map([...edges.slice(order % size), ...edges.slice(0, order % size)]);
  });

test('every graph without a cycle passes', () => {
  fc.assert(fc.property(DAG, checkOrder), { numRuns: runs(2000, 10) });
});

test('every planted cycle is refused, and the names told are one', () => {
  fc.assert(
    fc.property(DAG, fc.nat(), fc.nat(5), (dag, at, length) => {
      const names = [...dag.keys()];
      const ring = Array.from({ length: length + 1 }, (_, i) => names[(at + i) % names.length] ?? '');
      const planted = new Map([...dag].map(([name, needed]) => [name, [...needed]]));
      for (const [i, name] of ring.entries()) planted.get(name)?.push(ring[(i + 1) % ring.length] ?? '');
      const told = refusal(planted).message.replace('cannot order services: ', '').split(' → ');
      assert.ok(told.length >= 2);
      assert.equal(told[0], told.at(-1));
      assert.equal(new Set(told).size, told.length - 1, 'a name twice on the way');
      for (const [i, name] of told.slice(0, -1).entries())
        assert.ok(
          planted.get(name)?.includes(told[i + 1] ?? ''),
          `${name} does not depend on ${told[i + 1]}`,
        );
    }),
    { numRuns: runs(2000, 10) },
  );
});

test('every edge is in the mirror, and nothing else is', () => {
  fc.assert(
    fc.property(DAG, (dag) => {
      const mirror = dependentsOf(dag);
      const edges = [...dag].flatMap(([name, needed]) => needed.map((other) => `${name} → ${other}`));
      const mirrored = [...mirror].flatMap(([name, waiting]) => waiting.map((other) => `${other} → ${name}`));
      assert.deepEqual(mirrored.sort(), edges.sort());
      assert.deepEqual([...mirror.keys()].sort(), [...dag.keys()].sort());
    }),
  );
});

test('the longest way down is the longest of all ways down', () => {
  fc.assert(
    fc.property(DAG, fc.array(fc.nat(1000), { minLength: 14, maxLength: 14 }), (dag, times) => {
      const time = (name: string): number => times[Number(name.slice(1))] ?? 0;
      const longest = (name: string): number =>
        time(name) + Math.max(0, ...(dag.get(name) ?? []).map((other) => longest(other)));
      const descents = longestDescents(dag, time);
      assert.equal(descents.size, dag.size);
      for (const [name, descent] of descents) {
        assert.equal(descent.sum, longest(name), name);
        assert.equal(descent.own, time(name));
        assert.equal(descent.own + (descent.below?.sum ?? 0), descent.sum);
        const below = (dag.get(name) ?? []).map((other) => descents.get(other));
        assert.ok(
          descent.below ? below.includes(descent.below) : below.length === 0,
          'below is no dependency',
        );
      }
    }),
    { numRuns: runs(1000, 10) },
  );
});

test('a dependency that is gone by now takes no time', () => {
  const descents = longestDescents(graph({ main: ['gone', 'db'], db: [] }), (name) =>
    name === 'gone' ? 0 : 7,
  );
  assert.equal(descents.get('main')?.sum, 14);
});
