import { constants } from 'node:fs';
import { lstat, open, rename, unlink, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Ms } from '../../core/duration.ts';
import { makeDirectories } from '../../directories.ts';
import { errno } from '../../errors.ts';

/** What a cache file holds. */
export interface Saved {
  version: 1;
  /** The name of the source that the data are from. */
  source: string;
  /** By the query's words. */
  entries: Record<string, SavedEntry>;
}

export interface SavedEntry {
  /** When it was asked for last, wall-clock ms. */
  askedAt: Ms;
  data: unknown;
}

/** Somebody else has a hand in it: it is neither read nor written. */
export class Untrusted extends Error {}

/** A larger file is not read, and none is written: it is for the values of config files. */
export const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Reads a cache file. What anybody else could have written is not trusted: it becomes config, and may become commands.
 * @returns undefined when there is none; `savedAt` is wall-clock ms
 * @throws Untrusted, or Error that says what is wrong with it
 */
export async function readCacheFile(
  path: string,
  source: string,
): Promise<(Saved & { savedAt: Ms }) | undefined> {
  if (!(await isOurDirectory(dirname(path)))) return undefined;
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: unknown) => {
      if (errno(error) !== 'ENOENT') throw error;
    },
  );
  if (!file) return undefined;
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Untrusted('it is not a regular file');
    refuseOthers(stat, 'it');
    if (stat.size > MOST_BYTES) throw new Error(`it is larger than ${MOST_BYTES} bytes`);
    const saved = parse(await file.readFile('utf8'));
    if (saved.source !== source) throw new Error(`it is of another source (${saved.source})`);
    return { ...saved, savedAt: stat.mtimeMs };
  } finally {
    await file.close();
  }
}

/**
 * Writes a cache file for its owner alone, whole or not at all.
 * @throws Error when it cannot be
 */
export async function writeCacheFile(path: string, bytes: Uint8Array): Promise<void> {
  const directory = dirname(path);
  if (!(await isOurDirectory(directory))) makeDirectories(directory, 0o700);
  const staged = `${path}.new`;
  await unlink(staged).catch(() => {});
  const file = await open(staged, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(staged, path);
}

/** Says that what was saved is as good as new. */
export async function touchCacheFile(path: string): Promise<void> {
  await utimes(path, new Date(), new Date()).catch(() => {});
}

/**
 * @returns whether it is there
 * @throws Error when others could put a file into it
 */
async function isOurDirectory(directory: string): Promise<boolean> {
  const stat = await lstat(directory).catch((error: unknown) => {
    if (errno(error) !== 'ENOENT') throw error;
  });
  if (!stat) return false;
  if (!stat.isDirectory()) throw new Untrusted('its directory is none');
  refuseOthers(stat, 'its directory');
  return true;
}

function refuseOthers({ uid, mode }: { uid: number; mode: number }, what: string): void {
  if (uid !== process.geteuid?.()) throw new Untrusted(`${what} belongs to another user (${uid})`);
  if (mode & 0o022) throw new Untrusted(`others may write to ${what} (mode ${(mode & 0o777).toString(8)})`);
}

function parse(text: string): Saved {
  let saved: Partial<Saved> | null;
  try {
    saved = JSON.parse(text);
  } catch {
    // The parser's own words would quote from it.
    throw new Error('it is damaged');
  }
  if (saved?.version !== 1) throw new Error('it is of another version');
  if (typeof saved.source !== 'string' || typeof saved.entries !== 'object' || !saved.entries)
    throw new Error('it is damaged');
  return saved as Saved;
}
