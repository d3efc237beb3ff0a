/** The quick form of `npm run chaos`: a few seconds of one seed, at the same strictness. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const SEED = 1;
const MINUTES = 0.25;

test('an adversary finds nothing that is not as it is promised', async (t) => {
  const main = join(import.meta.dirname, 'main.ts');
  const child = spawn(process.execPath, [main, '--minutes', String(MINUTES), '--seed', String(SEED)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill());
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 0, output);
  // It did what it says.
  assert.match(output, /what is wanted comes back +[1-9]/);
  assert.match(output, /status exact +[1-9]/);
});
