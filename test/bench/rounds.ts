/** Who is measured side by side takes turns: what else the machine does then falls on all alike. */
import { type Bench, pause, services } from './context.ts';
import type { Peer } from './peers/peer.ts';
import type { Quantity } from './results.ts';

export type Samples = readonly (readonly [Quantity, number])[];

export interface Turn {
  peer: string;
  begin(): Promise<Samples>;
  /** What follows once it is settled. */
  finish?(): Promise<Samples>;
}

export interface Rounds {
  /** The case, in words. */
  what: string;
  rounds: number;
  turns: readonly Turn[];
  /** From `begin` to `finish`, ms. */
  settleMs?: number;
  /** Whether one settles beside the other, or has the machine for itself from begin to finish. */
  together?: boolean;
}

/**
 * One round to warm up, whose figures are thrown away (a quick run has none), then `rounds` of them; each begins with another
 * peer. Who has used up its share of the time leaves; who fails is not asked again. Either is said.
 *
 * @returns how long a round took each peer, ms; who failed is not in it
 */
export async function interleave(
  bench: Bench,
  { what, rounds, turns, settleMs = 0, together }: Rounds,
): Promise<ReadonlyMap<string, number>> {
  const { results, shareMs, progress, quick } = bench;
  const first = quick ? 1 : 0;
  const spent = new Map(turns.map(({ peer }) => [peer, 0]));
  const took = new Map<string, number>();
  for (let round = first; round <= rounds && spent.size > 0; round++) {
    progress(`${what}: ${round === 0 ? 'warm-up' : `round ${round} of ${rounds}`}`);
    const order = turns.map((_, i) => turns[(i + round) % turns.length] as Turn);
    const samples = new Map<string, [Quantity, number][]>(turns.map(({ peer }) => [peer, []]));
    const step = async ({ peer }: Turn, once: (() => Promise<Samples>) | undefined): Promise<void> => {
      if (!once || !spent.has(peer)) return;
      const started = performance.now();
      try {
        samples.get(peer)?.push(...((await once()) as [Quantity, number][]));
        spent.set(peer, (spent.get(peer) ?? 0) + performance.now() - started);
      } catch (error) {
        leave(peer, `given up in round ${round} of ${rounds}: ${(error as Error).message}`);
      }
    };
    if (together) {
      for (const turn of order) await step(turn, turn.begin);
      await pause(settleMs);
      for (const turn of order) await step(turn, turn.finish);
    } else
      for (const turn of order) {
        await step(turn, turn.begin);
        if (turn.finish && spent.has(turn.peer)) await pause(settleMs);
        await step(turn, turn.finish);
      }
    for (const [peer, time] of spent) {
      const each = time / (round - first + 1);
      took.set(peer, each);
      // The only round of the slowest counts, there will be no other.
      if (round > 0 || time > shareMs)
        for (const [quantity, sample] of samples.get(peer) ?? []) results.add(quantity, peer, sample);
      if (time <= shareMs || round === rounds) continue;
      const rest = round === 0 ? 'the round to warm up is all there is' : `${round} of ${rounds} rounds`;
      leave(peer, `${rest}, each takes ${(each / 1000).toFixed(1)} s`);
    }
  }
  return took;

  function leave(peer: string, why: string): void {
    spent.delete(peer);
    results.say(`${what}: ${peer}: ${why}`);
  }
}

/** The peers that can run so many services within their share of the time, judged by how they did with fewer. */
export function affordable(
  { peers, results, shareMs }: Bench,
  measure: string,
  count: number,
  before: { count: number; took: ReadonlyMap<string, number> } | undefined,
): Peer[] {
  return peers.filter(({ name, capacity }) => {
    if (capacity < count) return false;
    const took = before?.took.get(name) ?? 0;
    // Of what one takes, most is no service's.
    if (!before || before.count < 100 || (took * count) / before.count <= shareMs) return true;
    results.say(
      `${measure}, ${services(count)}: ${name}: left out, ${services(before.count)} took ${(took / 1000).toFixed(1)} s`,
    );
    return false;
  });
}
