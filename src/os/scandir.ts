import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { NOT_YET, type Problem, type Program, type RawServiceDir, SETTINGS } from '../core/servicedir.ts';
import { causeOf, EXIT, errno, UserError } from '../errors.ts';
import { isDirectory, readHead } from './files.ts';

/** Where the tree's own hooks are, in the order in which they are looked for. */
const TREE_DIRECTORIES = ['.supervise', '.s6-svscan'];
const MOST_SETTING_BYTES = 4096;

export interface RawScandir {
  path: string;
  services: RawServiceDir[];
  /** `.supervise` or `.s6-svscan`, relative to the scandir; undefined where there is neither. */
  hooks: string | undefined;
}

/**
 * Reads a scandir: every subdirectory that is not a dot-name.
 * @param path absolute
 * @throws UserError where it is no directory that we can read; what is wrong inside is told in each service's own part
 */
export function readScandir(path: string): RawScandir {
  let names: string[];
  try {
    names = readdirSync(path);
  } catch (error) {
    throw new UserError(`cannot read the services directory ${path}: ${causeOf(error)}`, {
      hint: 'name one (supervise DIR), set SUPERVISE_SCANDIR, or make ./services.d',
      exitCode: errno(error) === 'EMFILE' || errno(error) === 'EIO' ? EXIT.system : EXIT.usage,
      cause: error,
    });
  }
  const services = names
    .filter((name) => !name.startsWith('.') && isDirectory(join(path, name)))
    .sort()
    .map((name) => readServiceDir(join(path, name), name));
  return { path, services, hooks: TREE_DIRECTORIES.find((name) => isDirectory(join(path, name))) };
}

/** A name that is not there, as a service directory without files: for a built-in service that needs none. */
export function readServiceDir(path: string, name: string): RawServiceDir {
  const texts = new Map<string, string>();
  const unreadable: Problem[] = [];
  let entries: string[] = [];
  try {
    entries = readdirSync(path);
  } catch (error) {
    unreadable.push({ message: `cannot read the service directory ${path}: ${causeOf(error)}` });
  }
  for (const entry of entries) {
    if (Object.hasOwn(SETTINGS, entry)) {
      try {
        texts.set(entry, readSetting(join(path, entry)));
      } catch (error) {
        unreadable.push({ message: `cannot read ${path}/${entry}: ${causeOf(error)}` });
      }
    } else if ((NOT_YET as readonly string[]).includes(entry)) {
      unreadable.push({
        message: `cannot use ${path}/${entry}: this version of supervise does not know it`,
        hint: 'remove it; it is refused because to pass over it could do harm',
      });
    }
  }
  return {
    name,
    path,
    texts,
    unreadable,
    run: entries.includes('run') ? inspect(path, 'run', `cannot start "${name}"`) : { is: 'missing' },
    finish: entries.includes('finish')
      ? inspect(path, 'finish', `cannot use ${path}/finish`)
      : { is: 'missing' },
    dependencies: entries.includes('dependencies.d') ? list(join(path, 'dependencies.d')) : [],
    templates: entries.includes('templates')
      ? list(join(path, 'templates')).filter((file) => file.endsWith('.hbs'))
      : [],
  };
}

/** An executable hook of the tree: `crash`, `finish`, `SIGHUP` …, relative to the scandir. */
export function findHook(scandir: string, hooks: string | undefined, name: string): string | undefined {
  if (hooks === undefined) return undefined;
  return existsSync(join(scandir, hooks, name)) ? `${hooks}/${name}` : undefined;
}

/**
 * Looks at a program before anybody depends on it. execve's own answers do not name the cause (a missing interpreter is
 * ENOENT, a carriage return behind it too), and glibc hands a script without a shebang to sh while musl refuses it.
 */
function inspect(directory: string, file: string, verb: string): Program {
  const path = join(directory, file);
  const broken = (cause: string, hint: string): Program => ({
    is: 'broken',
    problem: { message: `${verb}: ./${file} ${cause}`, hint },
  });
  let head: string;
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) return broken('is a directory', `make ${path} an executable file`);
    if (!stat.isFile()) return broken('is not a regular file', `make ${path} an executable file`);
  } catch (error) {
    return errno(error) === 'ENOENT'
      ? broken('is a dangling link', `make ${path} an executable file`)
      : broken(`cannot be looked at: ${causeOf(error)}`, `make ${path} an executable file`);
  }
  try {
    accessSync(path, constants.X_OK);
  } catch {
    return broken('is not executable', `chmod +x ${path}`);
  }
  try {
    head = readHead(path, 256);
  } catch {
    return { is: 'ok' }; // Executable but not readable: the kernel allows that for programs.
  }
  const [first = ''] = head.split('\n', 1);
  if (first.startsWith('#!')) {
    if (first.endsWith('\r'))
      return broken(
        'has Windows line ends (CRLF), so its interpreter is not found',
        `sed -i 's/\\r$//' ${path}`,
      );
    return { is: 'ok' };
  }
  if (head.startsWith('\x7fELF') || isBinary(head)) return { is: 'ok' };
  return broken('has no shebang', `make #!/bin/sh the first line of ${path}`);
}

/** Other formats that a kernel may run (binfmt_misc): whatever is no text we leave to execve. */
function isBinary(head: string): boolean {
  return head.includes('\0');
}

function readSetting(path: string): string {
  return readHead(path, MOST_SETTING_BYTES);
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
      .filter((name) => !name.startsWith('.'))
      .sort();
  } catch {
    return [];
  }
}
