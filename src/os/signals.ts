import { constants } from 'node:os';
import { takeEarlySignals } from './early.ts';

/**
 * What we listen to, each by name and number. Left out: KILL and STOP, which nobody can; CHLD, which is the reaper's; those
 * that a fault raises in us (SEGV, BUS, FPE, ILL, ABRT, TRAP, SYS); PIPE, which Node ignores already; PROF, which its
 * profiler uses; TTIN and TTOU, which must be ignored rather than caught, or a write to a terminal would be retried for ever.
 */
export const CATCHABLE = [
  ...['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGCONT', 'SIGTSTP'],
  ...['SIGALRM', 'SIGVTALRM', 'SIGURG', 'SIGIO', 'SIGPWR', 'SIGSTKFLT', 'SIGXCPU', 'SIGXFSZ'],
] as const satisfies readonly NodeJS.Signals[];

/** The real-time signals, but for the two of libc. To be ignored where we can: by default each would end us, and Node knows none. */
export const REAL_TIME: readonly number[] = Array.from({ length: 31 }, (_, i) => 34 + i);

/** What they do to a tree, for `supervise help signals`. */
export const SIGNALS: Readonly<Record<string, string>> = {
  'SIGTERM, SIGINT': 'stop the tree; the second one at once: what still runs is killed',
  SIGHUP: 'read the services directory again (rescan); from a terminal that is gone: stop the tree',
  others: 'passed to the main command, else to the essential service, else nothing',
  'SIGRTMIN to SIGRTMAX': 'nothing; without the addon each ends supervise where it is not PID 1',
  'SIGKILL, SIGSTOP': 'cannot be caught; where supervise is not PID 1, its services are left running',
};

/** The others. */
export const PASSED_ON: readonly string[] = CATCHABLE.slice(3);

/**
 * Takes all signals that can be taken, so that none ends us by its default. To listen to SIGUSR1 also keeps Node from
 * opening its debugger at it. Stops that came while we were being loaded are taken at once.
 * @param only these, by number; the others do what they do by default
 * @returns takes them no more
 */
export function onSignals(take: (number: number) => void, only?: readonly number[]): () => void {
  const taken = CATCHABLE.filter((name) => !only || only.includes(constants.signals[name])).map((name) => {
    const listener = (): void => take(constants.signals[name]);
    process.on(name, listener);
    return () => process.off(name, listener);
  });
  for (const name of takeEarlySignals()) take(constants.signals[name]);
  return () => {
    for (const release of taken) release();
  };
}
