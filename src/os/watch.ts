import { stat } from 'node:fs/promises';
import { causeOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { now } from './clock.ts';

/** Editors and copies come in bursts; this long after the last change the directory is read again. */
const QUIET_MS = 200;
/** Somebody may write there without a pause; this long after the first change it is read again all the same. */
const MOST_MS = 2000;

/** What services write themselves, in their directories. A logger may keep its logs beside its `run`. */
const UNWATCHED = /^\/[^/]+\/((data|templates|supervise|event)(\/|$)|log\/(?!(run|finish)$))/;

/**
 * Has libuv make the threads that the watching needs. It ends the whole program where it gets none, so call it while nothing
 * runs yet that could have used up the processes we may have.
 */
export async function prepareWatch(): Promise<void> {
  await stat('/');
}

/**
 * Calls back some time after the scandir or the files of its service directories changed. Loads chokidar, which is why it
 * is asked for only where somebody watches: a laptop, not a container.
 */
export async function watchScandir(path: string, log: Log, changed: () => void): Promise<void> {
  const { watch } = await import('chokidar');
  let timer: NodeJS.Timeout | undefined;
  let latest = 0;
  const news = (): void => {
    if (timer === undefined) latest = now() + MOST_MS;
    clearTimeout(timer);
    timer = setTimeout(
      () => {
        timer = undefined;
        changed();
      },
      Math.max(0, Math.min(QUIET_MS, latest - now())),
    );
  };
  watch(path, {
    depth: 2,
    ignoreInitial: true,
    ignored: (name) => UNWATCHED.test(name.slice(path.length)),
  })
    .on('all', news)
    // A chmod alone is no event to chokidar, and it is what makes a run executable.
    .on('raw', news)
    .on('ready', () => log.debug('watching'))
    .on('error', (error) =>
      log.warn('could not watch the services directory', {
        cause: causeOf(error),
        hint: 'supervise rescan reads it again',
      }),
    );
}
