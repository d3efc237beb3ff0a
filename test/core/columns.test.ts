import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { columns, folded, WIDE } from '../../src/core/columns.ts';

describe('columns', () => {
  test('are as wide as their widest cell; the last takes what it needs', () => {
    assert.deepEqual(
      columns([
        ['a', 'bb', 'c'],
        ['aaa', 'b', 'cc'],
      ]),
      ['a    bb  c', 'aaa  b   cc'],
    );
  });

  test('a last cell is no column, however long, and none is no line’s end', () => {
    assert.deepEqual(columns([['x'.repeat(9)], ['a', 'b'], ['a', ''], []]), ['x'.repeat(9), 'a  b', 'a', '']);
  });

  test('what a terminal would obey is shown', () => {
    assert.ok(
      !columns([['\x1b[2J', 'a\nb']])
        .join('')
        .includes('\x1b'),
    );
  });

  test('of help stand indented, and the last cell folds under itself', () => {
    assert.deepEqual(WIDE, { indent: '  ', fold: true });
    const word = 'x'.repeat(39);
    const start = `  ${'n'.repeat(10)}  `;
    const cells = [['n'.repeat(10), [word, word, word].join(' ')]];
    assert.deepEqual(columns(cells, WIDE), [`${start}${word} ${word}`, `${' '.repeat(start.length)}${word}`]);
    assert.equal(columns(cells).length, 1);
    assert.deepEqual(columns([[]], WIDE), ['']);
  });

  test('fill a line of 120 to its end', () => {
    const fits = ['y'.repeat(57), 'y'.repeat(58)].join(' ');
    assert.equal(columns([['', fits]], WIDE).length, 1);
    assert.equal(columns([['', `${fits}y`]], WIDE).length, 2);
  });

  test('where there is little room, fold at 36', () => {
    const fits = ['z'.repeat(17), 'z'.repeat(18)].join(' ');
    assert.equal(columns([['n'.repeat(200), fits]], WIDE).length, 1);
    assert.equal(columns([['n'.repeat(200), `${fits}z`]], WIDE).length, 2);
  });
});

describe('a text', () => {
  test('is broken at blanks, where it would be too long', () => {
    assert.deepEqual(folded('aa bb cc', 5), ['aa bb', 'cc']);
    assert.deepEqual(folded('aa bb cc', 4), ['aa', 'bb', 'cc']);
    assert.deepEqual(folded('a longerthanthat b', 4), ['a', 'longerthanthat', 'b']);
    assert.deepEqual(folded('', 4), ['']);
    assert.equal(folded(`${'a'.repeat(60)} ${'b'.repeat(59)}`).length, 1, '120 where nothing is said');
  });

  test('loses no word, and no line is too long but a word of its own', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,8}$/)),
        fc.integer({ min: 1, max: 20 }),
        (words, width) => {
          const lines = folded(words.join(' '), width);
          assert.equal(lines.join(' '), words.join(' '));
          for (const [i, line] of lines.entries()) {
            assert.ok(line.length <= width || !line.includes(' '), line);
            const [next] = (lines[i + 1] ?? '').split(' ');
            if (next) assert.ok(line.length + 1 + next.length > width, `${line} has room for ${next}`);
          }
        },
      ),
    );
  });
});
