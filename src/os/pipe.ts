import { closeSync, fchmodSync, fstatSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import type { Native } from './native.ts';
import { isTerminal } from './terminal.ts';

/** The ends of a pipe, as descriptors of ours. */
export interface Pipe {
  readonly read: number;
  readonly write: number;
}

/**
 * Makes a pipe that whoever is given an end of may open again, as `/dev/stdout` or `/dev/stdin`, also as another user than
 * we: by nature it would be its maker's alone. Nobody else finds the way to it.
 * @throws Error with the system's `code`, such as EMFILE
 */
export function makePipe(native: Native): Pipe {
  const ends = native.pipe();
  if (typeof ends === 'number') {
    const code = getSystemErrorName(ends);
    throw Object.assign(new Error(`pipe: ${code}`), { code });
  }
  const [read, write] = ends;
  fchmodSync(write, 0o666);
  return { read, write };
}

/** What a pipe holds at the most (Linux's default), and so what one read takes. */
export const PIPE_BYTES = 65_536;

/**
 * Lets other users open our own stdout and stderr again, where those are a pipe, or the terminal of the container whose PID 1
 * we are. A file, or a terminal that others use too, is not ours to open up.
 */
export function openToOthers(): void {
  for (const fd of [1, 2]) {
    try {
      const stat = fstatSync(fd);
      if (stat.isFIFO() || (process.pid === 1 && isTerminal(fd))) fchmodSync(fd, (stat.mode & 0o777) | 0o222);
    } catch {
      // Not ours. Who inherits it can write to it all the same.
    }
  }
}

/** Closes a descriptor; one that is closed already is none of our worries. */
export function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // Nothing that could be done about it.
  }
}
