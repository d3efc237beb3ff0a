/** Why the tree stops; the first argument of `.supervise/finish`. */
export type StopReason = 'signal' | 'essential' | 'command' | 'stop';

/** What the exit code is made from when the tree has stopped. */
export interface Outcome {
  why: StopReason;
  /** How the main command ended, when there was one that ran. */
  command: Status | undefined;
  /** How the essential service ended that stopped the tree. */
  essential: Status | undefined;
  /** Something had to be killed. */
  killed: boolean;
}

/** As `finish` gets it: 256 and the signal, or the code and 0. */
export interface Status {
  code: number;
  signal: number;
}

/** A process's end as one exit code, as shells tell it: the code, or 128 + signal. */
export function exitCodeOf({ code, signal }: Status): number {
  return signal === 0 ? code & 0xff : 128 + signal;
}

/**
 * The tree's exit code ahead of the finish hook: the main command's own, else that of the essential service that ended,
 * else 0, or 137 when something had to be killed.
 */
export function treeExitCode({ why, command, essential, killed }: Outcome): number {
  // Whoever ended the tree tells its code; a main command that only obeyed the stop after it does not.
  if (why === 'essential' && essential) return exitCodeOf(essential);
  if (command) return exitCodeOf(command);
  return killed ? 137 : 0;
}

/**
 * Reads `--exit-map`: `143=0,130=0`. Returns undefined for what cannot be read.
 */
export function parseExitMap(text: string): ReadonlyMap<number, number> | undefined {
  const map = new Map<number, number>();
  for (const pair of text.split(',')) {
    const match = /^\s*(\d{1,3})=(\d{1,3})\s*$/.exec(pair);
    const [from, to] = [Number(match?.[1]), Number(match?.[2])];
    if (!match || from > 255 || to > 255) return undefined;
    map.set(from, to);
  }
  return map;
}
