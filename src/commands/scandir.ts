import { existsSync } from 'node:fs';
import { UserError } from '../errors.ts';
import { withoutLinks } from '../os/files.ts';

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
