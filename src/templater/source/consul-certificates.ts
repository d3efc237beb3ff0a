import { resolve } from 'node:path';
import { causeOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { createWatch, linksIn, type Wanted, waysTo } from '../watch.ts';
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
  const files = tlsFiles.filter(({ isDirectory }) => !isDirectory).map(({ path }) => path);
  const directories = tlsFiles
    .filter(({ isDirectory }) => isDirectory)
    .map(({ path }): Wanted => [resolve(path), () => true]);
  const follow = (): void =>
    watch.follow([...directories, ...waysTo([...files, ...directories.flatMap(linksIn)])]);
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
