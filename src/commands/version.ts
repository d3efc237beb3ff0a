import { packageTitle } from '../core/package.ts';
import { printable } from '../core/printable.ts';
import { UserError } from '../errors.ts';
import { packageDirectory, readPackage } from '../os/package.ts';
import { VERSION } from '../version.ts';

/** `supervise --version`: ours, and in an image with a package that has one, the package's. */
export function version(env: NodeJS.ProcessEnv): string {
  return [`supervise ${VERSION}`, ...packageLine(packageDirectory(env)), ''].join('\n');
}

function packageLine(directory: string | undefined): string[] {
  try {
    const found = directory === undefined ? undefined : readPackage(directory);
    const { name, version } = found ?? {};
    return found && name !== undefined && version !== undefined
      ? [packageTitle(name, version, found.services)]
      : [];
  } catch (error) {
    if (error instanceof UserError) return [printable(error.message)];
    throw error;
  }
}
