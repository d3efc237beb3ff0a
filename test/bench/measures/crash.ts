import { type Bench, pause } from '../context.ts';
import { type Life, wellBehaved } from '../life.ts';
import type { Peer } from '../peers/peer.ts';
import type { Quantity } from '../results.ts';
import { interleave } from '../rounds.ts';

const ROUNDS = 20;
/** A service that was up for so long is taken for one that works. */
const UP_MS = 2000;
const LIMIT_MS = 30_000;

export const CRASH: Quantity = {
  measure: 'crash',
  what: `crash: kill -9 of a service that was up for ${UP_MS / 1000} s → its run executed again`,
  unit: 'ms',
};

/** (3) */
export async function crash(bench: Bench): Promise<void> {
  const lives = new Map<string, Life>();
  try {
    await interleave(bench, {
      what: 'crash',
      rounds: bench.rounds(ROUNDS),
      turns: bench.peers.filter(restarts).map((peer) => ({
        peer: peer.name,
        async begin() {
          let life = lives.get(peer.name);
          if (!life) {
            life = bench.stage.start(peer, wellBehaved(1));
            lives.set(peer.name, life);
            await life.running();
          }
          return [[CRASH, await crashed(life)]];
        },
      })),
    });
  } finally {
    for (const life of lives.values()) life.end();
  }
}

async function crashed(life: Life): Promise<number> {
  const [pid = 0] = life.pids;
  // While others took their turns, it was up as well.
  await pause(life.since + UP_MS - performance.now());
  const killed = performance.now();
  process.kill(pid, 'SIGKILL');
  return (await life.again(LIMIT_MS)) - killed;
}

function restarts({ capacity }: Peer): boolean {
  return capacity > 1;
}
