import { join } from 'node:path';
import { type ConsulAgent, startConsul } from '../../consul.ts';
import { BUNDLE, NODE, writeFiles } from '../../tree.ts';
import { Arrivals } from '../arrivals.ts';
import { Bell, within } from '../bell.ts';
import { type Bench, pause } from '../context.ts';
import { wellBehaved } from '../life.ts';
import { onPath } from '../path.ts';
import { ours, oursWith } from '../peers/ours.ts';
import type { Command, Peer } from '../peers/peer.ts';
import { runit } from '../peers/runit.ts';
import { s6 } from '../peers/s6.ts';
import { supervisord } from '../peers/supervisord.ts';
import { type Memory, memoryOf, supervising } from '../proc.ts';
import { FLOOR, type Quantity } from '../results.ts';
import { interleave, type Turn } from '../rounds.ts';

const ROUNDS = 50;
const RESTARTS = 10;
const LIMIT_MS = 120_000;
/** From one PUT to the next: nobody counts them as a storm. */
const QUIET_MS = 150;
/** A service that was reloaded sooner after the last time is taken for one that does not cope. */
const QUIET_RELOAD_MS = 1200;
export const THEIRS = 'consul-template';
/** One connection for each key, which is consul-template's way, is more than Consul allows. */
const CONNECTIONS = { limits: { http_max_conns_per_client: 5000 } };

export const PUT_TO_FILE: Quantity = { measure: 'templater', what: 'templater: PUT → file', unit: 'ms' };
export const PUT_TO_RELOAD: Quantity = {
  measure: 'templater',
  what: 'templater: PUT → service reloaded',
  unit: 'ms',
};
const RECOVERY: Quantity = {
  measure: 'templater',
  what: 'templater: Consul, empty, answers again after up to 5 s → a new value is in the file',
  unit: 'ms',
};

export function templaterMemory(kind: keyof Memory, keys: number): Quantity {
  const name = { pss: 'PSS', rss: 'RSS', private: 'private' }[kind];
  return {
    measure: 'templater',
    what: `templater: ${name} of supervisor and templater, ${amount(keys)}`,
    unit: 'kB',
  };
}

function amount(keys: number): string {
  return keys === 1 ? '1 key' : `${keys.toLocaleString('en')} keys`;
}

/** (8) with a real agent: how soon a value is where it is used, and what knowing it costs. */
export async function templater(bench: Bench): Promise<void> {
  const consul = await startConsul({ config: CONNECTIONS }).catch((error: unknown) =>
    bench.results.say(`templater was not measured: ${(error as Error).message}`),
  );
  if (!consul) return;
  if (!onPath(THEIRS)) bench.results.say(`templater: ${THEIRS} was not run: it is not on PATH`);
  try {
    await toFile(bench, consul);
    await toReload(bench, consul);
    await memory(bench, consul);
    await recovery(bench, consul);
  } finally {
    await consul.stop();
  }
}

/** Beside a bare blocking query in a loop, as the floor: what is between is the templater's. */
async function toFile(bench: Bench, consul: ConsulAgent): Promise<void> {
  const followers = [
    ...(bench.peers.includes(ours)
      ? [ourFollower(bench, consul, '', '0'), ourFollower(bench, consul, ', --wait 100ms:2s', '100ms:2s')]
      : []),
    ...(onPath(THEIRS) ? [theirFollower(bench, consul)] : []),
    ...(bench.floor ? [bareQuery(consul)] : []),
  ];
  try {
    for (const { key, arrived } of followers) {
      await consul.put(key, 'first');
      await within(LIMIT_MS, 'the first file', arrived('first'));
    }
    await interleave(bench, {
      what: 'PUT → file',
      rounds: bench.rounds(ROUNDS),
      turns: followers.map((follower) => ({
        peer: follower.name,
        begin: () => sampled(consul, follower, PUT_TO_FILE, QUIET_MS),
      })),
    });
  } finally {
    for (const { stop } of followers) stop();
  }
}

