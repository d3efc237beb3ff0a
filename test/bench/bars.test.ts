import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from './bars.ts';
import { startQuantity, stopQuantity } from './lives.ts';
import { WAKEUPS } from './measures/idle.ts';
import { throughput } from './measures/logs.ts';
import { memoryQuantity } from './measures/memory.ts';
import { FLOOR, OURS, type Quantity, Results } from './results.ts';

function judged(samples: [Quantity, string, number][]): Record<string, boolean | undefined> {
  const results = new Results([]);
  for (const [quantity, peer, sample] of samples) results.add(quantity, peer, sample);
  return Object.fromEntries(judge(results).map(({ what, bar, met }) => [`${what}: ${bar}`, met]));
}

test('each bar is met at its limit, and not beyond', () => {
  const cases: [string, number, number, (value: number) => [Quantity, string, number][]][] = [
    ['start, 1 service: ≤ 1.25 × node -e 0', 1.25, 1.26, (value) => beside(startQuantity(1), FLOOR, value)],
    [
      'start, 1 service: 4 × ahead of supervisord',
      0.25,
      0.26,
      (value) => beside(startQuantity(1), 'supervisord', value),
    ],
    ['start, 1,000 services: ≤ 0.7 × s6', 0.7, 0.71, (value) => beside(startQuantity(1000), 's6', value)],
    [
      'memory, 1,000 services, PSS: ahead of runit',
      1,
      1.01,
      (value) => beside(memoryQuantity('pss', 1000), 'runit', value),
    ],
    [
      'memory per further service, 1 to 1,000: ≤ 20 kB RSS',
      20,
      21,
      (value) => [
        [memoryQuantity('rss', 1), OURS, 50_000],
        [memoryQuantity('rss', 1000), OURS, 50_000 + 999 * value],
      ],
    ],
    ['stop, 100 services: ≤ slowest service + 50 ms', 50, 51, (value) => [[stopQuantity(100), OURS, value]]],
    ['idle: 0 wake-ups of PID 1 in 60 s', 0, 1, (value) => [[WAKEUPS, OURS, value]]],
    ['log prefixing: ≥ 5 × supervisord', 5, 4.9, (value) => beside(throughput('pipe'), 'supervisord', value)],
  ];
  for (const [bar, met, missed, samples] of cases) {
    assert.equal(judged(samples(met))[bar], true, `${bar}, met`);
    assert.equal(judged(samples(missed))[bar], false, `${bar}, missed`);
  }
});

test('what was not measured is not judged', () => {
  const bars = judge(new Results([]));
  assert.ok(bars.length > 15);
  for (const { met, measured } of bars) assert.deepEqual([met, measured], [undefined, 'not measured']);
});

function beside(quantity: Quantity, peer: string, times: number): [Quantity, string, number][] {
  return [
    [quantity, peer, 1],
    [quantity, OURS, times],
  ];
}
