import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log } from '../../src/log.ts';
import { createChorus } from '../../src/templater/chorus.ts';
import { until } from '../tree.ts';

test('what is true of many queries is said of the first at once, and of the others together', async () => {
  const said: unknown[] = [];
  const log: Log = {
    debug() {},
    info: (event, fields) => void said.push([event, fields]),
    warn: (event, fields) => void said.push([event, fields]),
    error() {},
    child: () => log,
  };
  const chorus = createChorus(log);
  for (let i = 0; i < 1000; i++) chorus.warn('got no answer', `key "${i}"`, 'consul answers 403');
  chorus.warn('got no answer', 'key "x"', 'another');
  assert.equal(said.length, 2);
  await until('what was gathered', () => said.length === 3);
  chorus.info('got an answer again', 'key "0"');
  chorus.end();
  assert.deepEqual(said, [
    ['got no answer', { query: 'key "0"', cause: 'consul answers 403' }],
    ['got no answer', { query: 'key "x"', cause: 'another' }],
    ['got no answer', { query: 'key "1"', others: 998, cause: 'consul answers 403' }],
    ['got an answer again', { query: 'key "0"' }],
  ]);
});
