/** The control socket: orders at random, and clients that no server wants. */
import { connect, type Socket } from 'node:net';
import { type Asked, ask } from '../client.ts';
import type { Random } from '../random.ts';
import { type Fault, pause, type World } from '../world.ts';

const ORDER_MS = 3000;
/** More than the server takes. */
const CROWD = 80;
const HUGE = 4 << 20;
/** Nothing that stops a service: who would make it go on? */
const SIGNALS = ['TERM', 'HUP', 'USR1', 'USR2', 'INT', 'KILL', 'WINCH', 'CONT', 'RTMIN+3', '64', 'QUIT'];
const NUMBERS: Record<string, number> = {
  TERM: 15,
  HUP: 1,
  USR1: 10,
  USR2: 12,
  INT: 2,
  KILL: 9,
  WINCH: 28,
  CONT: 18,
  'RTMIN+3': 37,
  '64': 64,
  QUIT: 3,
};
const SIGHUP = 1;

export const CONTROL_FAULTS: readonly Fault[] = [
  {
    name: 'an order at random',
    weight: 14,
    act(world, random) {
      const request = order(world, random);
      world.errands.push(ask(world.subject.socket, request, ORDER_MS));
      return JSON.stringify(request);
    },
  },
  {
    name: 'garbage to the socket',
    weight: 5,
    act(world, random) {
      const [what, bytes] = garbage(random);
      const socket = client(world);
      socket.write(bytes);
      if (random.chance(0.5)) socket.end();
      void pause(2000).then(() => socket.destroy());
      return what;
    },
  },
  {
    name: 'a client that goes in the middle',
    weight: 3,
    act(world, random) {
      const socket = client(world);
      const follow = random.chance(0.5);
      socket.write(
        `${JSON.stringify({ v: 1, do: random.pick(['status', 'events']), services: [], follow })}\n`,
      );
      void pause(random.from(0, 30)).then(() => socket.destroy());
      return follow ? 'a follower' : 'one that asked once';
    },
  },
  {
    name: 'half-open clients',
    weight: 3,
    holds: 'crowd',
    act(world, random) {
      const [count, ms, begun] = [random.from(1, CROWD), random.from(100, 3000), random.chance(0.5)];
      const over = world.ledger.begin('no control');
      const sockets = Array.from({ length: count }, () => client(world));
      if (begun) for (const socket of sockets) socket.write('{"v":1,');
      world.held.hold('crowd', ms, () => {
        for (const socket of sockets) socket.destroy();
        over();
      });
      return `${count} for ${ms} ms`;
    },
  },
  {
    name: 'a client that writes slowly',
    weight: 2,
    holds: 'slow client',
    act(world, random) {
      const [every, ms] = [random.from(5, 100), random.from(200, 4000)];
      const socket = client(world);
      const text = '{"v":1,"do":"status","services":[]}\n';
      let at = 0;
      const timer = setInterval(() => {
        if (at < text.length && socket.writable) socket.write(text[at++] ?? '');
      }, every);
      world.held.hold('slow client', ms, () => {
        clearInterval(timer);
        socket.destroy();
      });
      return `a byte every ${every} ms`;
    },
  },
  {
    name: 'followers that never read',
    weight: 2,
    holds: 'deaf clients',
    act(world, random) {
      const [count, ms] = [random.from(1, 50), random.from(200, 4000)];
      const over = world.ledger.begin('no control');
      const sockets = Array.from({ length: count }, () => {
        const socket = client(world);
        socket.pause();
        socket.write(`{"v":1,"do":"${random.pick(['events', 'status'])}","services":[],"follow":true}\n`);
        return socket;
      });
      world.held.hold('deaf clients', ms, () => {
        for (const socket of sockets) socket.destroy();
        over();
      });
      return `${count} for ${ms} ms`;
    },
  },
];

function client({ subject }: World): Socket {
  const socket = connect(subject.socket);
  socket.on('error', () => {});
  return socket;
}

function order({ company, ledger }: World, random: Random): Asked {
  const name = random.pick([...company.natures.keys()]);
  const verb = random.pick([
    'up',
    'down',
    'once',
    'restart',
    'restart',
    'reload',
    'signal',
    'wait',
    'rescan',
    'status',
    'check',
  ]);
  const signal = random.pick(SIGNALS);
  const until = random.pick([undefined, undefined, 'ready', 'up', 'down'] as const);
  const timeoutMs = random.from(0, 2000);
  // Its end ends the tree, which is an order of its own kind.
  const service = verb === 'once' && name === 'essential' ? 'notifies' : name;
  if (verb === 'down' || verb === 'once') ledger.unwanted.set(service, performance.now());
  if (verb === 'signal') ledger.ordered(service, NUMBERS[signal] ?? 0);
  if (verb === 'reload') ledger.ordered(service, SIGHUP);
  return {
    do: verb as Asked['do'],
    services: verb === 'rescan' ? [] : [service],
    ...(verb === 'signal' ? { signal } : {}),
    ...(until && verb !== 'signal' ? { until, timeoutMs } : {}),
    ...(verb === 'wait' ? { until: until ?? 'ready', timeoutMs } : {}),
  };
}

function garbage(random: Random): [string, Buffer] {
  return random.pick<() => [string, Buffer]>([
    () => ['random bytes', random.bytes(random.from(1, 5000))],
    () => ['random bytes and a newline', Buffer.concat([random.bytes(200), Buffer.from('\n')])],
    () => ['4 MB without a newline', Buffer.alloc(HUGE, 'x')],
    () => ['4 MB of newlines', Buffer.alloc(HUGE, '\n')],
    () => ['NULs', Buffer.alloc(1000)],
    () => ['10,000 brackets', Buffer.from(`${'['.repeat(10_000)}\n`)],
    () => ['a wrong version', Buffer.from('{"v":2,"do":"status"}\n')],
    () => ['no such verb', Buffer.from('{"v":1,"do":"explode","services":[]}\n')],
    () => [
      '__proto__',
      Buffer.from('{"v":1,"do":"status","__proto__":{"services":["x"]},"services":["__proto__"]}\n'),
    ],
    () => [
      'names of no service',
      Buffer.from(`{"v":1,"do":"down","services":["${'x'.repeat(5000)}","../..","\\u0000"]}\n`),
    ],
    () => ['wrong types', Buffer.from('{"v":1,"do":"wait","services":[1],"timeoutMs":"soon","until":[]}\n')],
    () => [
      'a timeout beyond all',
      Buffer.from('{"v":1,"do":"wait","services":["essential"],"until":"down","timeoutMs":1e300}\n'),
    ],
    () => ['no service for an order', Buffer.from('{"v":1,"do":"restart","services":[]}\n')],
    () => ['nothing', Buffer.from('\n')],
    () => ['two requests', Buffer.from('{"v":1,"do":"check"}\n{"v":1,"do":"check"}\n')],
  ])();
}
