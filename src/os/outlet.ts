import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { isatty, ReadStream } from 'node:tty';
import { errno } from '../errors.ts';

/** A pipe that polls as writable takes this much at once without blocking (POSIX PIPE_BUF on Linux). */
const ATOMIC = 4096;
/** Where nobody tells us when there is room again, we look: soon at first, then less and less often. */
const LOOK_FIRST_MS = 1;
const LOOK_LAST_MS = 64;

/** A way out that never blocks: our stdout or stderr, as long as whoever reads it may stop to do so. */
export interface Outlet {
  /** Two descriptors that lead to the same file have the same. */
  readonly id: string;
  /**
   * Writes as much as goes out at once; returns how many bytes that were.
   * @throws the system's error (EPIPE, ENOSPC, EIO …) when they will never go out
   */
  write(bytes: Buffer): number;
  /** Writes the rest, which did not go out at once and is left to us from now on, as room comes; then calls back. */
  finish(bytes: Buffer, done: (error: unknown) => void): void;
}

/**
 * Opens the file behind a descriptor once more, so that what we make non-blocking is ours alone: services, and whoever
 * started us, share the description that we inherited. Where that is refused (a socket, a pipe of another user), the
 * kernel is asked before each write.
 *
 * @param writable whether a write would not block, by the addon
 */
export function openOutlet(fd: number, writable: (fd: number) => boolean): Outlet {
  const stat = fstatSync(fd);
  const id = `${stat.dev}:${stat.ino}`;
  const terminal = isatty(fd);
  // A file is never full for a while, and has its place to write at in the description that all share.
  if (stat.isFile() || (stat.isCharacterDevice() && !terminal)) return { id, ...plain(fd) };
  try {
    const own = openSync(
      `/proc/self/fd/${fd}`,
      constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
    return { id, ...(terminal ? ownTerminal(own) : ownPipe(own)) };
  } catch {
    return { id, ...asking(fd, writable) };
  }
}

type Way = Omit<Outlet, 'id'>;

function plain(fd: number): Way {
  return {
    write: (bytes) => writeSync(fd, bytes),
    finish(bytes, done) {
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
        done(undefined);
      } catch (error) {
        done(error);
      }
    },
  };
}

function ownPipe(fd: number): Way {
  return throughSocket(fd, () => new Socket({ fd, readable: false, writable: true }));
}

/** Of Node's two streams on a terminal, the one that does not make it blocking; it is never read from. */
function ownTerminal(fd: number): Way {
  return throughSocket(fd, () => new ReadStream(fd));
}

/** The stream, which waits for room, is only made when there was none for the first time. */
function throughSocket(fd: number, open: () => Socket): Way {
  let socket: Socket | undefined;
  return {
    write: (bytes) => writeAtOnce(fd, bytes),
    finish(bytes, done) {
      socket ??= open().on('error', () => {});
      socket.write(bytes, (error) => done(error ?? undefined));
    },
  };
}

function writeAtOnce(fd: number, bytes: Buffer): number {
  try {
    return writeSync(fd, bytes);
  } catch (error) {
    if (errno(error) === 'EAGAIN') return 0;
    throw error;
  }
}

function asking(fd: number, writable: (fd: number) => boolean): Way {
  const write = (bytes: Buffer): number => {
    let at = 0;
    while (at < bytes.length && writable(fd)) {
      const written = writeAtOnce(fd, bytes.subarray(at, at + ATOMIC));
      if (written === 0) break;
      at += written;
    }
    return at;
  };
  return {
    write,
    finish(bytes, done) {
      let rest = bytes;
      const again = (wait: number): void => {
        try {
          const written = write(rest);
          rest = rest.subarray(written);
          const next = written > 0 ? LOOK_FIRST_MS : Math.min(wait * 2, LOOK_LAST_MS);
          if (rest.length === 0) done(undefined);
          else setTimeout(again, next, next);
        } catch (error) {
          done(error);
        }
      };
      setTimeout(again, LOOK_FIRST_MS, LOOK_FIRST_MS);
    },
  };
}
