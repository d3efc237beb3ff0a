import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { untilStopped } from '../../src/templater/stopping.ts';

test('what is done in time counts; what is not, is waited for as long as was said, whenever the signal came', async () => {
  const stop = new AbortController();
  assert.equal(await untilStopped(Promise.resolve(1), stop.signal), 1);
  await assert.rejects(untilStopped(Promise.reject(new Error('no')), stop.signal), /no/);
  const never = untilStopped(new Promise(() => {}), stop.signal);
  const slow = untilStopped(delay(20, 'slow'), stop.signal, 5000);
  stop.abort();
  assert.equal(await never, undefined);
  assert.equal(await slow, 'slow');
  assert.equal(await untilStopped(new Promise(() => {}), stop.signal), undefined);
  assert.equal(await untilStopped(delay(20, 'late'), stop.signal, 5000), 'late');
});

test('a hundred thousand waits leave nothing', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { signal } = new AbortController();
  const used = async (): Promise<number> => {
    for (let i = 0; i < 50_000; i++) await untilStopped(Promise.resolve(i), signal, 1000);
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = await used();
  const after = await used();
  assert.ok(after - before < 5_000_000, `${after - before} bytes`);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});
