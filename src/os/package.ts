import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { findMixture, MARKER, parseManifest, WORK } from '../core/package.ts';
import { causeOf, errno, UserError } from '../errors.ts';
import { isDirectory, readHead } from './files.ts';

/** A manifest is a list of names; a version file is one word. */
const MOST_MANIFEST_BYTES = 1_048_576;
const MOST_VERSION_BYTES = 256;

const DEFAULT_DIRECTORY = '/app';

/** The package directory, where the environment asks for a package at all. */
export function packageDirectory(env: NodeJS.ProcessEnv): string | undefined {
  return env['PACKAGE_DIR']?.trim() || (env['PACKAGE_ZIP_URL']?.trim() ? DEFAULT_DIRECTORY : undefined);
}

/** What stands in a package directory. */
export interface Package {
  directory: string;
  /** By its manifest, where it has one that says so. */
  name: string | undefined;
  version: string | undefined;
  services: ReadonlyMap<string, string>;
  /** Its own `services.d/`. */
  scandir: string | undefined;
}

/**
 * Reads a package directory, whoever filled it: the installer, a layer of the image, a mount.
 * @returns undefined where there is no such directory
 * @param shown how messages call it
 * @throws UserError when it was left half-installed, or is not the set that its manifest names
 */
export function readPackage(directory: string, shown: string = directory): Package | undefined {
  if (!isDirectory(directory)) return undefined;
  if (isCutShort(directory))
    throw new UserError(`cannot use the package in ${shown}: its installation was cut short`, {
      hint: 'set PACKAGE_ZIP_URL, and the next start installs it anew; or empty the directory',
    });
  const services = join(directory, 'services.d');
  const scandir = isDirectory(services) ? services : undefined;
  const manifest = readManifest(directory, shown);
  const wrong = manifest ? findMixture(manifest, versionsIn(scandir)) : [];
  if (wrong.length > 0)
    throw new UserError(
      `cannot use the package in ${shown}: it is not the whole of ${manifest?.name} ${manifest?.version}: ${wrong.join('; ')}`,
      { hint: 'install one package, as it was built, into a directory of its own' },
    );
  return {
    directory,
    name: manifest?.name,
    version: manifest?.version,
    services: manifest?.services ?? new Map(),
    scandir,
  };
}

/** Whether what the directory holds is neither the package before nor the one that was to come. */
function isCutShort(directory: string): boolean {
  const has = (...path: string[]): boolean => existsSync(join(directory, ...path));
  if (!has(WORK)) return false;
  return has(WORK, 'back') || !has(MARKER) || (has(WORK, 'old') && !has(WORK, 'old', MARKER));
}

function readManifest(
  directory: string,
  shown: string,
): Exclude<ReturnType<typeof parseManifest>, string> | undefined {
  let text: string;
  try {
    text = readHead(join(directory, 'manifest.json'), MOST_MANIFEST_BYTES);
  } catch (error) {
    if (errno(error) === 'ENOENT') return undefined;
    throw new UserError(`cannot read ${shown}/manifest.json: ${causeOf(error)}`, { cause: error });
  }
  const manifest = parseManifest(Buffer.from(text, 'latin1').toString('utf8'));
  if (typeof manifest === 'string') throw new UserError(`cannot use ${shown}/manifest.json: ${manifest}`);
  return manifest;
}

function versionsIn(scandir: string | undefined): Map<string, string | undefined> {
  const found = new Map<string, string | undefined>();
  if (scandir === undefined) return found;
  for (const name of readdirSync(scandir)) {
    if (name.startsWith('.') || !isDirectory(join(scandir, name))) continue;
    found.set(name, versionOf(join(scandir, name, 'version')));
  }
  return found;
}

function versionOf(file: string): string | undefined {
  try {
    return readHead(file, MOST_VERSION_BYTES).trim();
  } catch {
    return undefined;
  }
}
