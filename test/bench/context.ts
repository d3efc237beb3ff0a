/** What every measure is given. */
import type { Peer } from './peers/peer.ts';
import type { Results } from './results.ts';
import type { Stage } from './stage.ts';

export interface Bench {
  stage: Stage;
  results: Results;
  /** Who is here and asked for, ours first. */
  peers: readonly Peer[];
  /** Whether the floor is asked for. */
  floor: boolean;
  /** A minute instead of half an hour: one round of less, enough to see that all runs. */
  quick: boolean;
  /** How many rounds, where `usual` are wanted. */
  rounds(usual: number): number;
  /** How long one peer may take of one case. */
  shareMs: number;
  /** What is done now, for who waits. */
  progress(what: string): void;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}

export function services(count: number): string {
  return count === 1 ? '1 service' : `${count.toLocaleString('en')} services`;
}

/** Numbers of services that are compared. */
export function sizes({ quick }: Bench): readonly number[] {
  return quick ? [1, 10] : [1, 100, 1000];
}
