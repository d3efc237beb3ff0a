/** services.d/, the sample that the README runs: with no Consul, from the file beside it. */
import assert from 'node:assert/strict';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startBundle, tempDir, until } from './tree.ts';

test('the sample runs on its own values, follows them, survives a crash, and ends with its hooks', async (t) => {
  const scandir = join(tempDir(t), 'services.d');
  cpSync(join(import.meta.dirname, '../services.d'), scandir, { recursive: true });
  const tree = startBundle(t, [scandir], { env: { SAMPLE_DIR: tempDir(t) } });
  const shown = (text: string): Promise<unknown> => until(text, () => tree.stdout.includes(text));
  await shown('app: hello from .supervise/kv.json\n');

  writeFileSync(
    join(scandir, '.supervise/kv.json'),
    '{"kv":{"app/greeting":"hello, changed","app/every":1}}',
  );
  await shown('app: hello, changed\n');
  assert.equal(tree.eventsOf('started', 'app').length, 2);

  const { pid } = await tree.event('started', 'app', 2);
  process.kill(Number(pid), 'SIGKILL');
  await shown('crash hook: app ended with code 256, signal 9, crash 1 in a row; next: restart\n');
  await tree.event('started', 'app', 3);
  assert.equal(tree.control('check').code, 0);

  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
  assert.match(tree.stdout, /app: finish got 256 9 app \d+\n/);
  assert.match(tree.stdout, /finish hook: stopped by signal, exit code 0\n$/);
});
