/** README's tables against the code. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { README, TABLES } from './readme.ts';

const text = readFileSync(README, 'utf8');

for (const [name, table] of Object.entries(TABLES))
  test(`README has the table of ${name} as the code has it (npm run readme puts it there)`, () => {
    const missing = table.split('\n').filter((line) => !text.includes(`${line}\n`));
    assert.deepEqual(missing, []);
    assert.ok(text.includes(table), 'all of it, in this order');
  });
