import { closeSync, constants, lstatSync, openSync, readlinkSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeDirectories } from '../directories.ts';
import { UserError } from '../errors.ts';
import { hiddenName, ifThere } from './disk.ts';

/** Where a file is, or is to be. Its paths lead to the directory that was looked at, whatever is put in that one's place. */
export interface Place {
  /** Its path without links, for people and for programs. */
  path: string;
  /** The same for system calls. */
  file: string;
  directory: string;
  /** A file of ours beside it. */
  beside(what: string): string;
}

/** Linux's O_PATH, which Node does not name: a directory that may be walked through need not be readable. */
const O_PATH = 0o10000000;
const MOST_LINKS = 40;

/**
 * Opens the directory of a destination for a while. Links are followed, but for root as for anybody no further than whoever
 * made them can go: a service that owns the directory of its config could otherwise have files of others replaced, and given
 * to itself.
 * @param make makes the directory where it is missing
 * @throws Error where the directory is missing, or a link is not to be followed
 */
export async function withPlace<T>(
  dest: string,
  use: (place: Place) => T | Promise<T>,
  make = false,
): Promise<T> {
  const path = followLinks(dest);
  const parent = dirname(path);
  const open = (): number => openSync(parent, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  let handle = make ? ifThere(open) : open();
  if (handle === undefined) {
    makeDirectories(parent, 0o755);
    handle = open();
  }
  try {
    const directory = pinned(handle, parent);
    const at = (name: string): string => join(directory, name);
    const name = path.slice(parent === '/' ? 1 : parent.length + 1);
    return await use({ path, file: at(name), directory, beside: (what) => at(hiddenName(path, what)) });
  } finally {
    closeSync(handle);
  }
}

/**
 * The path without links, also of what is not there yet.
 * @throws Error where a link is not to be followed
 */
export function followLinks(dest: string): string {
  let path = '/';
  let links = 0;
  /** Links that neither root nor we have made, by their owner. */
  const strangers = new Map<number, string>();
  const rest = partsOf(dest);
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    const next = join(path, name);
    const found = name === '..' ? undefined : ifThere(() => lstatSync(next));
    if (!found?.isSymbolicLink()) {
      path = next;
      continue;
    }
    if (++links > MOST_LINKS) throw Object.assign(new Error(), { code: 'ELOOP' });
    if (found.uid !== 0 && found.uid !== process.geteuid?.()) strangers.set(found.uid, next);
    const target = readlinkSync(next);
    if (target.startsWith('/')) path = '/';
    rest.unshift(...partsOf(target));
  }
  if (strangers.size > 0) distrust(strangers, dirname(path));
  return path;
}

/** A directory that is its link's owner's could be changed by that one anyway. */
function distrust(links: ReadonlyMap<number, string>, directory: string): void {
  const { uid } = nearest(directory);
  for (const [owner, link] of links) {
    if (owner === uid) continue;
    throw new UserError(`the link ${link} is of user ${owner}, and leads to a directory of user ${uid}`, {
      hint: `give the link to root (chown -h root ${link}), or name the file itself`,
    });
  }
}

/** The directory, or where it would have to be made. */
function nearest(directory: string): { uid: number } {
  return ifThere(() => statSync(directory)) ?? nearest(dirname(directory));
}

/** @throws Error where another directory has taken its place since its links were followed */
function pinned(handle: number, directory: string): string {
  const pin = `/proc/self/fd/${handle}`;
  const path = ifThere(() => readlinkSync(pin));
  // Without /proc there is nothing better than the path.
  if (path === undefined) return directory;
  if (path !== directory) throw new Error(`${directory} is being changed`);
  return pin;
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
