import { NODE } from '../../tree.ts';
import { type Bench, services, sizes } from '../context.ts';
import { type Life, wellBehaved } from '../life.ts';
import type { Peer } from '../peers/peer.ts';
import { type Memory, memoryOf, supervising } from '../proc.ts';
import { FLOOR, type Quantity } from '../results.ts';
import { affordable, interleave, type Turn } from '../rounds.ts';

/** One needs many rounds, since a Node's memory differs from run to run; thousands of processes differ little. */
const ROUNDS: Record<number, number> = { 1: 20, 100: 5, 1000: 3 };
/** Until what the start needed is given back. */
const SETTLE_MS = 3000;

export function memoryQuantity(kind: keyof Memory, count: number): Quantity {
  const name = { pss: 'PSS', rss: 'RSS', private: 'private' }[kind];
  return { measure: 'memory', what: `memory: ${name} of all that supervises ${services(count)}`, unit: 'kB' };
}

/** (2) what the whole supervising tree takes when it is idle, services left out. */
export async function memory(bench: Bench): Promise<void> {
  let before: { count: number; took: ReadonlyMap<string, number> } | undefined;
  for (const count of sizes(bench)) {
    const trees = affordable(bench, 'memory', count, before).map((peer) => tree(bench, peer, count));
    const took = await interleave(bench, {
      what: `memory, ${services(count)}`,
      rounds: bench.rounds(ROUNDS[count] ?? 5),
      turns: bench.floor ? [floor(bench, count), ...trees] : trees,
      settleMs: bench.quick ? 500 : SETTLE_MS,
      together: count < 1000,
    });
    before = { count, took };
  }
}

function tree({ stage }: Bench, peer: Peer, count: number): Turn {
  let life: Life | undefined;
  const over = (): void => {
    life?.end();
    life = undefined;
  };
  return {
    peer: peer.name,
    async begin() {
      life = stage.start(peer, wellBehaved(count), peer.runsOnNode ? stage.ownNode(peer.name) : NODE);
      await life.running().catch((error: unknown) => {
        over();
        throw error;
      });
      return [];
    },
    async finish() {
      const { pid, pids } = life as Life;
      const measured = memoryOf(supervising(pid, pids));
      over();
      return samples(measured, count);
    },
  };
}

/** A Node that does nothing and stays. */
function floor({ stage }: Bench, count: number): Turn {
  let directory = '';
  let pid = 0;
  return {
    peer: FLOOR,
    async begin() {
      directory = stage.place();
      const node = stage.ownNode(FLOOR);
      ({ pid = 0 } = stage.spawn({ argv: [node, '-e', 'setInterval(() => {}, 1e9)'] }, { directory, node }));
      return [];
    },
    async finish() {
      const measured = memoryOf([pid]);
      stage.discard(directory);
      return samples(measured, count);
    },
  };
}

function samples(measured: Memory, count: number): [Quantity, number][] {
  return (['pss', 'private', 'rss'] as const).map((kind) => [memoryQuantity(kind, count), measured[kind]]);
}
