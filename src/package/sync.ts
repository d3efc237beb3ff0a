import { closeSync, fsyncSync, openSync } from 'node:fs';
import { errno } from '../errors.ts';

/** Has the names in a directory on the disk, where its file system can do that. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } catch (error) {
    if (errno(error) !== 'EINVAL' && errno(error) !== 'ENOTSUP') throw error;
  } finally {
    closeSync(fd);
  }
}
