import { accessSync, constants } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { readHead } from './files.ts';

/**
 * What a script's first line names as its interpreter, where there is no such program, or none that we may execute.
 * @param path of the script, whose directory is where it is executed
 */
export function missingInterpreter(path: string): string | undefined {
  let name: string | undefined;
  try {
    name = /^#!\s*(\S+)/.exec(readHead(path, 256))?.[1];
  } catch {
    return undefined; // Not ours to read, or not there at all.
  }
  if (name === undefined) return undefined;
  try {
    accessSync(resolve(dirname(path), name), constants.X_OK);
    return undefined;
  } catch {
    return name;
  }
}
