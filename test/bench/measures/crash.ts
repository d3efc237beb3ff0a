import { type Bench, pause } from '../context.ts';
import { type Life, wellBehaved } from '../life.ts';
import { ours, oursWith } from '../peers/ours.ts';
import type { Peer } from '../peers/peer.ts';
import { runit } from '../peers/runit.ts';
import { s6 } from '../peers/s6.ts';
import type { Quantity } from '../results.ts';
import { interleave, type Turn } from '../rounds.ts';

const ROUNDS = 20;
/** A service that was up for so long is taken for one that works. */
const UP_MS = 2000;
const LIMIT_MS = 30_000;

export const CRASH: Quantity = {
  measure: 'crash',
  what: `crash: kill -9 of a service that was up for ${UP_MS / 1000} s → its run executed again`,
  unit: 'ms',
};
const CRASH_WITH_FINISH: Quantity = {
  measure: 'crash',
  what: 'crash: the same with a finish script on the way (ours: and a crash hook)',
  unit: 'ms',
};

/** (3) All trees are up at once: while one waits for its crash, so do the others. */
export async function crash(bench: Bench): Promise<void> {
  const lives: Life[] = [];
  try {
    await interleave(bench, {
      what: 'crash',
      rounds: bench.rounds(ROUNDS),
      turns: bench.peers.filter(restarts).map((peer) => turn(bench, peer, lives)),
    });
  } finally {
    for (const life of lives) life.end();
  }
}

function turn({ stage }: Bench, peer: Peer, lives: Life[]): Turn {
  let subjects: (readonly [Quantity, Life])[] | undefined;
  const started = async (subject: Peer, finish?: string): Promise<Life> => {
    const life = stage.start(
      subject,
      wellBehaved(1).map((service) => ({ ...service, ...(finish !== undefined && { finish }) })),
    );
    lives.push(life);
    await life.running();
    return life;
  };
  return {
    peer: peer.name,
    async begin() {
      if (subjects === undefined) {
        subjects = [[CRASH, await started(peer)]];
        const hooked = withFinish(peer);
        if (hooked) subjects.push([CRASH_WITH_FINISH, await started(hooked, NOTHING)]);
      }
      const samples: [Quantity, number][] = [];
      for (const [quantity, life] of subjects) samples.push([quantity, await crashed(life)]);
      return samples;
    },
  };
}

async function crashed(life: Life): Promise<number> {
  const [pid = 0] = life.pids;
  await pause(life.since + UP_MS - performance.now());
  const killed = performance.now();
  process.kill(pid, 'SIGKILL');
  return (await life.again(LIMIT_MS)) - killed;
}

const NOTHING = '#!/bin/sh\n';

/** Those that run a program after each death. */
function withFinish(peer: Peer): Peer | undefined {
  if (peer === ours) return oursWith('', { '.supervise/crash': NOTHING });
  return peer === s6 || peer === runit ? peer : undefined;
}

function restarts({ capacity }: Peer): boolean {
  return capacity > 1;
}
