import { writeSync } from 'node:fs';
import { now } from './clock.ts';

/** Enough for some ten thousand lines; beyond it the oldest go, and their number is told. */
const MOST_HELD = 4 * 1024 * 1024;
/** A pipe that polls as writable takes this much at once without blocking (POSIX PIPE_BUF on Linux). */
const ATOMIC = 4096;
const RETRY_MS = 250;
const LOOK_MS = 5;

/** Where our log's lines go. */
export interface LineOutlet {
  /** Whether a write would be taken now, and not block. */
  takes(): boolean;
  /** Writes some of it, from its beginning; returns how many bytes. @throws the system's error */
  write(bytes: Buffer): number;
  /** Calls back once, when it takes something again; where nobody can tell, we ask now and then. */
  onceTaking?(again: () => void): void;
}

/**
 * Our log's way out: never throws and, where the addon can ask the kernel first, never blocks. A reader that stopped
 * reading (a stuck log driver, `supervise 2>&1 | less`) must not stop the supervision of everything else. What cannot be
 * written yet is held, in order, and tried again.
 */
export function lineSink(outlet: LineOutlet): LogSink {
  const held: Buffer[] = [];
  let size = 0;
  let lost = 0;
  let timer: NodeJS.Timeout | undefined;
  let waiting = false;
  /** The outlet may have something to say itself, in the middle of a write: that it is broken. It comes behind. */
  let pushing = false;

  const push = (): void => {
    pushing = true;
    try {
      pushAll();
    } finally {
      pushing = false;
    }
  };

  const pushAll = (): void => {
    while (held[0]) {
      if (!outlet.takes()) return;
      let written = held[0].length;
      try {
        written = outlet.write(held[0]);
      } catch (error) {
        // EAGAIN: somebody made the description non-blocking; wait. Anything else (EPIPE, ENOSPC, EBADF, EIO) will not
        // get better for this piece: let it go rather than hold everything after it.
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return;
      }
      size -= written;
      if (written === held[0].length) held.shift();
      else held[0] = held[0].subarray(written);
    }
  };

  const flush = (): void => {
    push();
    clearTimeout(timer);
    timer = undefined;
    if (!held[0]) {
      if (lost > 0) {
        const count = lost;
        lost = 0;
        write(`supervise: ${count} log lines lost: nobody read them\n`);
      }
      return;
    }
    if (outlet.onceTaking) {
      waiting = true;
      outlet.onceTaking(() => {
        waiting = false;
        flush();
      });
    } else timer = setTimeout(flush, RETRY_MS).unref();
  };

  const write = (line: string): void => {
    const bytes = Buffer.from(line);
    held.push(bytes);
    size += bytes.length;
    while (size > MOST_HELD && held.length > 1) {
      size -= held.splice(1, 1)[0]?.length ?? 0;
      lost++;
    }
    if (!timer && !waiting && !pushing) flush();
  };

  /** By looking: it is for the very end, and a short while. */
  const drain = async (timeout: number): Promise<void> => {
    const end = now() + timeout;
    for (flush(); held[0] && now() < end; flush()) await pause(LOOK_MS);
  };

  return { write, flush, drain };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * The descriptor itself: `process.stderr` would make a pipe non-blocking for the services that inherit it too.
 *
 * @param writable whether a write to the descriptor would not block; undefined where nobody can tell
 */
export function descriptor(fd: number, writable: ((fd: number) => boolean) | undefined): LineOutlet {
  return {
    takes: () => !writable || writable(fd),
    write: (bytes) => writeSync(fd, bytes.subarray(0, ATOMIC)),
  };
}

export interface LogSink {
  /** Takes one whole line, newline included. */
  write(line: string): void;
  /** One more try at what is held. */
  flush(): void;
  /**
   * Writes what is held, ahead of the exit, as far as somebody reads it in time.
   * @param timeout ms
   */
  drain(timeout: number): Promise<void>;
}
