import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { errno } from '../errors.ts';

/** A template or a source of values is not larger than this. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Reads a file that is one: to wait for a FIFO's writer, or to read a device to its end, would hold everything up.
 * @param flags such as O_NOFOLLOW
 * @throws Error where it is no regular file, or larger than any that makes sense
 */
export async function readPlainFile(path: string, flags = 0): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | flags);
  try {
    const stat = await file.stat();
    if (stat.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    if (!stat.isFile()) throw new Error('it is not a regular file');
    if (stat.size > MOST_BYTES) throw new Error(`it is larger than ${MOST_BYTES} bytes`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** SHA-256 in hex. */
export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * The name of a file of ours beside a destination: hidden, of constant length, and not matched by the patterns (`*.conf`)
 * with which programs read a directory.
 */
export function hiddenName(path: string, what: string): string {
  return `.supervise-${createHash('sha256').update(basename(path)).digest('hex').slice(0, 12)}-${what}`;
}

/** Not mkdir's own `recursive`: that never returns below /proc, where making a directory is ENOENT all the way up. */
export async function makeDirectory(path: string): Promise<void> {
  const make = (): Promise<void> =>
    mkdir(path, { mode: 0o755 }).catch((error: unknown) => {
      if (errno(error) !== 'EEXIST') throw error;
    });
  try {
    await make();
  } catch (error) {
    if (errno(error) !== 'ENOENT' || path === dirname(path)) throw error;
    await makeDirectory(dirname(path));
    await make();
  }
}

/** How a file is opened whose directory others may change: a link is not followed, and no writer of a FIFO is waited for. */
const CAREFULLY = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A file that we may not read counts as different. */
export async function holds(path: string, old: Stats, bytes: Uint8Array): Promise<boolean> {
  if (old.size !== bytes.length) return false;
  const file = await open(path, constants.O_RDONLY | CAREFULLY).catch(() => undefined);
  if (!file) return false;
  try {
    return isSame(await file.stat(), old) && (await file.readFile()).equals(bytes);
  } finally {
    await file.close();
  }
}

/** Whether both are of one file. */
export function isSame(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

/** Whether it may be opened for writing; tried, since only the kernel knows about mounts and capabilities. */
export async function isWritable(path: string): Promise<boolean> {
  return withHandle(path, constants.O_RDWR, async () => {}).then(
    () => true,
    () => false,
  );
}

/** Replaces the content of an open file, on the disk and not only in memory. */
export async function overwrite(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, done)).bytesWritten;
  await file.truncate(bytes.length);
  await file.sync();
}

/** Has what was renamed in a directory survive a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  // Some file systems cannot sync a directory; the rename has happened all the same.
  const directory = await open(path, constants.O_RDONLY).catch(() => undefined);
  await directory?.sync().catch(() => {});
  await directory?.close();
}

/** Opens a file, or a directory, for a while; never what a link points to. */
export async function withHandle<T>(
  path: string,
  flags: number,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(path, flags | CAREFULLY);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** Undefined for what is not there; all else is thrown on. */
export function unlessMissing(error: unknown): undefined {
  if (errno(error) !== 'ENOENT') throw error;
  return undefined;
}
