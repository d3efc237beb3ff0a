import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { causeOf, EXIT, UserError } from '../errors.ts';

/**
 * Writes our process id to a file.
 * @returns removes it again, where it is still ours
 * @throws UserError when it cannot be written
 */
export function writePidFile(path: string): () => void {
  const content = `${process.pid}\n`;
  try {
    writeFileSync(path, content);
  } catch (error) {
    throw new UserError(`cannot write ${path}: ${causeOf(error)}`, { exitCode: EXIT.system, cause: error });
  }
  return () => {
    try {
      if (readFileSync(path, 'utf8') === content) rmSync(path);
    } catch {
      // Somebody else has removed it.
    }
  };
}
