import { closeSync, fchmodSync, fstatSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { isatty } from 'node:tty';
import { getSystemErrorName } from 'node:util';
import type { Native } from './native.ts';

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

/** Reads are taken one at a time and used up before the next, so that all pipes read into one buffer. */
const shared = Buffer.allocUnsafeSlow(PIPE_BYTES);

/** What comes out of a pipe, as soon as it comes. */
export class PipeReader {
  readonly #fd: number;
  readonly #socket: Socket;

  /**
   * @param fd its read end; it becomes non-blocking, which the write end, another description, does not notice
   * @param take gets the bytes for the time of the call, and says whether it wants more now; if not, `resume()` does
   */
  constructor(fd: number, take: (bytes: Buffer) => boolean) {
    this.#fd = fd;
    this.#socket = new Socket({
      fd,
      readable: true,
      writable: false,
      onread: { buffer: shared, callback: (length: number) => take(shared.subarray(0, length)) },
    } as ConstructorParameters<typeof Socket>[0]);
    // An end of it there is only when we close it ourselves.
    this.#socket.on('error', () => {});
    this.#socket.resume();
  }

  /** Goes on after `take` wanted no more. */
  resume(): void {
    this.#socket.resume();
  }

  /** What is in the pipe at this moment, `into`'s length at the most. Returns how many bytes; 0 for none. */
  readNow(into: Buffer): number {
    try {
      return readSync(this.#fd, into);
    } catch {
      return 0; // EAGAIN: it is empty.
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

/**
 * Lets other users open our own stdout and stderr again, where those are a pipe, or the terminal of the container whose PID 1
 * we are. A file, or a terminal that others use too, is not ours to open up.
 */
export function openToOthers(): void {
  for (const fd of [1, 2]) {
    try {
      const stat = fstatSync(fd);
      if (stat.isFIFO() || (process.pid === 1 && isatty(fd))) fchmodSync(fd, (stat.mode & 0o777) | 0o222);
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
