import { isUtf8 } from 'node:buffer';
import { accessSync, constants, existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import {
  type Account,
  emptyServiceDir,
  loggerOf,
  type Problem,
  type Program,
  parseUser,
  type RawServiceDir,
  SETTINGS,
} from '../core/servicedir.ts';
import { causeOf, EXIT, errno, UserError } from '../errors.ts';
import { accountLookUp, type LookUp } from './account.ts';
import { isDirectory, readHead } from './files.ts';

/** Where the tree's own hooks are, in the order in which they are looked for. */
const TREE_DIRECTORIES = ['.supervise', '.s6-svscan'];
const MOST_SETTING_BYTES = 4096;
/** The kernel takes no longer string into an environment (MAX_ARG_STRLEN). */
const MOST_ENV_BYTES = 131_072;

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
  const lookUp = accountLookUp();
  const unnamable = namesThatAreNoText(path, names);
  const services = [...new Set(names)]
    .filter((name) => !name.startsWith('.') && (unnamable.has(name) || isDirectory(`${path}/${name}`)))
    .sort()
    .map((name) =>
      unnamable.has(name)
        ? nameless(`${path}/${name}`, name)
        : readServiceDir(`${path}/${name}`, name, lookUp),
    );
  return { path, services, hooks: TREE_DIRECTORIES.find((name) => isDirectory(`${path}/${name}`)) };
}

/** Directories whose names are not UTF-8, as they look: nothing could be read there, and they are no service for that name alone. */
function namesThatAreNoText(path: string, names: readonly string[]): ReadonlySet<string> {
  if (!names.some((name) => name.includes('\ufffd'))) return new Set();
  const odd = readdirSync(path, { encoding: 'buffer', withFileTypes: true }).filter(
    (entry) => !isUtf8(entry.name) && (entry.isDirectory() || entry.isSymbolicLink()),
  );
  return new Set(odd.map(({ name }) => name.toString()));
}

function nameless(path: string, name: string): RawServiceDir {
  const problem = { message: `cannot read ${path}: its name is not UTF-8`, file: path };
  return { ...emptyServiceDir(name, path), unreadable: [problem] };
}

/** Several scandirs as one. */
export interface RawScandirs {
  services: RawServiceDir[];
  /** The one whose hooks win first. */
  scandirs: RawScandir[];
}

/**
 * Reads scandirs as one: of two services of one name the later scandir's counts, and of two hooks too.
 * @param paths absolute
 * @throws UserError where one is no directory that we can read
 */
export function readScandirs(paths: readonly string[]): RawScandirs {
  const scandirs = paths.map(readScandir);
  const services = new Map(scandirs.flatMap(({ services }) => services.map((each) => [each.name, each])));
  return {
    services: [...services.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    scandirs: scandirs.reverse(),
  };
}

/** Reads one service directory, and that of its logger. What is wrong inside is told in what comes back. */
export function readServiceDir(path: string, name: string, lookUp: LookUp = accountLookUp()): RawServiceDir {
  const raw = readOne(path, name, lookUp);
  const log = `${path}/log`;
  // Without `run` it is any directory, of the service's log files perhaps.
  if (!isThere(`${log}/run`)) return raw;
  return { ...raw, log: { ...readOne(log, loggerOf(name), lookUp), templates: [] } };
}

function readOne(path: string, name: string, lookUp: LookUp): RawServiceDir {
  const texts = new Map<string, string>();
  const unreadable: Problem[] = [];
  const attempt: Attempt = (file, read) => {
    try {
      return read();
    } catch (error) {
      unreadable.push(toProblem(error, file));
      return undefined;
    }
  };
  const entries = attempt(path, () => entriesOf(path, 'the service directory ')) ?? [];
  for (const entry of entries) {
    if (Object.hasOwn(SETTINGS, entry)) {
      const file = `${path}/${entry}`;
      const text = attempt(file, () => readText(file, MOST_SETTING_BYTES));
      if (text !== undefined) texts.set(entry, text);
    }
  }
  const program = (file: string, verb = `cannot use ${path}/${file}`): Program =>
    entries.includes(file) ? inspect(path, file, verb) : { is: 'missing' };
  const env = entries.includes('env') ? readEnv(`${path}/env`, attempt) : new Map<string, string | null>();
  const list = (directory: string): string[] => {
    if (!entries.includes(directory)) return [];
    const found = attempt(`${path}/${directory}`, () => entriesOf(`${path}/${directory}`)) ?? [];
    return found.filter((file) => !file.startsWith('.')).sort();
  };
  const dependencies = list('dependencies.d');
  const user = parseUser(texts.get('user') ?? '');
  return {
    name,
    path,
    texts,
    unreadable,
    run: program('run', `cannot start "${name}"`),
    finish: program('finish'),
    check: program('check'),
    health: program('health'),
    dependencies,
    templates: list('templates').filter((file) => file.endsWith('.hbs')),
    env,
    account: user && attempt(`${path}/user`, (): Account => lookUpNamed(`${path}/user`, () => lookUp(user))),
    stamps: stampsOf(path, entries, texts, dependencies, env),
  };
}

/** Reads what a file holds, and notes it as a problem of that file where that cannot be done. */
type Attempt = <T>(file: string, read: () => T) => T | undefined;

/** As s6-envdir reads it: the first line without the blanks at its end, a NUL for a newline, nothing to take it away. */
function readEnv(path: string, attempt: Attempt): Map<string, string | null> {
  const env = new Map<string, string | null>();
  for (const name of attempt(path, () => entriesOf(path)) ?? []) {
    if (name.startsWith('.')) continue;
    const file = `${path}/${name}`;
    attempt(file, () => {
      if (name.includes('='))
        throw new UserError(`cannot use ${file}: a variable's name has no "="`, { hint: 'rename the file' });
      const text = readText(file, MOST_ENV_BYTES + 1);
      if (text.length > MOST_ENV_BYTES)
        throw new UserError(`cannot use ${file}: a variable has at most ${MOST_ENV_BYTES} bytes`);
      const [line = ''] = text.split('\n', 1);
      const value = Buffer.from(line.replace(/[ \t\r]+$/, '').replaceAll('\0', '\n'), 'latin1');
      if (!isUtf8(value))
        throw new UserError(
          `cannot use ${file}: it is not UTF-8, and would reach the service as something else`,
        );
      env.set(name, text === '' ? null : value.toString('utf8'));
    });
  }
  return env;
}

/** The errors of `lookUp` name a user, and not who asked for it. */
function lookUpNamed<T>(file: string, lookUp: () => T): T {
  try {
    return lookUp();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`cannot use ${file}: ${error.message}`, { hint: error.hint });
  }
}

