import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { causeOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { createWatch, waysTo } from '../watch.ts';

/**
 * Watches the file of a token. Requests read it themselves; this is for those that are being waited on with the old one.
 * @param changed called when there is another token in it
 */
export function watchToken(file: string | undefined, log: Log, changed: () => void): { stop(): void } {
  if (file === undefined) return { stop() {} };
  const path = resolve(file);
  const read = (): string | undefined => {
    try {
      return readFileSync(path, 'utf8').trim();
    } catch {
      return undefined;
    }
  };
  const follow = (): void => watch.follow(waysTo([path]));
  let token = read();
  const look = (): void => {
    follow();
    const now = read();
    // A file that is away for a moment takes nobody's token with it.
    if (now === undefined || now === token) return;
    token = now;
    log.info('read another token', { file });
    changed();
  };
  const watch = createWatch(look, (directory, error) =>
    log.warn('could not watch', { directory, cause: causeOf(error) }),
  );
  follow();
  return watch;
}
