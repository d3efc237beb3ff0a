import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { MARKER, packageTitle } from '../core/package.ts';
import { UserError } from '../errors.ts';
import type { Fields, Log } from '../log.ts';
import { now } from '../os/clock.ts';
import { isDirectory } from '../os/files.ts';
import { readPackage } from '../os/package.ts';
import type { Address } from './address.ts';
import { readArchive } from './archive.ts';
import { type Installed, makeDirectory, PackageDirectory } from './directory.ts';
import { diskError } from './disk-error.ts';
import { fetchPackage } from './fetch.ts';
import { runInit } from './init.ts';
import { lockDirectory } from './lock.ts';
import type { Options } from './options.ts';
import { syncDirectory } from './sync.ts';
import { unpack } from './unpack.ts';

const WHY_AS_IT_IS: Fields = {
  cause: 'it holds something, and that is no package of ours',
  hint: 'empty it, to have the package installed there',
};

/**
 * Has the package in its directory: as it is there already, or fetched, checked, unpacked aside and put in place. When this
 * rejects, the directory is as it was.
 * @throws UserError, or the signal's reason
 */
export async function install(options: Options, log: Log, signal: AbortSignal): Promise<void> {
  const { address } = options;
  const path = resolve(options.directory);
  const directory = new PackageDirectory(path);
  // Where nobody has begun anything there is nobody to wait for, and it may be a mount that is read-only.
  if (isDirectory(path) && !directory.isBegun) {
    const whatIsThere = found();
    if (whatIsThere && !directory.isBegun) return report(whatIsThere);
    if (!whatIsThere) mustHave(address);
  }
  const undo = makeDirectory(path);
  try {
    const unlock = await lockDirectory(path, log, signal);
    try {
      if (directory.recover())
        log.warn('removed what an installation that was cut short had left', { dir: path });
      const whatIsThere = found();
      if (whatIsThere) return report(whatIsThere);
      await fill(directory, mustHave(address), options, log, signal).catch((error: unknown) => {
        directory.recover();
        throw error;
      });
      cleanUp();
    } finally {
      unlock();
    }
  } catch (error) {
    undo();
    throw error;
  }

  /** What stands there, where that will do. */
  function found(): Fields | undefined {
    const installed = directory.installed();
    if (installed && (!address || isSame(installed, address, options.sha256)))
      return { event: 'found the package in place' };
    if (!installed && !directory.isEmpty()) return { event: 'used the directory as it is', ...WHY_AS_IT_IS };
    return undefined;
  }

  function mustHave(address: Address | undefined): Address {
    if (address) return address;
    throw new UserError(
      `cannot install a package: PACKAGE_ZIP_URL is not set, and there is nothing in ${path}`,
      { hint: 'set PACKAGE_ZIP_URL, or mount the package there' },
    );
  }

  function report({ event, ...why }: Fields): void {
    const found = readPackage(path);
    log.info(String(event), { dir: path, ...(found && titleOf(found)), ...why });
  }

  function cleanUp(): void {
    try {
      directory.cleanUp();
    } catch (error) {
      const cause = (error as UserError).message;
      log.warn('could not remove what is no longer needed', { dir: path, cause });
    }
  }
}

async function fill(
  directory: PackageDirectory,
  address: Address,
  options: Options,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const { shown, digest } = address;
  const started = now();
  const { next, zip } = directory.prepare();
  log.info('fetching the package', { package: shown });
  const { bytes, sha256 } = await fetchPackage({ ...options, address, file: zip, signal, log });
  if (options.sha256 !== undefined && options.sha256 !== sha256)
    throw new UserError(
      `cannot use the package ${shown}: its SHA-256 is ${sha256}, expected ${options.sha256}`,
      {
        hint: 'PACKAGE_ZIP_SHA256 is of another file, or the file was changed',
      },
    );
  const archive = await readArchive(zip, options.maxUnpacked, shown);
  try {
    await unpack(archive, next, shown, signal);
  } finally {
    archive.close();
  }
  await rm(zip);
  const found = readPackage(next, shown);
  const installed: Installed = {
    v: 1,
    url: digest,
    sha256,
    ...(found?.name === undefined ? {} : { name: found.name }),
    ...(found?.version === undefined ? {} : { version: found.version }),
    ...(found && found.services.size > 0 ? { services: Object.fromEntries(found.services) } : {}),
    installed: new Date().toISOString(),
  };
  const marker = join(next, MARKER);
  await writeFile(marker, `${JSON.stringify(installed, null, 2)}\n`, { flush: true }).catch(
    (error: unknown) => {
      throw diskError(marker, error);
    },
  );
  syncDirectory(next);
  await directory.replace(async () => {
    if (!existsSync(join(directory.path, 'init.sh'))) return;
    log.info('running init.sh', { dir: directory.path });
    await runInit(directory.path, signal);
  });
  log.info('installed the package', {
    package: shown,
    dir: directory.path,
    ...(found && titleOf(found)),
    files: archive.items.length,
    bytes: archive.size,
    fetched: bytes,
    sha256,
    tookMs: Math.round(now() - started),
  });
}

/** A sum tells what is meant better than an address, whose signature is another each time. */
function isSame(found: Installed, { digest }: Address, sha256: string | undefined): boolean {
  return sha256 === undefined ? found.url === digest : found.sha256 === sha256;
}

function titleOf({ name, version, services }: NonNullable<ReturnType<typeof readPackage>>): {
  title?: string;
} {
  return name === undefined || version === undefined ? {} : { title: packageTitle(name, version, services) };
}
