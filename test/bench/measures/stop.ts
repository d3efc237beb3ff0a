import type { Bench } from '../context.ts';
import { life, live } from '../lives.ts';
import type { Service } from '../peers/peer.ts';
import type { Quantity } from '../results.ts';
import { interleave } from '../rounds.ts';

const ROUNDS = 10;
const SETTLE_MS = 1500;
/** What each of four services takes to end, ms. */
const TAKES = [0, 50, 100, 300];

export const STOP_OF_FOUR: Quantity = {
  measure: 'stop',
  what: `stop: signal → all gone, four services that take ${TAKES.join(', ')} ms`,
  unit: 'ms',
};

/** (4) the signal that stops → supervisor and services gone: of services that end at once, and of four that take their time. */
export async function stop(bench: Bench): Promise<void> {
  await live(bench);
  const services = TAKES.map(taking);
  await interleave(bench, {
    what: 'stop of four services',
    rounds: bench.rounds(ROUNDS),
    turns: bench.peers
      .filter(({ capacity }) => capacity >= services.length)
      .map((peer) => life(bench, peer, services, undefined, STOP_OF_FOUR)),
    settleMs: bench.quick ? 300 : SETTLE_MS,
    together: true,
  });
}

/** A service that ends so long after its signal. What it leaves is a sleep that does not hold the bell. */
function taking(ms: number): Service {
  return {
    name: `takes-${ms}`,
    run: `#!/bin/sh
exec 9>"$BELL"
sleep 100000 9>&- &
sleeper=$!
trap 'kill $sleeper; sleep ${ms / 1000}; exit 0' TERM INT
echo $$ >&9
while :; do wait; done
`,
  };
}
