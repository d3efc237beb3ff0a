import { printable, printableLines } from './core/printable.ts';

/** Exit codes that users and scripts may rely on; the values are s6's. */
export const EXIT = {
  yes: 0,
  no: 1,
  timedOut: 99,
  usage: 100,
  system: 111,
} as const;

/** What each means, of a verb that asks or tells a running tree. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  yes: 'yes, or done',
  no: 'no: not well, not running, failed for good, or what was waited for cannot happen by itself',
  timedOut: 'timed out: --timeout, or a supervisor that gives no answer',
  usage: 'wrong usage: no such verb, option, service or signal, or a refused configuration',
  system: 'the system refused: no supervisor there, or no permission to ask it',
};

/**
 * An error meant for a person: the message says what could not be done and why, in the form
 * `cannot <verb> <object>: <cause>`; the hint, when there is one, says how to mend it.
 */
export class UserError extends Error {
  readonly hint: string | undefined;
  /** The exit code when this error ends the program. */
  readonly exitCode: number;

  /** By name: the packed verbs (build/packed.ts) have a copy of this class, and theirs are ours. */
  static override [Symbol.hasInstance](error: unknown): error is UserError {
    return error instanceof Error && error.name === 'UserError';
  }

  constructor(
    message: string,
    options: { hint?: string | undefined; exitCode?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'UserError';
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? EXIT.usage;
  }
}

/** The message as people read it, on a terminal too: the error, and its hint on a line of its own. */
export function describe(error: unknown): string {
  if (error instanceof UserError)
    return `${printable(error.message)}${error.hint ? `\n  hint: ${printableLines(error.hint)}` : ''}`;
  return printableLines(error instanceof Error ? (error.stack ?? error.message) : String(error));
}

/** The cause part of a message: an errno in words where there is one, else the error's own text. */
export function causeOf(error: unknown): string {
  const code = errno(error);
  if (code) return WORDS[code] ?? code;
  return error instanceof Error ? error.message : String(error);
}

/** `ENOENT` and the like, where the error carries one. */
export function errno(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

const WORDS: Record<string, string> = {
  E2BIG: 'the arguments and variables are too long (E2BIG)',
  EACCES: 'permission denied (EACCES)',
  EADDRINUSE: 'address in use (EADDRINUSE)',
  EAGAIN: 'the system has none to spare just now (EAGAIN)',
  ECONNREFUSED: 'nobody listens there (ECONNREFUSED)',
  ECONNRESET: 'the connection was cut (ECONNRESET)',
  EHOSTUNREACH: 'there is no way to that host (EHOSTUNREACH)',
  EINVAL: 'an argument that the system does not take (EINVAL)',
  EISDIR: 'it is a directory (EISDIR)',
  ELOOP: 'too many levels of symbolic links (ELOOP)',
  EMFILE: 'too many open files (EMFILE)',
  ENETUNREACH: 'there is no way to that network (ENETUNREACH)',
  ENOENT: 'no such file or directory (ENOENT)',
  ENOEXEC: 'it is neither a program nor a script (ENOEXEC)',
  ENOMEM: 'out of memory (ENOMEM)',
  ENOSPC: 'no space left on the device (ENOSPC)',
  ENOTDIR: 'a part of the path is not a directory (ENOTDIR)',
  ENOTFOUND: 'there is no such host (ENOTFOUND)',
  EPERM: 'operation not permitted (EPERM)',
  EPIPE: 'nobody reads it any more (EPIPE)',
  EROFS: 'read-only file system (EROFS)',
  ETIMEDOUT: 'timed out (ETIMEDOUT)',
  ETXTBSY: 'the file is open for writing (ETXTBSY)',
};

/** Longer is no typing mistake, and its distances would cost time. */
const MOST_WORD = 64;

/** The candidate that a mistyped word most likely meant, or undefined when none is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > MOST_WORD) return undefined;
  let best: string | undefined;
  let least = Math.floor(word.length / 3) + 2;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= least) continue;
    const distance = editDistance(word, candidate);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Damerau–Levenshtein (adjacent transpositions count once). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const cell = (i: number, j: number): number => rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let value = Math.min(cell(i - 1, j) + 1, (row[j - 1] ?? 0) + 1, cell(i - 1, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        value = Math.min(value, cell(i - 2, j - 2) + 1);
      row[j] = value;
    }
  }
  return cell(a.length, b.length);
}
