/** What of strangers' text reaches a terminal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { printable, printableLines } from '../../src/core/printable.ts';

test('plain text is as it was, whatever its script', () => {
  for (const text of ['', 'cannot start "web"', 'größe → 大きさ 🚀', 'a "b" \\n'])
    assert.equal(printable(text), text);
});

test('what a terminal would obey is shown as JSON would write it', () => {
  assert.equal(printable('\x1b]0;x\x07'), '\\u001b]0;x\\u0007');
  assert.equal(printable('a\nb\rc\td\0'), 'a\\nb\\rc\\td\\u0000');
  assert.equal(printable('\x7f\x9b2J\u0085'), '\\u007f\\u009b2J\\u0085', 'DEL and C1, which JSON leaves');
  assert.equal(printable('a\u202eb\u2066c\u200b'), 'a\\u202eb\\u2066c\\u200b', 'direction and format');
  assert.equal(printable('a\u2028b'), 'a\\u2028b');
  assert.equal(
    printable('\u{e0041}\ud800'),
    '\\udb40\\udc41\\ud800',
    'beyond the first plane, and half of it',
  );
  assert.equal(printableLines('a\x1b\nb\r\n'), 'a\\u001b\nb\\r\n');
});

test('JSON means the same after it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      const text = JSON.stringify(value);
      assert.deepEqual(JSON.parse(printable(text)), JSON.parse(text));
      assert.deepEqual(JSON.parse(printableLines(JSON.stringify(value, null, 2))), JSON.parse(text));
    }),
  );
});

test('nothing odd is left', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(printable(text), /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u);
    }),
  );
});
