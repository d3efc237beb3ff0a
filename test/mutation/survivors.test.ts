import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SURVIVORS } from './survivors.ts';

test('each survivor that is listed is of a line that there is', () => {
  for (const [file, list] of Object.entries(SURVIVORS)) {
    const lines = readFileSync(join(import.meta.dirname, '../../src', file), 'utf8').split('\n');
    const trimmed = lines.map((line) => line.trim());
    for (const [around, mistake, why] of list) {
      assert.ok(trimmed.includes(around), `${file}: ${around}`);
      assert.ok(mistake.includes(' → ') && why.length > 10, mistake);
    }
  }
});
