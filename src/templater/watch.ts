import { basename, dirname } from 'node:path';
import type { FSWatcher } from 'chokidar';

/**
 * From the last event to the look. Longer than the 50 ms for which chokidar swallows further changes of a file after one
 * that it has told: what it swallows has then happened before the look.
 */
const SETTLE_MS = 60;

/**
 * Calls `changed` after files have been written, replaced, removed or added. Watches the directories, not the files:
 * an editor and a Kubernetes config map both put another file in the place of the first.
 * @param wanted directory → which of its names count
 * @param failed told when the system refuses to watch (inotify's limit); what is watched already stays so
 */
export async function watchFiles(
  wanted: ReadonlyMap<string, (name: string) => boolean>,
  changed: () => void,
  failed: (error: unknown) => void,
): Promise<() => Promise<void>> {
  const { watch } = await import('chokidar');
  let timer: NodeJS.Timeout | undefined;
  const watcher: FSWatcher = watch([...wanted.keys()], {
    depth: 0,
    ignoreInitial: true,
    ignored: (path) => !wanted.has(path) && wanted.get(dirname(path))?.(basename(path)) === false,
  });
  watcher.on('all', () => {
    clearTimeout(timer);
    timer = setTimeout(changed, SETTLE_MS);
  });
  watcher.on('error', failed);
  await new Promise((resolve) => watcher.once('ready', () => resolve(undefined)));
  return async () => {
    clearTimeout(timer);
    await watcher.close();
  };
}
