import { constants } from 'node:os';

const NUMBERS: Readonly<Record<string, number>> = constants.signals;
const NAMES = new Map(Object.entries(NUMBERS).map(([name, number]) => [number, name]));
// os.constants lists these aliases too; the common name wins.
for (const name of ['SIGABRT', 'SIGIO', 'SIGSYS']) if (NUMBERS[name]) NAMES.set(NUMBERS[name], name);

// Linux as glibc and musl present it: the first real-time signals are the C library's own.
const RTMIN = 34;
const RTMAX = 64;

/**
 * Reads a signal as people write it: `TERM`, `SIGTERM`, `15`, `RTMIN+3`. Returns its number, or undefined for what is none.
 */
export function parseSignal(text: string): number | undefined {
  const word = text.trim().toUpperCase();
  if (/^\d+$/.test(word)) {
    const number = Number(word);
    return number >= 1 && number <= RTMAX ? number : undefined;
  }
  const name = word.startsWith('SIG') ? word : `SIG${word}`;
  const realTime = /^SIGRT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (realTime) {
    const offset = Number(realTime[3] ?? 0) * (realTime[2] === '-' ? -1 : 1);
    const number = (realTime[1] === 'MIN' ? RTMIN : RTMAX) + offset;
    return number >= RTMIN && number <= RTMAX ? number : undefined;
  }
  // No property that every object has begins so.
  return NUMBERS[name];
}

/** `SIGTERM` for 15; `SIGRTMIN+3` for 37. */
export function signalName(number: number): string {
  if (number >= RTMIN) return number === RTMIN ? 'SIGRTMIN' : `SIGRTMIN+${number - RTMIN}`;
  return NAMES.get(number) ?? `signal ${number}`;
}

/** What nobody can catch, and so nobody can obey in its own way. */
export const UNCATCHABLE: readonly number[] = [constants.signals.SIGKILL, constants.signals.SIGSTOP];

/** How a process ended, in words: `exit 3`, `SIGKILL`. */
export function endName(status: { code: number; signal: number }): string {
  return status.signal === 0 ? `exit ${status.code}` : signalName(status.signal);
}