/** A service that says when it was told; as a child of consul-template where that is measured. */
async function toReload(bench: Bench, consul: ConsulAgent): Promise<void> {
  const { stage } = bench;
  const run = `#!/bin/sh
exec 9>"$BELL"
trap 'cat "$HOME/app.conf" >&9' HUP
echo $$ >&9
while :; do sleep 100000 9>&- & wait; kill $!; done
`;
  const followers: (Follower & { running: () => Promise<unknown> })[] = [];
  const ourTree = (suffix: string, wait: string): void => {
    const key = `reload${suffix}`;
    const peer = oursWith(
      suffix,
      {
        'app/templates/app.hbs': `{{!--\ndest: \${HOME}/app.conf\non-change: reload\n--}}\n{{key "${key}"}}\n`,
      },
      { args: ['--wait', wait], env: { CONSUL_HTTP_ADDR: consul.address } },
    );
    const life = stage.start(peer, [{ name: 'app', run }]);
    followers.push({
      name: peer.name,
      key,
      arrived: (value) => rung(life.bell, value),
      running: () => life.running(),
      stop: () => life.end(),
    });
  };
  const theirTree = (): void => {
    const directory = stage.place();
    const bell = new Bell(join(directory, 'bell'));
    writeFiles(directory, { run, 'app.ctmpl': '{{key "reload-theirs"}}\n' });
    const argv = [THEIRS, '-consul-addr', consul.address, '-log-level', 'err'] as const;
    const exec = ['-exec', join(directory, 'run'), '-exec-reload-signal', 'SIGHUP'];
    stage.spawn(
      { argv: [...argv, '-template', `${directory}/app.ctmpl:${directory}/app.conf`, ...exec] },
      { directory, bell },
    );
    followers.push({
      name: THEIRS,
      key: 'reload-theirs',
      arrived: (value) => rung(bell, value),
      running: () => bell.rings(1, LIMIT_MS),
      stop: () => {
        bell.close();
        stage.discard(directory);
      },
    });
  };
  for (const key of ['reload', 'reload, --wait 100ms:2s', 'reload-theirs']) await consul.put(key, 'first');
  try {
    if (bench.peers.includes(ours)) {
      ourTree('', '0');
      ourTree(', --wait 100ms:2s', '100ms:2s');
    }
    if (onPath(THEIRS)) theirTree();
    for (const { running } of followers) await running();
    await interleave(bench, {
      what: 'PUT → service reloaded',
      rounds: bench.rounds(20),
      turns: followers.map((follower) => ({
        peer: follower.name,
        begin: () => sampled(consul, follower, PUT_TO_RELOAD, QUIET_RELOAD_MS),
      })),
    });
  } finally {
    for (const { stop } of followers) stop();
  }
}

/** Supervisor and templater together, with one well-behaved service, whatever makes them two. */
async function memory(bench: Bench, consul: ConsulAgent): Promise<void> {
  for (const count of bench.quick ? [1, 100] : [1, 1000]) {
    const keys = Array.from({ length: count }, (_, i) => `many/${i}`);
    for (const key of keys) await consul.put(key, 'x'.repeat(20));
    const text = keys.map((key) => `{{key "${key}"}}\n`).join('');
    const peers: Peer[] = [];
    if (bench.peers.includes(ours))
      peers.push(
        oursWith(
          '',
          { 's0000/templates/app.hbs': `{{!--\ndest: \${HOME}/app.conf\non-change: none\n--}}\n${text}` },
          { env: { CONSUL_HTTP_ADDR: consul.address } },
        ),
      );
    if (onPath(THEIRS))
      for (const peer of [s6, runit, supervisord])
        if (bench.peers.includes(peer)) peers.push(withConsulTemplate(peer, consul, text));
    await interleave(bench, {
      what: `memory with ${amount(count)}`,
      rounds: bench.rounds(5),
      turns: peers.map((peer) => memoryTurn(bench, peer, count)),
      settleMs: bench.quick ? 500 : 5000,
      together: true,
    });
  }
}

function memoryTurn({ stage }: Bench, peer: Peer, count: number): Turn {
  let end = (): void => {};
  let measured = (): Memory => ({ pss: 0, rss: 0, private: 0 });
  return {
    peer: peer.name,
    async begin() {
      const life = stage.start(peer, wellBehaved(1), peer.runsOnNode ? stage.ownNode(peer.name) : NODE);
      end = () => life.end();
      // Our services run once their files are there; others' files come when they come, within the time to settle.
      await life.running();
      measured = () => memoryOf(supervising(life.pid, life.pids));
      return [];
    },
    async finish() {
      const { pss, rss, private: own } = measured();
      end();
      return [
        [templaterMemory('pss', count), pss],
        [templaterMemory('private', count), own],
        [templaterMemory('rss', count), rss],
      ];
    },
  };
}

function withConsulTemplate(peer: Peer, consul: ConsulAgent, text: string): Peer {
  return {
    ...peer,
    name: `${peer.name} and ${THEIRS}`,
    lay(directory, services, node) {
      writeFiles(directory, { 'app.ctmpl': text });
      const run = `#!/bin/sh
exec ${THEIRS} -consul-addr ${consul.address} -log-level err -template "${directory}/app.ctmpl:${directory}/app.conf"
`;
      return peer.lay(directory, [...services, { name: THEIRS, run }], node);
    },
  };
}

