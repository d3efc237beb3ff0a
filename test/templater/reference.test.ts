/** The examples of `help templates`. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { BLOCKS } from '../../src/templater/blocks.ts';
import { HELPERS } from '../../src/templater/helpers/index.ts';
import { describeTemplates, referenceRows } from '../../src/templater/reference.ts';
import { compileTemplate } from '../../src/templater/render.ts';
import { text } from './world.ts';

describe('each example comes to what it says', () => {
  before(() => compileTemplate('{{parseYAML 1}}').load());
  for (const { group, name, examples } of referenceRows())
    for (const [template, output] of examples)
      test(`${group}: ${name}: ${template}`, () => assert.equal(text(template), output));
});

test('every helper and block has a row, an example that uses it, and says how it is written', () => {
  const rows = referenceRows();
  assert.deepEqual(
    rows.map(({ name }) => name).sort(),
    [...Object.keys(HELPERS), ...Object.keys(BLOCKS)].sort(),
  );
  for (const { name, usage, meaning, examples } of rows) {
    assert.match(usage, new RegExp(`\\b${name}\\b`), name);
    assert.ok(meaning.length > 3 && !meaning.endsWith('.'), name);
    assert.ok(
      examples.some(([template]) => new RegExp(`[({#]${name}\\b`).test(template)),
      name,
    );
  }
});

test('the text of it has each helper once, in lines that fit', () => {
  const lines = describeTemplates().split('\n');
  for (const { usage } of referenceRows())
    assert.equal(lines.filter((line) => [`  ${usage}`, `  {{${usage}}}`].includes(line)).length, 1, usage);
  for (const line of lines) assert.ok(line.length <= 160 && line === line.trimEnd(), line);
});
