import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errno } from './errors.ts';

/**
 * Makes a directory, and those above it that are missing. Not mkdir's own `recursive`: that never returns where a directory is there and
 * refuses with ENOENT, as /proc does.
 * @param mode of those that are made, less the umask
 * @param made takes the path of each as it is made, from the top down: also when it throws there may be something to take away
 * @returns `made`
 * @throws the system's error; ENOTDIR for what is there and is no directory
 */
export function makeDirectories(path: string, mode: number, made: string[] = []): string[] {
  try {
    mkdirSync(path, mode);
    made.push(path);
    return made;
  } catch (error) {
    const code = errno(error);
    if (code === 'EEXIST' && isDirectory(path)) return made;
    if (code === 'EEXIST') throw Object.assign(new Error(), { code: 'ENOTDIR' });
    if (code !== 'ENOENT' || existsSync(dirname(path))) throw error;
  }
  makeDirectories(dirname(path), mode, made);
  // From the start: somebody else may have removed the one above meanwhile.
  return makeDirectories(path, mode, made);
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
