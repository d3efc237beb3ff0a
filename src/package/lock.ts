import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOCK } from '../core/package.ts';
import { makeDirectories } from '../directories.ts';
import { causeOf, EXIT, errno, UserError } from '../errors.ts';
import type { Log } from '../log.ts';

/** It went while we were at its door, or there are too many at it: nothing that says that it is dead. */
const JUST_HELD = ['ECONNRESET', 'EPIPE', 'EAGAIN'];
/** Two who came in the same moment step back for different lengths of time. */
const STEP_BACK_MS = 100;

/**
 * Waits until nobody else installs into a directory, and keeps all others waiting.
 *
 * A lock is a Unix socket that its holder listens on, in the directory itself: whoever sees the directory can ask the kernel whether
 * the holder lives, also from another container, whose process ids mean nothing here. What nobody listens on is of a dead one.
 * No name is ever used twice, so to remove a dead one harms nobody, and each puts its own there before it looks for others: of two
 * at least one sees the other. Between machines that share a file system it says nothing.
 * @returns gives it up. Where the file system has no sockets there is no lock, as if nobody else were there
 * @throws UserError, or the signal's reason
 */
export async function lockDirectory(path: string, log: Log, signal: AbortSignal): Promise<() => void> {
  for (let isSaid = false; ; ) {
    const own = await raise(path).catch((error: unknown) => {
      log.debug('could not lock', { dir: path, cause: causeOf(error) });
      return undefined;
    });
    if (!own) return () => {};
    try {
      const holder = await findHolder(path, own.name);
      if (!holder) return own.lower;
      own.lower();
      if (!isSaid) log.info('waiting for another installation', { dir: path });
      isSaid = true;
      await holder.gone(signal);
    } catch (error) {
      own.lower();
      throw error;
    }
    await sleep(Math.random() * STEP_BACK_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** A socket of ours in the directory, by its name once somebody listens on it. */
async function raise(path: string): Promise<{ name: string; lower: () => void }> {
  const clients = new Set<Socket>();
  const server = createServer((socket) => {
    clients.add(socket.on('error', () => {}).on('close', () => clients.delete(socket)));
    socket.resume();
  });
  const id = randomBytes(12).toString('hex');
  const [name, unheard] = [`${LOCK}-${id}`, `${LOCK}.${id}`];
  // Whoever was waited for may have failed, and have removed it.
  makeDirectories(path, 0o777);
  await within(path, async (at) => {
    await listen(server, at(unheard));
    // Whoever runs as somebody else may ask as well.
    chmodSync(at(unheard), 0o666);
    renameSync(at(unheard), at(name));
  });
  return {
    name,
    lower() {
      server.close();
      for (const client of clients) client.destroy();
      rmSync(join(path, name), { force: true });
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
}

interface Holder {
  /** Resolves when it is gone, or when it is time to look again. */
  gone(signal: AbortSignal): Promise<void>;
}

/** Whoever else holds the directory; what is left of the dead is removed. */
async function findHolder(path: string, own: string): Promise<Holder | undefined> {
  for (const name of readdirSync(path)) {
    if (!name.startsWith(`${LOCK}-`) || name === own) continue;
    const socket = await within(path, (at) => reach(at(name))).catch((error: unknown) => {
      const code = errno(error);
      if (code === 'ENOENT') return undefined;
      if (code !== undefined && JUST_HELD.includes(code)) return 'just held';
      if (code !== 'ECONNREFUSED')
        throw new UserError(`cannot install into ${path}: ${name} cannot be asked: ${causeOf(error)}`, {
          hint: `where nobody installs there now, rm ${join(path, name)}`,
          exitCode: EXIT.system,
        });
      rmSync(join(path, name), { force: true });
      return undefined;
    });
    if (socket === 'just held') return { gone: async () => {} };
    if (socket) return { gone: (signal) => endOf(socket, signal) };
  }
  return undefined;
}

function reach(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

async function endOf(socket: Socket, signal: AbortSignal): Promise<void> {
  const abort = (): void => void socket.destroy();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  await new Promise<void>((resolve) => socket.resume().once('close', () => resolve()));
  signal.removeEventListener('abort', abort);
  signal.throwIfAborted();
}

/** A socket's path has 107 bytes at the most; the directory's own may have as many as it likes. */
async function within<T>(directory: string, use: (at: (name: string) => string) => Promise<T>): Promise<T> {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const pinned = `/proc/self/fd/${fd}`;
    const base = existsSync(pinned) ? pinned : directory;
    return await use((name) => join(base, name));
  } finally {
    closeSync(fd);
  }
}
