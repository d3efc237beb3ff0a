import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode, MAX_LINE, type Report } from '../../src/core/link.ts';
import { createBoard } from '../../src/templater/board.ts';

const NOTHING = { files: undefined, canGoBack: false, mended: false, stale: undefined, kept: [] };

test('however much is missing, a report of it fits the link, and says how much more there is', () => {
  const reports: Report[] = [];
  const board = createBoard((report) => reports.push(report));
  const missing = Array.from({ length: 100_000 }, (_, i) => `key "a/rather/long/path/to/key/${i}"`);
  board.tell('app', { ...NOTHING, missing });
  board.tell('app', { ...NOTHING, missing: [...missing] });
  board.tell('web', { ...NOTHING, missing: ['x'.repeat(MAX_LINE)] });
  assert.equal(reports.length, 2);
  for (const report of reports) assert.ok(encode(report).length < MAX_LINE / 20);
  const [first] = reports;
  assert.ok(first?.type === 'waiting');
  assert.deepEqual(
    [first.missing.length, first.missing[0], first.missing.at(-1)],
    [21, missing[0], 'and 99980 more'],
  );
});
