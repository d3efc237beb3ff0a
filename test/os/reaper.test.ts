/** The one waiter, where the kernel gives a pid again at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { awaitEnd, isChild } from '../../src/os/children.ts';
import type { Native } from '../../src/os/native.ts';
import { Reaper } from '../../src/os/reaper.ts';

test('who is started while ends are told, and gets the pid of one that is yet to be told of, is not taken for that one', () => {
  const dead = [
    [71, 1 << 8],
    [72, 2 << 8],
  ];
  const native = { peek: () => dead[0]?.[0] ?? 0, reap: () => dead.shift()?.[1] ?? -1 } as unknown as Native;
  const told: string[] = [];
  awaitEnd(71, (code) => {
    told.push(`first ${code}`);
    awaitEnd(72, (again) => told.push(`third ${again}`));
  });
  awaitEnd(72, (code) => told.push(`second ${code}`));
  const reaper = new Reaper(native, () => {});
  reaper.reap();
  assert.deepEqual(told, ['first 1', 'second 2']);
  assert.ok(isChild(72));
  dead.push([72, 3 << 8]);
  reaper.reap();
  assert.deepEqual(told, ['first 1', 'second 2', 'third 3']);
});
