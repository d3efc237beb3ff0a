import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { unifiedDiff } from '../../src/templater/unified-diff.ts';

/** What `patch` does with the hunks. */
function patch(before: string, hunks: readonly string[]): string {
  const old = before.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const out: string[] = [];
  let at = 0;
  for (const [i, line] of hunks.entries()) {
    const [, start, count] = /^@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@$/.exec(line) ?? [];
    if (start !== undefined) {
      const first = Number(start) - (count === '0' ? 0 : 1);
      out.push(...old.slice(at, first));
      at = first;
      continue;
    }
    if (line.startsWith('\\')) continue;
    const text = line.slice(1) + (hunks[i + 1]?.startsWith('\\') ? '' : '\n');
    if (line[0] !== '+') assert.equal(old[at++], text);
    if (line[0] !== '-') out.push(text);
  }
  return [...out, ...old.slice(at)].join('');
}

test('hunks as diff -u has them', () => {
  assert.deepEqual(unifiedDiff('a\nb\n', 'a\nb\n'), []);
  assert.deepEqual(unifiedDiff('', 'a\n'), ['@@ -0,0 +1 @@', '+a']);
  assert.deepEqual(unifiedDiff('a\n', ''), ['@@ -1 +0,0 @@', '-a']);
  assert.deepEqual(unifiedDiff('a', 'a\n'), ['@@ -1 +1 @@', '-a', '\\ No newline at end of file', '+a']);
  const lines = Array.from({ length: 20 }, (_, i) => `${i}\n`);
  const changed = lines.map((line, i) => (i === 2 || i === 17 ? 'x\n' : line));
  assert.deepEqual(unifiedDiff(lines.join(''), changed.join('')), [
    ...['@@ -1,6 +1,6 @@', ' 0', ' 1', '-2', '+x', ' 3', ' 4', ' 5'],
    ...['@@ -15,6 +15,6 @@', ' 14', ' 15', ' 16', '-17', '+x', ' 18', ' 19'],
  ]);
});

test('patched with the hunks, the old text is the new one; and no shorter way is known', () => {
  const text = fc
    .array(fc.constantFrom('a\n', 'b\n', 'c\n', '\n'), { maxLength: 30 })
    .map((lines) => lines.join(''));
  fc.assert(
    fc.property(text, text, fc.boolean(), (before, after, cut) => {
      const end = cut ? after.slice(0, -1) : after;
      assert.equal(patch(before, unifiedDiff(before, end)), end);
    }),
    { numRuns: 2000 },
  );
});

test('very different and very long texts are compared in a moment', () => {
  const text = (seed: number): string =>
    Array.from({ length: 50_000 }, (_, i) => `${(i * seed) % 9973}\n`).join('');
  const started = performance.now();
  const [before, after] = [text(7), text(11)];
  assert.equal(patch(before, unifiedDiff(before, after)), after);
  assert.ok(performance.now() - started < 5000);
});