/** Consul killed and started again with nothing in it, so with a lower index. */
async function recovery(bench: Bench, consul: ConsulAgent): Promise<void> {
  const followers = [
    ...(bench.peers.includes(ours) ? [ourFollower(bench, consul, '', '0')] : []),
    ...(onPath(THEIRS) ? [theirFollower(bench, consul)] : []),
  ];
  try {
    for (const { key, arrived } of followers) {
      await consul.put(key, 'first');
      await within(LIMIT_MS, 'the first file', arrived('first'));
    }
    for (let i = 0; i < 100; i++) await consul.put('elsewhere', String(i));
    let away = 0;
    await interleave(bench, {
      what: 'recovery',
      rounds: bench.rounds(RESTARTS),
      turns: followers.map((follower) => ({
        peer: follower.name,
        async begin() {
          await consul.kill();
          await pause((away++ % RESTARTS) * 500);
          await consul.restart();
          return sampled(consul, follower, RECOVERY, 0);
        },
      })),
    });
  } finally {
    for (const { stop } of followers) stop();
  }
}

interface Follower {
  name: string;
  key: string;
  /** Resolves when this value has come through. */
  arrived(value: string): Promise<unknown>;
  stop(): void;
}

let values = 0;
const arrivedLast = new WeakMap<Follower, number>();

async function sampled(
  consul: ConsulAgent,
  follower: Follower,
  quantity: Quantity,
  quietMs: number,
): Promise<[Quantity, number][]> {
  const last = arrivedLast.get(follower) ?? performance.now();
  await pause(last + quietMs - performance.now());
  const value = `value ${++values}`;
  const put = performance.now();
  await consul.put(follower.key, value);
  await within(LIMIT_MS, value, follower.arrived(value));
  const now = performance.now();
  arrivedLast.set(follower, now);
  return [[quantity, now - put]];
}

async function rung(bell: Bell, value: string): Promise<void> {
  const [ring] = await bell.rings(1, LIMIT_MS);
  if (ring?.line !== value) throw new Error(`"${ring?.line}" came instead of "${value}"`);
}

function ourFollower(bench: Bench, consul: ConsulAgent, suffix: string, wait: string): Follower {
  const key = `bench${suffix}`;
  return follower(bench, `${ours.name}${suffix}`, key, (directory) => {
    writeFiles(directory, {
      'services/app/templates/app.hbs': `{{!--\ndest: ${directory}/watched/app.conf\n--}}\n{{key "${key}"}}\n`,
    });
    const argv = [
      NODE,
      BUNDLE,
      'template',
      '--services',
      join(directory, 'services'),
      '--wait',
      wait,
    ] as const;
    return { argv, env: { CONSUL_HTTP_ADDR: consul.address } };
  });
}

function theirFollower(bench: Bench, consul: ConsulAgent): Follower {
  return follower(bench, THEIRS, 'bench-theirs', (directory) => {
    writeFiles(directory, { 'app.ctmpl': '{{key "bench-theirs"}}\n' });
    const template = `${directory}/app.ctmpl:${directory}/watched/app.conf`;
    return { argv: [THEIRS, '-consul-addr', consul.address, '-log-level', 'err', '-template', template] };
  });
}

function follower(
  { stage }: Bench,
  name: string,
  key: string,
  lay: (directory: string) => Command,
): Follower {
  const directory = stage.place();
  const arrivals = new Arrivals(join(directory, 'watched'), 'app.conf');
  stage.spawn(lay(directory), { directory });
  return {
    name,
    key,
    arrived: (value) => arrivals.of(`${value}\n`),
    stop() {
      arrivals.close();
      stage.discard(directory);
    },
  };
}

/** The least that one can do. */
function bareQuery(consul: ConsulAgent): Follower {
  const key = 'bench-bare';
  const stopped = new AbortController();
  const { signal } = stopped;
  let value = '';
  let told = (): void => {};
  void (async () => {
    for (let index = '0'; ; ) {
      const reply = await fetch(`http://${consul.address}/v1/kv/${key}?index=${index}&wait=50s`, { signal });
      index = reply.headers.get('x-consul-index') ?? '0';
      if (!reply.ok) continue;
      const [pair] = (await reply.json()) as { Value: string }[];
      value = Buffer.from(pair?.Value ?? '', 'base64').toString();
      told();
    }
  })().catch(() => {});
  return {
    name: FLOOR,
    key,
    async arrived(wanted) {
      while (value !== wanted)
        await new Promise<void>((resolve) => {
          told = resolve;
        });
    },
    stop: () => stopped.abort(),
  };
}
