/** Whose death the kernel's count of kills for memory explains. The file stands in for cgroup v2's memory.events. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { OomWatch } from '../../src/os/oom.ts';
import { tempDir, until } from '../tree.ts';

function counter(t: TestContext): { watch: OomWatch; count: (kills: number) => void } {
  const file = join(tempDir(t), 'memory.events');
  const count = (kills: number): void => writeFileSync(file, `max 7\noom ${kills}\noom_kill ${kills}\n`);
  count(3);
  return { watch: new OomWatch(file), count };
}

test('each kill explains one death that comes with it', (t) => {
  const { watch, count } = counter(t);
  assert.equal(watch.explains(), false, 'those before us explain nothing');
  count(5);
  assert.deepEqual([watch.explains(), watch.explains(), watch.explains()], [true, true, false]);
});

test("a kill of somebody's child explains no later death", async (t) => {
  const { watch, count } = counter(t);
  let kills = 3;
  await until('one to be forgotten in time', async () => {
    count(++kills);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    return !watch.explains();
  });
  count(++kills);
  assert.equal(watch.explains(), true);
});
