/** The soak in short: whether all that it counts is as it was. What grows slowly takes the long form (soak.ts) to be seen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soak } from './run.ts';
import { table } from './table.ts';

test('crashes, requests and renders leave no descriptor, thread, timer or child behind', async () => {
  const sizes = { cycles: 160, requests: 2000, renders: 120, settleMs: 500, rounds: 2, warmUp: 1 };
  const report = await soak(sizes, () => {});
  assert.deepEqual(
    report.loads.map(({ operations }) => operations),
    [sizes.cycles, sizes.requests, sizes.renders / 2, sizes.renders / 2],
  );
  // So young a heap still finds its size, and a few latencies are as the machine is.
  const { text, broken } = table(report, { rss: 1.5, latency: 20 });
  assert.deepEqual(broken, [], text);
});

test('the table tells what is beyond its limit', () => {
  const figures = { rss: 50e6, pss: 20e6, heap: 10e6, descriptors: 20, threads: 7, handles: 5 };
  const report = {
    subjects: [
      { name: 'well', before: figures, after: { ...figures, rss: 54e6, heap: 90e6 }, slope: 0 },
      {
        name: 'ill',
        before: figures,
        after: { ...figures, rss: 56e6, descriptors: 21, handles: 6 },
        slope: 9,
      },
    ],
    loads: [
      { name: 'fast', operations: 9, seconds: 1, first: [1, 1, 9], last: [1.1, 1.1, 99] },
      { name: 'slow', operations: 9, seconds: 1, first: [1, 1], last: [1.3, 1.3] },
    ],
  };
  const { text, broken } = table(report);
  assert.deepEqual(broken, [
    'ill, RSS, MB',
    'ill, descriptors',
    'ill, handles of its loop',
    'slow, median, ms',
  ]);
  assert.match(text, /^ill, descriptors +20 +21 +1\.05 +equal +FAIL$/m);
});
