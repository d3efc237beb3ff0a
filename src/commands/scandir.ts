import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '../errors.ts';

/**
 * The services directory: the one named, else SUPERVISE_SCANDIR, else ./services.d, else /etc/services.d.
 * @returns its absolute path, without links where it is there
 * @throws UserError where nothing names one and there is none
 */
export function findScandir(named: string | undefined): string {
  const found = lookForScandir(named);
  if (found !== undefined) return found;
  throw new UserError('cannot find a services directory: there is no ./services.d and no /etc/services.d', {
    hint: 'name one (supervise DIR), or give a command (supervise -- COMMAND)',
  });
}

/** The same; undefined where nothing names one and there is none. */
export function lookForScandir(named: string | undefined): string | undefined {
  const given = named ?? process.env['SUPERVISE_SCANDIR'];
  if (given) return withoutLinks(given);
  const found = ['./services.d', '/etc/services.d'].find((path) => existsSync(path));
  return found === undefined ? undefined : withoutLinks(found);
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
