import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log } from '../src/log.ts';
import { type Lack, Waiting } from '../src/waiting.ts';
import { until } from './tree.ts';

function follow(lacks: Lack[]): { waiting: Waiting; said: unknown[] } {
  const said: unknown[] = [];
  const log = { warn: (_event: string, fields: { for: string }) => said.push(fields.for) } as unknown as Log;
  return { waiting: new Waiting({ lacksOf: () => lacks, log: () => log }, 5), said };
}

test('what is waited for is said once for each thing that it is, whatever states that goes through', async () => {
  const lacks: Lack[] = [
    { what: 'db', state: 'starting' },
    { what: 'cache', state: 'up' },
  ];
  const { waiting, said } = follow(lacks);
  const wait = (): void => waiting.begin('web', lacks);
  wait();
  wait();
  await until('the first word', () => said.length === 1);
  lacks[0] = { what: 'db', state: 'backoff' };
  wait();
  lacks.pop();
  wait();
  await until('the second', () => said.length === 2);
  lacks.push({ what: 'cache', state: 'failed' });
  wait();
  lacks.push({ what: 'key "a"' });
  wait();
  await until('the third', () => said.length === 3);
  assert.deepEqual(said, [
    'db (starting), cache (up)',
    'db (backoff)',
    'db (backoff), cache (failed), key "a"',
  ]);
});

test('whoever is started, and waits again, is told of again', async () => {
  const lacks: Lack[] = [{ what: 'db', state: 'starting' }];
  const { waiting, said } = follow(lacks);
  waiting.begin('web', lacks);
  await until('the first word', () => said.length === 1);
  waiting.forget('web');
  waiting.begin('web', lacks);
  await until('the second', () => said.length === 2);
});

test('nothing is said of one that was started in time', async () => {
  const lacks: Lack[] = [{ what: 'db', state: 'starting' }];
  const { waiting, said } = follow(lacks);
  waiting.begin('web', lacks);
  waiting.forget('web');
  waiting.begin('app', lacks);
  await until('that of the other', () => said.length > 0);
  assert.equal(said.length, 1);
});
