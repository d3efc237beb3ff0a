import { hash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  ftruncateSync,
  openSync,
  readFileSync,
  type Stats,
  writeSync,
} from 'node:fs';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { errno } from '../errors.ts';

/** A template or a source of values is not larger than this. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Has what was written to an open file, or renamed in an open directory, survive a power cut. The one call here that other
 * work goes on beside: it is as slow as the disk, where all others are over sooner than a turn of the loop.
 */
export const sync: (fd: number) => Promise<void> = promisify(fsync);

/**
 * Reads a file that is one: to wait for a FIFO's writer, or to read a device to its end, would hold everything up.
 * @param flags such as O_NOFOLLOW
 * @throws Error where it is no regular file, or larger than any that makes sense
 */
export function readPlainFile(path: string, flags = 0): Buffer {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | flags);
  try {
    const stat = fstatSync(file);
    if (stat.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    if (!stat.isFile()) throw new Error('it is not a regular file');
    if (stat.size > MOST_BYTES) throw new Error(`it is larger than ${MOST_BYTES} bytes`);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/** SHA-256 in hex. */
export function digestOf(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}

/**
 * The name of a file of ours beside a destination: hidden, of constant length, and not matched by the patterns (`*.conf`)
 * with which programs read a directory.
 */
export function hiddenName(path: string, what: string): string {
  return `.supervise-${hash('sha256', basename(path), 'hex').slice(0, 12)}-${what}`;
}

/** How a file is opened whose directory others may change: a link is not followed, and no writer of a FIFO is waited for. */
const CAREFULLY = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A file that we may not read counts as different. */
export function holds(path: string, old: Stats, bytes: Uint8Array): boolean {
  if (old.size !== bytes.length) return false;
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | CAREFULLY);
  } catch {
    return false;
  }
  try {
    return isSame(fstatSync(file), old) && readFileSync(file).equals(bytes);
  } finally {
    closeSync(file);
  }
}

/** Whether both are of one file. */
export function isSame(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

/** Whether it may be opened for writing; tried, since only the kernel knows about mounts and capabilities. */
export function isWritable(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_RDWR | CAREFULLY));
    return true;
  } catch {
    return false;
  }
}

/** Replaces the content of an open file, on the disk and not only in memory. */
export async function overwrite(file: number, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, done);
  ftruncateSync(file, bytes.length);
  await sync(file);
}

/** Has what was renamed in a directory survive a power cut. Never rejects. */
export async function syncDirectory(path: string): Promise<void> {
  // Some file systems cannot sync a directory; the rename has happened all the same.
  try {
    const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    await sync(directory).finally(() => closeSync(directory));
  } catch {}
}

/** Opens a file, or a directory, for a while; never what a link points to. */
export async function withFile<T>(
  path: string,
  flags: number,
  use: (file: number) => T | Promise<T>,
): Promise<T> {
  const file = openSync(path, flags | CAREFULLY);
  try {
    return await use(file);
  } finally {
    closeSync(file);
  }
}

/** What is found; undefined where it is not there. All else is thrown on. */
export function ifThere<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch (error) {
    return unlessMissing(error);
  }
}

/** Undefined for what is not there; all else is thrown on. */
export function unlessMissing(error: unknown): undefined {
  if (errno(error) !== 'ENOENT') throw error;
  return undefined;
}
