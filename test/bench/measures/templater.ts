import { type ConsulAgent, startConsul } from '../../consul.ts';
import { type Bench, pause } from '../context.ts';
import {
  bareQuery,
  type Follower,
  ourFile,
  ourService,
  Putter,
  THEIRS,
  theirFile,
  theirService,
  WAITS,
} from '../followers.ts';
import { onPath } from '../path.ts';
import { ours } from '../peers/ours.ts';
import type { Quantity } from '../results.ts';
import { interleave } from '../rounds.ts';
import { templatersMemory } from './templater-memory.ts';

const ROUNDS = 50;
const RELOAD_ROUNDS = 20;
const RESTARTS = 10;
/** From one PUT to the next: nobody counts them as a storm. */
const QUIET_MS = 150;
/** A service that was reloaded sooner after the last time is taken for one that does not cope. */
const QUIET_RELOAD_MS = 1200;
/** One connection for each key, which is consul-template's way, is more than Consul allows. */
const CONNECTIONS = { limits: { http_max_conns_per_client: 5000 } };

export const PUT_TO_FILE = quantity('PUT → file, ours with --wait 0');
export const PUT_TO_RELOAD = quantity('PUT → service reloaded, ours with --wait 0');
const RECOVERY = quantity('Consul, empty, answers again after up to 5 s → a new value is in the file');

/** (8) with a real agent: how soon a value is where it is used, and what knowing it costs. */
export async function templater(bench: Bench): Promise<void> {
  const consul = await startConsul({ config: CONNECTIONS }).catch((error: unknown) =>
    bench.results.say(`templater was not measured: ${(error as Error).message}`),
  );
  if (!consul) return;
  if (!onPath(THEIRS)) bench.results.say(`templater: ${THEIRS} was not run: it is not on PATH`);
  const isTheirsHere = onPath(THEIRS) !== undefined;
  const waits = bench.peers.includes(ours) ? WAITS : [];
  try {
    const files = [
      ...(bench.floor ? [bareQuery(consul)] : []),
      ...waits.map((waiting) => ourFile(bench, consul, waiting)),
      ...(isTheirsHere ? [theirFile(bench, consul)] : []),
    ];
    await puts(bench, consul, files, PUT_TO_FILE, ROUNDS, QUIET_MS);
    const services: Follower[] = [];
    for (const waiting of waits) services.push(await ourService(bench, consul, waiting));
    if (isTheirsHere) services.push(await theirService(bench, consul));
    await puts(bench, consul, services, PUT_TO_RELOAD, RELOAD_ROUNDS, QUIET_RELOAD_MS);
    await templatersMemory(bench, consul);
    await recovery(bench, consul, [
      ...waits.slice(0, 1).map((waiting) => ourFile(bench, consul, waiting)),
      ...(isTheirsHere ? [theirFile(bench, consul)] : []),
    ]);
  } finally {
    await consul.stop();
  }
}

/** A bare blocking query is the floor: what is between is the templater's. */
async function puts(
  bench: Bench,
  consul: ConsulAgent,
  followers: readonly Follower[],
  quantity: Quantity,
  rounds: number,
  quietMs: number,
): Promise<void> {
  const putter = new Putter(consul);
  try {
    // Each has connected and shown its first value.
    for (const follower of followers) await putter.put(follower);
    await interleave(bench, {
      what: quantity.what,
      rounds: bench.rounds(rounds),
      turns: followers.map((follower) => ({
        peer: follower.name,
        begin: async () => [[quantity, await putter.put(follower, quietMs)]],
      })),
    });
  } finally {
    for (const { stop } of followers) stop();
  }
}

/** Consul killed and started again with nothing in it, so with a lower index. */
async function recovery(bench: Bench, consul: ConsulAgent, followers: readonly Follower[]): Promise<void> {
  const putter = new Putter(consul);
  try {
    for (const follower of followers) await putter.put(follower);
    for (let i = 0; i < 100; i++) await consul.put('elsewhere', String(i));
    let away = 0;
    await interleave(bench, {
      what: RECOVERY.what,
      rounds: bench.rounds(RESTARTS),
      turns: followers.map((follower) => ({
        peer: follower.name,
        async begin() {
          await consul.kill();
          await pause((away++ % RESTARTS) * 500);
          await consul.restart();
          return [[RECOVERY, await putter.put(follower)]];
        },
      })),
    });
  } finally {
    for (const { stop } of followers) stop();
  }
}

function quantity(what: string): Quantity {
  return { measure: 'templater', what: `templater: ${what}`, unit: 'ms' };
}
