import { closeSync, constants, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';

/**
 * The beginning of a regular file, as Latin-1.
 * @param most how many bytes at the most
 * @throws the system's error, or one that says what it is instead
 */
export function readHead(path: string, most: number): string {
  // O_NONBLOCK: a FIFO that somebody left there must not stop the start.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile()) {
      if (fstatSync(fd).isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
      throw new Error('it is not a regular file');
    }
    const buffer = Buffer.alloc(most);
    return buffer.toString('latin1', 0, readSync(fd, buffer, 0, most, 0));
  } finally {
    closeSync(fd);
  }
}

/** Whether there is a directory, links followed. */
export function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** A path, absolute and without links where it is there. */
export function withoutLinks(path: string): string {
  const full = resolve(path);
  try {
    return realpathSync(full);
  } catch {
    return full; // What is wrong with it is said when it is read.
  }
}