/** Programs by what changes with them on disk, everything else by its content. */
function stampsOf(
  path: string,
  entries: readonly string[],
  texts: ReadonlyMap<string, string>,
  dependencies: readonly string[],
  env: ReadonlyMap<string, string | null>,
): Map<string, string> {
  const stamps = new Map(texts);
  for (const name of dependencies) stamps.set(`dependencies.d/${name}`, '');
  for (const [name, value] of env) stamps.set(`env/${name}`, JSON.stringify(value));
  for (const file of ['run', 'finish', 'check', 'health'].filter((name) => entries.includes(name))) {
    try {
      const { dev, ino, size, mtimeMs, mode } = statSync(`${path}/${file}`);
      stamps.set(file, `${dev}:${ino}:${size}:${mtimeMs}:${mode}`);
    } catch {
      // What is wrong with it is said where it is inspected.
    }
  }
  return stamps;
}

/** An executable hook of the tree: `crash`, `finish`, `SIGHUP` …, relative to the scandir. */
export function findHook(scandir: string, hooks: string | undefined, name: string): string | undefined {
  if (hooks === undefined) return undefined;
  return existsSync(`${scandir}/${hooks}/${name}`) ? `${hooks}/${name}` : undefined;
}

/**
 * Looks at a program before anybody depends on it. execve's own answers do not name the cause (a missing interpreter is
 * ENOENT, a carriage return behind it too), and glibc hands a script without a shebang to sh while musl refuses it.
 */
export function inspect(directory: string, file: string, verb: string): Program {
  const path = `${directory}/${file}`;
  const broken = (cause: string, hint: string): Program => ({
    is: 'broken',
    problem: { message: `${verb}: ./${file} ${cause}`, hint, file: path },
  });
  let head: string;
  let mode: number;
  try {
    const stat = statSync(path);
    mode = stat.mode;
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
    const isForOthers = (mode & 0o111) !== 0;
    return isForOthers
      ? broken(`may not be executed by us (uid ${process.geteuid?.()})`, `chmod a+rx ${path}`)
      : broken('is not executable', `chmod +x ${path}`);
  }
  try {
    head = readHead(path, 256);
  } catch {
    return { is: 'ok' }; // Executable but not readable: the kernel allows that for programs.
  }
  if (head === '') return broken('is empty', `make #!/bin/sh the first line of ${path}`);
  const [first = ''] = head.split('\n', 1);
  if (first.startsWith('\xef\xbb\xbf#!'))
    return broken('begins with a byte order mark (BOM)', `sed -i '1s/^[^#]*//' ${path}`);
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

function entriesOf(path: string, what = ''): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    const cause = errno(error) === 'ENOTDIR' ? 'it is not a directory' : causeOf(error);
    throw new UserError(`cannot read ${what}${path}: ${cause}`, { cause: error });
  }
}

/** Latin-1, so that no byte is lost. */
function readText(path: string, most: number): string {
  try {
    return readHead(path, most);
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${causeOf(error)}`, { cause: error });
  }
}

function toProblem(error: unknown, file: string): Problem {
  const { message, hint } = error as UserError;
  return hint ? { message, hint, file } : { message, file };
}

/** Whatever it is; a dangling link counts. */
function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
