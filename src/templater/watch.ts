import { type FSWatcher, lstatSync, readdirSync, readlinkSync, type Stats, statSync, watch } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import type { Ms } from '../core/duration.ts';

/** From the first event to the look: programs do several things to a file within a moment. */
const SETTLE: Ms = 20;
/** As the kernel has it. */
const MOST_LINKS = 40;

/** A directory, and which of its names count. */
export type Wanted = readonly [directory: string, counts: (name: string) => boolean];

/** Watches directories for changes of certain names in them. */
export interface Watch {
  /**
   * Watches exactly these from now on, and each link that leads to them. For a directory that is not there its nearest
   * parent is watched. To be called again after each change, since directories come and go, and links lead elsewhere.
   */
  follow(wanted: Iterable<Wanted>): void;
  stop(): void;
}

/**
 * Watches directories, not files: an editor and a Kubernetes config map both put another file in the place of the first.
 *
 * This is fs.watch and not chokidar, which swallows a second change within 50 ms of the first, and can miss a
 * directory that is made while it starts; here a look always follows the last event, and the beginning of each watch.
 * @param changed called after there were changes, and after a watch has begun: what came before it went unseen
 * @param failed told when the system refuses to watch, such as at inotify's limit
 */
export function createWatch(changed: () => void, failed: (directory: string, error: unknown) => void): Watch {
  /** By directory and inode: a directory of the same name may be another one. */
  const watchers = new Map<string, FSWatcher>();
  /** By the same: which names count now. One directory can stand for several that are not there yet. */
  let counting = new Map<string, ((name: string) => boolean)[]>();
  let timer: NodeJS.Timeout | undefined;

  // Not restarted by further events: what is written without a pause is looked at all the same.
  const soon = (): void => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = undefined;
      changed();
    }, SETTLE);
  };

  const open = (directory: string, key: string): FSWatcher | undefined => {
    try {
      const watcher = watch(directory, (_event, name) => {
        // Its own name: the directory itself was moved or removed.
        if (name === null || name === basename(directory)) soon();
        else if (counting.get(key)?.some((counts) => counts(name))) soon();
      });
      watcher.on('error', (error) => failed(directory, error));
      soon();
      return watcher;
    } catch (error) {
      failed(directory, error);
      return undefined;
    }
  };

  return {
    follow(wanted) {
      counting = new Map();
      const count = ([path, counts]: Wanted): void => {
        const { directory, inode, below } = nearest(path);
        const key = `${inode} ${directory}`;
        const all = counting.get(key) ?? [];
        all.push(below === undefined ? counts : (name) => name === below);
        counting.set(key, all);
        if (watchers.has(key)) return;
        const watcher = open(directory, key);
        if (watcher) watchers.set(key, watcher);
      };
      const toEnd = linkFollower((link) => count(wantedFor(link)));
      for (const [path, counts] of wanted) count([toEnd(isAbsolute(path) ? path : resolve(path)), counts]);
      for (const [key, watcher] of watchers) {
        if (counting.has(key)) continue;
        watchers.delete(key);
        watcher.close();
      }
    },
    stop() {
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}

/** What to follow for files: each in its directory, and what it leads to where it is a link. */
export function waysTo(files: Iterable<string>): Wanted[] {
  const found: Wanted[] = [];
  for (const file of files) {
    let path: string | undefined = resolve(file);
    for (let links = 0; path !== undefined && links <= MOST_LINKS; links++) {
      found.push(wantedFor(path));
      path = targetOf(path);
    }
  }
  return found;
}

/** The links among the names of a directory that count. */
export function linksIn([directory, counts]: Wanted): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isSymbolicLink() && counts(entry.name))
      .map(({ name }) => join(directory, name));
  } catch {
    // Whoever reads what is in it says so.
    return [];
  }
}

function wantedFor(path: string): Wanted {
  const own = basename(path);
  return [dirname(path), (name) => name === own];
}

/**
 * Follows the links of absolute paths, each link once.
 * @param met told of each link, by its path without links
 * @returns the path without links, also of what is not there
 */
function linkFollower(met: (link: string) => void): (path: string) => string {
  const ends = new Map<string, string>();
  const toEnd = (path: string): string => {
    const known = ends.get(path);
    if (known !== undefined) return known;
    const parent = dirname(path);
    // `//` is the root as well.
    if (parent === path) return '/';
    const at = join(toEnd(parent), basename(path));
    // A link that leads to itself ends there.
    ends.set(path, at);
    let end = at;
    if (at !== path) end = toEnd(at);
    else {
      const target = targetOf(path);
      if (target !== undefined) {
        met(path);
        end = toEnd(target);
      }
    }
    ends.set(path, end);
    return end;
  };
  return toEnd;
}

/** Where a link leads, as it is written: after another link `..` is not what the text says. Undefined for what is no link. */
function targetOf(path: string): string | undefined {
  try {
    if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return undefined;
    const target = readlinkSync(path);
    return isAbsolute(target) ? target : `${dirname(path)}/${target}`;
  } catch {
    // Not to be seen, or gone meanwhile.
    return undefined;
  }
}

/** The directory, or its nearest parent that is there; `below` is then the name in it that leads to the directory. */
function nearest(path: string): { directory: string; inode: number; below: string | undefined } {
  let below: string | undefined;
  for (let directory = path; ; directory = dirname(directory)) {
    const stat = statOf(directory);
    if (stat?.isDirectory() || directory === dirname(directory))
      return { directory, inode: stat?.ino ?? 0, below };
    below = basename(directory);
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    // Not there, a link in a circle, or behind what we may not enter.
    return undefined;
  }
}
