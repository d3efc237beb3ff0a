import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as tick } from 'node:timers/promises';
import { createTurns, type Turn } from '../../src/templater/source/turns.ts';
import { until } from '../tree.ts';

const NEVER = new AbortController().signal;

test('first come, first served, and so many at once', async () => {
  const turns = createTurns(2, 10);
  const served: number[] = [];
  const taken: Turn[] = [];
  for (let i = 0; i < 4; i++)
    void turns.take(1000, NEVER).then((turn) => {
      served.push(i);
      taken.push(turn);
    });
  await tick();
  assert.deepEqual(served, [0, 1]);
  taken[1]?.end(false);
  taken[1]?.end(false);
  await tick();
  assert.deepEqual(served, [0, 1, 2]);
});

test('who leaves the queue is passed over', async () => {
  const turns = createTurns(1, 10);
  const first = await turns.take(1000, NEVER);
  const leaving = new AbortController();
  const left = turns.take(1000, leaving.signal);
  const next = turns.take(1000, NEVER);
  leaving.abort();
  await assert.rejects(left, { name: 'AbortError' });
  first.end(false);
  (await next).end(false);
  await assert.rejects(turns.take(1000, leaving.signal), { name: 'AbortError' });
});

test('what was cut is counted for as long as Consul holds it', async () => {
  const turns = createTurns(2, 3);
  for (let i = 0; i < 3; i++) (await turns.take(50, NEVER)).end(true);
  const began = performance.now();
  let served = false;
  void turns.take(1000, NEVER).then(() => {
    served = true;
  });
  await tick();
  assert.equal(served, false);
  await until('its turn', () => served);
  assert.ok(performance.now() - began > 25);
});
