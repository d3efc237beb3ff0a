/** The commands behind `-template in:out:command`, with real processes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createActions } from '../../src/commands/template-actions.ts';
import type { Fields, Log } from '../../src/log.ts';
import { tempDir, until } from '../tree.ts';
import { living } from './lone.ts';

function setUp(t: TestContext, limit?: number) {
  const out = join(tempDir(t), 'out');
  const said: [string, Fields][] = [];
  const say = (event: string, fields: Fields = {}): void => void said.push([event, fields]);
  const log: Log = { debug: say, info: say, warn: say, error: say, child: () => log };
  const actions = createActions({ PATH: process.env['PATH'], OUT: out }, log, limit);
  return { actions, said, read: () => readFileSync(out, 'utf8') };
}

test('in order, one after the other, equal ones that wait together once', async (t) => {
  const { actions, said, read } = setUp(t);
  for (const command of [
    'sleep 0.1; echo a >> $OUT',
    'echo b >> $OUT',
    'sleep 0.1; echo a >> $OUT',
    'echo c >> $OUT',
  ])
    actions.add(command);
  await actions.idle();
  assert.equal(read(), 'a\nb\nc\n');
  assert.deepEqual(
    said.map(([event]) => event),
    ['ran', 'ran', 'ran'],
  );
  actions.add('echo b >> $OUT');
  await actions.idle();
  assert.equal(read(), 'a\nb\nc\nb\n');
});

test('one that comes while it runs runs again: what it has read may be old', async (t) => {
  const { actions, read } = setUp(t);
  const command = 'echo a >> $OUT; sleep 0.2';
  actions.add(command);
  await until('its start', () => {
    try {
      return read() === 'a\n';
    } catch {
      return false;
    }
  });
  actions.add(command);
  await actions.idle();
  assert.equal(read(), 'a\na\n');
});

test('over the limit its whole group is killed, and the next one runs', async (t) => {
  const { actions, said, read } = setUp(t, 200);
  actions.add('trap "" TERM; sleep 6543 & sleep 6543');
  actions.add('echo next >> $OUT');
  await actions.idle();
  assert.equal(read(), 'next\n');
  assert.deepEqual(said[0], [
    'command took too long',
    { command: 'trap "" TERM; sleep 6543 & sleep 6543', limitMs: 200 },
  ]);
  await until('the end of its children', () => living(/^sleep 6543/).length === 0);
});
