import { basename, dirname, resolve } from 'node:path';
import { causeOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { createWatch } from '../watch.ts';
import type { ConsulConfig } from './consul-config.ts';

/**
 * Watches the files of certificates and keys: short-lived ones are replaced while we run. What is there for a moment only, such as a
 * certificate beside the key of another, is passed over until the rest has come.
 * @param changed called with what they hold now
 */
export function watchCertificates(
  { tls, tlsFiles, readTls }: Pick<ConsulConfig, 'tls' | 'tlsFiles' | 'readTls'>,
  log: Log,
  changed: (tls: ConsulConfig['tls']) => void,
): { stop(): void } {
  if (tlsFiles.length === 0) return { stop() {} };
  const wanted = new Map<string, Set<string>>();
  for (const { path, isDirectory } of tlsFiles) {
    const at = resolve(path);
    const directory = isDirectory ? at : dirname(at);
    wanted.set(directory, (wanted.get(directory) ?? new Set()).add(isDirectory ? ALL : basename(at)));
  }
  // A secret's files are links through `..data`; its change is theirs.
  const follow = (): void =>
    watch.follow(
      new Map(
        [...wanted].map(([directory, names]) => [
          directory,
          (name) => names.has(ALL) || names.has(name) || name.startsWith('..'),
        ]),
      ),
    );
  let known = JSON.stringify(tls);
  const look = (): void => {
    follow();
    try {
      const now = readTls();
      if (JSON.stringify(now) === known) return;
      process.getBuiltinModule('node:tls').createSecureContext(now);
      known = JSON.stringify(now);
      log.info('read other certificates', { files: tlsFiles.map(({ path }) => path).join(', ') });
      changed(now);
    } catch (error) {
      log.debug('did not take the certificates', { cause: causeOf(error) });
    }
  };
  const watch = createWatch(look, (directory, error) =>
    log.warn('could not watch', { directory, cause: causeOf(error) }),
  );
  follow();
  return watch;
}

/** No file is called so. */
const ALL = '/';
