/** The tree's end of the link: a templater that never says a word. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { encode } from '../src/core/link.ts';
import { Gate } from '../src/gate.ts';
import { createLog } from '../src/log.ts';

const SILENT = createLog({ format: 'text', level: 'silent', write() {} });
const LISTENER = { isKnown: () => true, judgements: () => [], rendered() {}, waiting() {} };

for (const [how, word, expected] of [
  ['has said nothing for half a minute', undefined, 1],
  ['has said that it runs', encode({ type: 'begun' }), 0],
] as const)
  test(`a templater that ${how} is ${expected ? 'given up' : 'left alone'}`, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const gate = new Gate(SILENT, LISTENER);
    const socket = new PassThrough();
    let silent = 0;
    // What is written to it is nothing that it says.
    socket.write = () => true;
    gate.connected(socket as unknown as Socket, () => silent++);
    if (word !== undefined) socket.push(word);
    await new Promise(setImmediate);
    t.mock.timers.tick(30_000);
    assert.equal(silent, expected);
  });

test('a templater that ended before it said a word is not given up again', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const socket = new PassThrough();
  new Gate(SILENT, LISTENER).connected(socket as unknown as Socket, () => assert.fail('it is gone'));
  socket.destroy();
  await new Promise(setImmediate);
  t.mock.timers.tick(30_000);
});
