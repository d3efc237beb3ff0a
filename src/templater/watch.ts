import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Ms } from '../core/duration.ts';

/** From the first event to the look: programs do several things to a file within a moment. */
const SETTLE: Ms = 20;

/** Watches directories for changes of certain names in them. */
export interface Watch {
  /**
   * Watches exactly these from now on: directory → which of its names count. For a directory that is not there its nearest
   * parent is watched. To be called again after each change, since directories come and go.
   */
  follow(wanted: ReadonlyMap<string, (name: string) => boolean>): void;
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
      for (const [path, counts] of wanted) {
        const { directory, inode, below } = nearest(path);
        const key = `${inode} ${directory}`;
        const all = counting.get(key) ?? [];
        counting.set(key, [...all, below === undefined ? counts : (name) => name === below]);
        if (watchers.has(key)) continue;
        const watcher = open(directory, key);
        if (watcher) watchers.set(key, watcher);
      }
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

/** The directory, or its nearest parent that is there; `below` is then the name in it that leads to the directory. */
function nearest(path: string): { directory: string; inode: number; below: string | undefined } {
  let below: string | undefined;
  for (let directory = path; ; directory = dirname(directory)) {
    const stat = statSync(directory, { throwIfNoEntry: false });
    if (stat?.isDirectory() || directory === dirname(directory))
      return { directory, inode: stat?.ino ?? 0, below };
    below = basename(directory);
  }
}
