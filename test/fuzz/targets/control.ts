/** The control protocol: whatever bytes, in whatever pieces, from clients that leave when they like. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { agree, more, type Request, VERBS } from '../../../src/control/protocol.ts';
import { openControl } from '../../../src/control/server.ts';
import { UserError } from '../../../src/errors.ts';
import { RunningTree, SLEEPER, until, writeFiles } from '../../tree.ts';
import { mutated } from '../bytes.ts';
import { type Conversation, converse, mistakesOf, sayingAll, withUs } from '../client.ts';
import { told } from '../oracle.ts';
import { scratch } from '../scratch.ts';
import { SILENT } from '../silent.ts';
import type { Target } from '../target.ts';
import { WEIRD } from '../words.ts';

const NAMES = ['app', 'job', 'nobody', 'app/log', ...WEIRD];
const value = fc.oneof(
  fc.constantFrom(...WEIRD, 'up', 'down', 'ready', 'TERM', 'HUP', 'CONT', 'RTMIN+3', '15'),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom([], {}, [[]], ['app'], { app: 1 }),
);
const request = fc
  .record(
    {
      v: fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: value }),
      // Its end would be the end of all.
      do: fc.oneof(fc.constantFrom(...VERBS.filter((verb) => verb !== 'stop')), value),
      services: fc.oneof(fc.array(fc.constantFrom(...NAMES), { maxLength: 4 }), value),
      signal: value,
      until: value,
      timeoutMs: value,
      follow: value,
      __proto__: value,
      other: value,
    },
    { requiredKeys: ['do'] },
  )
  .map((fields) => Buffer.from(`${JSON.stringify({ v: 1, ...fields })}\n`));
const SEEDS = [
  '{"v":1,"do":"status","services":["app"]}\n',
  '{"v":1,"do":"wait","services":["app","job"],"until":"ready","timeoutMs":5}\n',
  '{"v":1,"do":"signal","services":["app"],"signal":"SIGCONT"}\n',
  '{"v":1,"do":"events","follow":true,"services":[]}\n',
].map((line) => Buffer.from(line));

const conversations: fc.Arbitrary<Conversation> = fc
  .record({
    bytes: fc.oneof(request, mutated(SEEDS), fc.uint8Array({ maxLength: 200 }).map(Buffer.from)),
    cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }),
    leaves: fc.constantFrom('after the answer', 'after the answer', 'after the answer', 'at once'),
  })
  .filter(({ bytes }) => !bytes.includes('"stop"')) as fc.Arbitrary<Conversation>;

/** The server itself, in this process, in front of a handler that answers, goes on, refuses, or does both. */
export const protocol: Target<Conversation> = {
  about: 'the control socket’s server',
  cases: conversations,
  async open() {
    const { directory, remove } = scratch();
    const path = join(directory, 'control');
    const control = await openControl(path, handle, SILENT);
    return {
      async act(conversation) {
        return classOf(await converse(path, conversation));
      },
      async close() {
        control?.close();
        remove();
      },
    };
  },
};

function handle({ do: verb, services, follow }: Request): ReturnType<Parameters<typeof openControl>[1]> {
  if (services.some((name) => name !== 'app')) throw new UserError('cannot find it: no such service');
  if (!follow && verb !== 'wait') return agree(verb);
  return (client) => {
    client.send('first');
    client.sendLatest(() => 'latest');
    return () => {};
  };
}

/** A whole tree, as it runs. */
export const tree: Target<Conversation> = {
  about: 'the control socket of a running tree',
  cases: conversations,
  async open() {
    const { directory, remove } = scratch();
    const scandir = writeFiles(join(directory, 'services'), {
      'app/run': SLEEPER,
      'app/log/run': '#!/bin/sh\nexec cat >/dev/null\n',
      'job/run': '#!/bin/sh\nexit 0\n',
      'job/type': 'oneshot',
    });
    const env = { OUT: directory, SUPERVISE_LOG_FORMAT: 'json' };
    const running = new RunningTree(directory, scandir, [scandir, '--capture'], { env });
    withUs(running);
    await running.event('started', 'app');
    const descriptors = (): number => readdirSync(`/proc/${running.pid}/fd`).length;
    await converse(running.socket, sayingAll('status'));
    const before = descriptors();
    let turn = 0;
    return {
      async act(conversation) {
        const text = await converse(running.socket, conversation);
        classOf(text);
        // What it says depends on what those before it have done.
        if (++turn % 20 !== 0) return 'answered';
        const status = JSON.parse(await converse(running.socket, sayingAll('status'))) as { ok?: boolean };
        if (status.ok !== true) throw new TypeError('it does not answer any more');
        mistakesOf(running);
        return 'answered';
      },
      async check() {
        // What they were doing to its services may still go on.
        await until('all descriptors to be closed', () => descriptors() <= before + 4);
      },
      async close() {
        running.signal('SIGTERM');
        const { code } = await running.ended;
        remove();
        if (code !== 0 && code !== 137) throw new Error(`the tree ended with ${code}`);
      },
    };
  },
};

/** What an answer was, in short; each of its lines is one of the protocol. */
function classOf(text: string): string {
  const lines = text.split('\n').filter(Boolean);
  const replies = lines.map((line) => JSON.parse(line) as { v: number; ok: boolean; error?: string });
  for (const reply of replies) {
    if (reply.v !== more(0).v || typeof reply.ok !== 'boolean') throw new TypeError(`no reply: ${text}`);
    if (!reply.ok) told(reply.error ?? 'undefined');
  }
  const [first] = replies;
  return first === undefined ? 'nothing' : (first.error ?? 'ok');
}
