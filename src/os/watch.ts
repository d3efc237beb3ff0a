import { causeOf } from '../errors.ts';
import type { Log } from '../log.ts';

/** Editors and copies come in bursts; this long after the last change the directory is read again. */
const QUIET_MS = 200;

/** What services write themselves. A logger may keep its logs beside its `run`. */
const UNWATCHED = /\/(data|templates|supervise|event)(\/|$)|\/log\/(?!(run|finish)$)/;

/**
 * Calls back some time after the scandir or the files of its service directories changed. Loads chokidar, which is why it
 * is asked for only where somebody watches: a laptop, not a container.
 */
export async function watchScandir(path: string, log: Log, changed: () => void): Promise<void> {
  const { watch } = await import('chokidar');
  let timer: NodeJS.Timeout | undefined;
  const news = (): void => {
    clearTimeout(timer);
    timer = setTimeout(changed, QUIET_MS);
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
