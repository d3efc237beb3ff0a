/** README's tables of files, verbs and options against the code. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TABLES } from './readme.ts';

const README = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');

for (const [name, text] of Object.entries(TABLES))
  test(`README has the table of ${name} as the code has it (node test/readme.ts prints it)`, () => {
    const missing = text.split('\n').filter((line) => !README.includes(`${line}\n`));
    assert.deepEqual(missing, []);
    assert.ok(README.includes(text), 'all of it, in this order');
  });
