import { causeOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { isTemplate } from './templates.ts';
import { watchFiles } from './watch.ts';

/** Watches the directories of templates, so that an edit takes effect as it is saved. */
export interface TemplateWatch {
  /** Watches these directories from now on. */
  follow(directories: readonly string[]): void;
  stop(): Promise<void>;
}

/**
 * @param changed called after templates have changed, and once after each new watch has begun: until then an edit went
 * unseen
 */
export function createTemplateWatch(log: Log, changed: () => void): TemplateWatch {
  let watched = '';
  let stopped = false;
  let closing: Promise<unknown> = Promise.resolve();
  const complain = (error: unknown): void => log.warn('could not watch', { cause: causeOf(error) });
  let close: () => Promise<unknown> = async () => {};

  return {
    follow(directories) {
      const key = directories.join('\n');
      if (key === watched || stopped) return;
      watched = key;
      const previous = close;
      const opening = watchFiles(new Map(directories.map((each) => [each, isTemplate])), changed, complain);
      close = () => opening.then((end) => end(), complain);
      closing = opening.then(() => {
        if (!stopped) changed();
        return previous();
      }, complain);
    },
    async stop() {
      stopped = true;
      await closing;
      await close();
    },
  };
}
