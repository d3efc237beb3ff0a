import { NODE } from '../../tree.ts';
import { type Bench, pause } from '../context.ts';
import { type Life, wellBehaved } from '../life.ts';
import { ours, oursWith } from '../peers/ours.ts';
import { cpuOf, supervising, wakeupsOf } from '../proc.ts';
import { FLOOR, type Quantity } from '../results.ts';

const WINDOW_MS = 60_000;
/** V8 tidies up for a while after the start. */
const SETTLE_MS = 30_000;

export const WAKEUPS: Quantity = {
  measure: 'idle',
  what: 'idle: wake-ups of the supervisor with 1 service',
  unit: 'a minute',
};
export const TREE_WAKEUPS: Quantity = {
  measure: 'idle',
  what: 'idle: wake-ups of all that supervises 1 service',
  unit: 'a minute',
};
const CPU: Quantity = {
  measure: 'idle',
  what: 'idle: CPU time of all that supervises 1 service',
  unit: 'ms a minute',
};

const TEMPLATER = oursWith(', with its templater', {
  's0000/templates/app.hbs': '{{!--\ndest: ${HOME}/app.conf\n--}}\n{{key "a"}}\n',
  '.supervise/kv.json': '{"kv":{"a":1}}',
});

/** (5) wake-ups of all threads, and CPU time, while nothing happens. All wait for that beside each other, once. */
export async function idle({ stage, peers, floor, quick, results, progress }: Bench): Promise<void> {
  progress('idle');
  const lives: Life[] = [];
  const watched: Watched[] = [];
  const floorsPlace = stage.place();
  try {
    if (floor) {
      const argv = [NODE, '-e', 'setInterval(() => {}, 1e9)'] as const;
      const { pid = 0 } = stage.spawn({ argv }, { directory: floorsPlace });
      watched.push({ peer: FLOOR, pids: [pid] });
    }
    for (const peer of peers.includes(ours) ? [...peers, TEMPLATER] : peers) {
      const life = stage.start(peer, wellBehaved(1));
      lives.push(life);
      await life.running();
      watched.push({ peer: peer.name, pids: [life.pid], life });
    }
    await pause(quick ? 1000 : SETTLE_MS);
    for (const one of watched) if (one.life) one.pids = supervising(one.life.pid, one.life.pids);
    const before = watched.map(taken);
    await pause(quick ? 3000 : WINDOW_MS);
    for (const [i, { peer, pids }] of watched.entries()) {
      const [from, to] = [before[i] as Taken, taken({ peer, pids })];
      const minutes = (to.at - from.at) / 60_000;
      results.add(WAKEUPS, peer, (to.ownWakeups - from.ownWakeups) / minutes);
      results.add(TREE_WAKEUPS, peer, (to.wakeups - from.wakeups) / minutes);
      results.add(CPU, peer, (to.cpu - from.cpu) / minutes);
    }
  } finally {
    for (const life of lives) life.end();
    stage.discard(floorsPlace);
  }
}

interface Watched {
  peer: string;
  /** The supervisor first. */
  pids: number[];
  life?: Life;
}

interface Taken {
  at: number;
  ownWakeups: number;
  wakeups: number;
  cpu: number;
}

function taken({ pids }: Watched): Taken {
  return {
    at: performance.now(),
    ownWakeups: wakeupsOf(pids.slice(0, 1)),
    wakeups: wakeupsOf(pids),
    cpu: cpuOf(pids),
  };
}
