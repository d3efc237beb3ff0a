/** Whole lives of supervisors, from exec to the end: start and stop are the two ends of the same ones. */
import { once } from 'node:events';
import { NODE } from '../tree.ts';
import { type Bench, services, sizes } from './context.ts';
import { type Life, wellBehaved } from './life.ts';
import type { Peer, Service } from './peers/peer.ts';
import { FLOOR, type Quantity } from './results.ts';
import { affordable, interleave, type Samples, type Turn } from './rounds.ts';

const ROUNDS = 20;
/** Whoever has work left for after the start does it; runsv takes its time for a service that ends in its first second. */
const SETTLE_MS = 1500;
const lived = new WeakSet<Bench>();

export function startQuantity(count: number): Quantity {
  return { measure: 'start', what: `start: exec → first line of run, ${services(count)}`, unit: 'ms' };
}

export function stopQuantity(count: number): Quantity {
  return { measure: 'stop', what: `stop: signal → all gone, ${services(count)}`, unit: 'ms' };
}

/** Measures both, once, whoever of the two asks first. */
export async function live(bench: Bench): Promise<void> {
  if (lived.has(bench)) return;
  lived.add(bench);
  let before: { count: number; took: ReadonlyMap<string, number> } | undefined;
  for (const count of sizes(bench)) {
    const lives = affordable(bench, 'start and stop', count, before).map((peer) =>
      life(bench, peer, wellBehaved(count), startQuantity(count), stopQuantity(count)),
    );
    const took = await interleave(bench, {
      what: `start and stop, ${services(count)}`,
      rounds: bench.rounds(ROUNDS),
      turns: bench.floor ? [floor(bench, count), ...lives] : lives,
      settleMs: bench.quick ? 300 : SETTLE_MS,
      together: count < 1000,
    });
    before = { count, took };
  }
}

/** A life with these services. Only its stop is of interest where no quantity of its start is given. */
export function life(
  { stage }: Bench,
  peer: Peer,
  services: readonly Service[],
  start: Quantity | undefined,
  stop: Quantity,
): Turn {
  let life: Life | undefined;
  const over = (): void => {
    life?.end();
    life = undefined;
  };
  return {
    peer: peer.name,
    async begin(): Promise<Samples> {
      life = stage.start(peer, services);
      const sample = await life.running().catch((error: unknown) => {
        over();
        throw error;
      });
      return start ? [[start, sample]] : [];
    },
    async finish(): Promise<Samples> {
      try {
        return [[stop, (await life?.stop()) ?? Number.NaN]];
      } finally {
        over();
      }
    },
  };
}

/** A Node that does nothing, from its exec to its end. */
function floor({ stage }: Bench, count: number): Turn {
  return {
    peer: FLOOR,
    async begin() {
      const started = performance.now();
      const child = stage.spawn({ argv: [NODE, '-e', '0'] }, { directory: stage.directory });
      await once(child, 'exit');
      return [[startQuantity(count), performance.now() - started]];
    },
  };
}
