import { parseArgs } from 'node:util';
import { type Ms, parseDuration } from '../core/duration.ts';
import { PACKAGE_VARIABLES } from '../core/environment.ts';
import { didYouMean, UserError } from '../errors.ts';
import { type Format, LEVELS, type Level } from '../log.ts';
import { type Address, parseAddress } from './address.ts';
import { parseSize } from './size.ts';

/** What `supervise install` was asked to do. */
export interface Options {
  address: Address | undefined;
  directory: string;
  /** What the file's SHA-256 must be, in lower case. */
  sha256: string | undefined;
  /** Most bytes of the file. */
  maxSize: number;
  /** Most bytes of what it holds; undefined: a hundred times the file, from 64 MB to 4 GB. */
  maxUnpacked: number | undefined;
  /** Ceiling of the fetching, retries included. */
  timeout: Ms;
  /** No byte for so long ends an attempt. */
  idleTimeout: Ms;
  retries: number;
  help: boolean;
  logFormat: Format;
  logLevel: Level;
}

/** Flag → what its value is called, its variable, the default. */
const TABLE = {
  url: ['URL', 'PACKAGE_ZIP_URL', ''],
  dir: ['DIR', 'PACKAGE_DIR', '/app'],
  sha256: ['SUM', 'PACKAGE_ZIP_SHA256', ''],
  'max-size': ['SIZE', 'PACKAGE_MAX_SIZE', '1GB'],
  'max-unpacked': ['SIZE', 'PACKAGE_MAX_UNPACKED', ''],
  timeout: ['TIME', 'PACKAGE_TIMEOUT', '10m'],
  'idle-timeout': ['TIME', 'PACKAGE_IDLE_TIMEOUT', '30s'],
  retries: ['N', 'PACKAGE_RETRIES', '5'],
  'log-format': ['FORMAT', 'SUPERVISE_LOG_FORMAT', ''],
  'log-level': ['LEVEL', 'SUPERVISE_LOG_LEVEL', 'info'],
} as const satisfies Record<string, readonly [string, string, string]>;
type Flag = keyof typeof TABLE;

const HELPS: Readonly<Record<(typeof TABLE)[Flag][1], string>> = {
  ...PACKAGE_VARIABLES,
  SUPERVISE_LOG_FORMAT: 'text or json; else text on a terminal',
  SUPERVISE_LOG_LEVEL: LEVELS.join(', '),
};

export const HELP = `supervise install: fetches a package, a ZIP file, and unpacks it into a directory

usage: supervise install [options]

${Object.entries(TABLE)
  .map(([flag, [value, variable, otherwise]]) =>
    `  ${`--${flag} ${value}`.padEnd(21)}${variable.padEnd(23)}${otherwise.padEnd(6)}${HELPS[variable]}`.trimEnd(),
  )
  .join('\n')}

A directory that holds this package already, or anything that is no package of ours, is used as it is. init.sh in the
package runs once after unpacking. Sizes: 1000, 500MB, 1G. Where PACKAGE_ZIP_URL is set, supervise does this by itself
ahead of the first service.
`;

/**
 * Reads the command line and the environment; a flag wins.
 * @param terminal whether stderr is one
 * @throws UserError that says what was expected, and repeats no URL
 */
export function parseOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  terminal: boolean,
): Options {
  const flags = readFlags(argv);
  const given = (flag: Flag): string | undefined =>
    (flags[flag] as string | undefined) ?? (env[TABLE[flag][1]]?.trim() || undefined);
  const read = <T>(flag: Flag, expected: string, parse: (text: string) => T | undefined): T | undefined => {
    const text = given(flag) ?? (TABLE[flag][2] || undefined);
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value !== undefined) return value;
    throw new UserError(
      `cannot use --${flag} (or ${TABLE[flag][1]}): expected ${expected}, got ${JSON.stringify(text)}`,
    );
  };
  const needed = <T>(...of: Parameters<typeof read<T>>): T => read(...of) as T;
  const url = given('url');
  return {
    address: url === undefined ? undefined : parseAddress(url),
    directory: needed('dir', 'a directory', (text) => text || undefined),
    sha256: read('sha256', '64 hexadecimal digits', (text) =>
      /^(?:sha256:)?([0-9a-f]{64})$/.exec(text.toLowerCase())?.at(1),
    ),
    maxSize: needed('max-size', 'a size such as 500MB', parseSize),
    maxUnpacked: read('max-unpacked', 'a size such as 2GB', parseSize),
    timeout: needed('timeout', 'a time such as 10m', parseDuration),
    idleTimeout: needed('idle-timeout', 'a time such as 30s', parseDuration),
    retries: needed('retries', 'a whole number', (text) =>
      /^\d{1,4}$/.test(text) ? Number(text) : undefined,
    ),
    help: flags.help === true,
    logFormat:
      read('log-format', 'text or json', (text) => (text === 'text' || text === 'json' ? text : undefined)) ??
      (terminal ? 'text' : 'json'),
    logLevel: needed('log-level', `one of ${LEVELS.join(', ')}`, (text) =>
      LEVELS.find((level) => level === text),
    ),
  };
}

type Flags = Partial<Record<Flag, string>> & { help?: boolean };

function readFlags(argv: readonly string[]): Flags {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
  };
  for (const flag of Object.keys(TABLE)) options[flag] = { type: 'string' };
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: false }).values as Flags;
  } catch (error) {
    // Node repeats the word that it does not know, and that may be a URL.
    const { message } = error as Error;
    const name = /^Unknown option '--([a-z0-9-]{1,40})'/.exec(message)?.[1];
    const near = name && didYouMean(name, Object.keys(options));
    const cause =
      name === undefined ? 'expected options alone, each with a value' : `no option is called --${name}`;
    throw new UserError(`cannot run "install": ${cause}`, {
      hint: near ? `did you mean --${near}?` : 'supervise install --help',
    });
  }
}
