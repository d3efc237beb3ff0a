/**
 * What a service directory says. Reading the disk is os/scandir.ts; here its words become settings or complaints.
 * Each setting is one small file, so that a later image layer can change one without copying the rest.
 */
import { type Ms, parseDuration } from './duration.ts';
import type { LifeConfig } from './lifecycle.ts';
import { parseSignal } from './signals.ts';

/** A service directory as found: the text of its settings, and what was found of its programs. */
export interface RawServiceDir {
  name: string;
  path: string;
  /** Setting file → its text. A setting that is a directory or cannot be read is a problem instead. */
  texts: ReadonlyMap<string, string>;
  /** What could not be read, as complaints. */
  unreadable: readonly Problem[];
  run: Program;
  finish: Program;
  check: Program;
  health: Program;
  dependencies: readonly string[];
  /** `*.hbs` in `templates/`. */
  templates: readonly string[];
  /** `log/`, where it has a `run`. */
  log?: RawServiceDir | undefined;
  /** `env/NAME` → its value; null takes the variable away. */
  env: ReadonlyMap<string, string | null>;
  /** Whom `user` names; undefined where there is no such file, or nobody of that name. */
  account: Account | undefined;
  /** What tells one content of a file from another: file → anything that changes with it. */
  stamps: ReadonlyMap<string, string>;
}

/** Whom a service runs as. */
export interface Account {
  uid: number;
  gid: number;
  /** Supplementary groups, `gid` not among them. */
  groups: readonly number[];
  /** Its name and home directory, where it is listed. */
  name: string | undefined;
  home: string | undefined;
}

/** A program of a service directory: there, not there, or there and of no use. */
export type Program = { is: 'ok' } | { is: 'missing' } | { is: 'broken'; problem: Problem };

/** A complaint as it is shown: what cannot be done and why, and how to mend it. */
export interface Problem {
  message: string;
  hint?: string;
  /** The file to mend. */
  file?: string;
  /** Its templates were not rendered in time: nothing that reading it again would mend. */
  isAtGate?: boolean;
}

/** Everything that is known of one service. */
export interface ServiceConfig extends LifeConfig {
  name: string;
  /** Absolute path of the service directory; undefined for what has none (the main command, a built-in templater). */
  path: string | undefined;
  /** Program and arguments, when it is not `./run <name>`. */
  command: readonly string[] | undefined;
  dependencies: readonly string[];
  hasTemplates: boolean;
  /** Its stdout goes to the logger in `log/`. */
  hasLogger: boolean;
  hasCheck: boolean;
  hasHealth: boolean;
  healthInterval: Ms;
  /** So many failures in a row restart the service. */
  healthRetries: number;
  env: Readonly<Record<string, string | null>>;
  account: Account | undefined;
  notificationFd: number | undefined;
  downSignal: number;
  reloadSignal: number;
  essential: boolean;
  /** Not started at boot. */
  down: boolean;
}

export const DEFAULTS = {
  timeoutKill: 5000,
  timeoutFinish: 5000,
  restartDelay: { min: 1000, max: 30_000 },
  healthInterval: 10_000,
  healthRetries: 3,
} as const;

/** What a setting file can say. `restart` has a default that depends on the type. */
type Settings = Pick<
  ServiceConfig,
  | 'type'
  | 'down'
  | 'essential'
  | 'restartDelay'
  | 'restartLimit'
  | 'timeoutUp'
  | 'timeoutKill'
  | 'timeoutFinish'
  | 'downSignal'
  | 'reloadSignal'
  | 'notificationFd'
  | 'healthInterval'
  | 'healthRetries'
> & { restart: ServiceConfig['restart'] | undefined };

/** What help and README say of a file. */
export interface FileDoc {
  help: string;
  default: string;
  /** When a change of it takes effect; at once is: the next time that it is needed. */
  takes: 'at once' | 'at the next start';
}

interface Setting extends FileDoc {
  expected: string;
  /** The settings that the text stands for, or undefined for a value that is none. */
  read: (text: string) => Partial<Settings> | undefined;
}

/** Every setting that is one file. Its presence alone is the value where `expected` is `anything`. */
export const SETTINGS: Readonly<Record<string, Setting>> = {
  type: {
    help: '`longrun`, or `oneshot`: `run` once; exit 0 is success, and what those that depend on it wait for',
    default: 'longrun',
    takes: 'at the next start',
    expected: 'longrun or oneshot',
    read: (type) => (type === 'longrun' || type === 'oneshot' ? { type } : undefined),
  },
  down: { ...flag({ down: true }), help: 'present: not started at boot' },
  'notification-fd': {
    help: 'a descriptor: a newline written there means *ready*',
    default: 'ready once executed',
    takes: 'at the next start',
    expected: 'a descriptor number from 3 to 255',
    read: (text) => wholeNumber(text, 3, 255, (notificationFd) => ({ notificationFd })),
  },
  'health-interval': {
    ...time((healthInterval) => (healthInterval > 0 ? { healthInterval } : undefined)),
    help: 'from one `health` to the next, and the longest that one may take',
    default: '10s',
    takes: 'at the next start',
  },
  'health-retries': {
    help: 'failures of `health` in a row that restart the service',
    default: '3',
    takes: 'at the next start',
    expected: 'a whole number from 1',
    read: (text) => wholeNumber(text, 1, 1_000_000, (healthRetries) => ({ healthRetries })),
  },
  // 0 is s6's way to say: no limit.
  'timeout-up': {
    ...time((ms) => ({ timeoutUp: ms === 0 ? undefined : ms })),
    help: 'not ready (a oneshot: not done) by then counts as a crash',
    takes: 'at the next start',
  },
  'timeout-kill': {
    ...time((ms) => ({ timeoutKill: ms === 0 ? undefined : ms })),
    help: 'from the stop signal to SIGKILL of the whole group; 0: no limit of its own',
    default: '5s',
  },
  'timeout-finish': {
    ...time((ms) => ({ timeoutFinish: ms === 0 ? undefined : ms })),
    help: 'the same for `finish`',
    default: '5s',
  },
  'down-signal': {
    ...signal((downSignal) => ({ downSignal })),
    help: 'what tells it to stop',
    default: 'SIGTERM',
  },
  'reload-signal': {
    ...signal((reloadSignal) => ({ reloadSignal })),
    help: 'what tells it to read its config again',
    default: 'SIGHUP',
  },
  restart: {
    help: '`always`, `on-failure`, `never`; a oneshot that fails is tried again only if one of the first two is set',
    default: 'always; oneshot: never',
    takes: 'at once',
    expected: 'always, on-failure or never',
    read: (text) =>
      text === 'always' || text === 'on-failure' || text === 'never' ? { restart: text } : undefined,
  },
  'restart-delay': {
    help: 'least and greatest delay of the backoff',
    default: '1s 30s',
    takes: 'at once',
    expected: 'one or two times such as "1s 30s", the least first',
    read(text) {
      const [least = '', greatest = least, ...more] = text.split(/\s+/);
      const [min, max] = [parseDuration(least), parseDuration(greatest)];
      if (min === undefined || max === undefined || more.length > 0 || min > max) return undefined;
      return { restartDelay: { min, max } };
    },
  },
  'restart-limit': {
    help: 'crashes in a row after which it has failed',
    default: 'none',
    takes: 'at once',
    expected: 'a whole number from 1',
    read: (text) => wholeNumber(text, 1, 1_000_000, (restartLimit) => ({ restartLimit })),
  },
  essential: {
    ...flag({ essential: true }),
    help: 'present: when it is over for good, the tree stops with its exit code; under `restart` `always` that takes a `restart-limit` or finish’s 125',
  },
  user: {
    help: '`user` or `user:group`, names or numbers, for all its programs; a user alone brings its supplementary groups. HOME, USER and LOGNAME become the user’s',
    default: 'ours',
    takes: 'at the next start',
    expected: 'user or user:group, names or numbers',
    // Whom it means is looked up where there is a disk to look at (os/account.ts).
    read: (text) => (parseUser(text) ? {} : undefined),
  },
};

/** The other files. */
const FILES: Readonly<Record<string, FileDoc>> = {
  run: {
    help: 'executable: the service. `./run NAME`, in its directory, in a session and process group of its own',
    default: 'required',
    takes: 'at the next start',
  },
  finish: {
    help: 'executable, after each death: `$1` exit code, 256 if a signal ended it; `$2` signal, else 0; `$3` name; `$4` process group. Exit 125: do not restart',
    default: 'none',
    takes: 'at once',
  },
  'dependencies.d/NAME': {
    help: 'at boot and at `supervise up`, start only when NAME is ready (a oneshot: done); on the tree’s stop, stop before it. An unknown name or a cycle refuses the whole tree',
    default: 'none',
    takes: 'at once',
  },
  check: {
    help: 'executable: ready once it exits 0; asked every second until then, each time for 5 s at the most',
    default: 'none',
    takes: 'at the next start',
  },
  health: {
    help: 'executable, while the service is ready: exit 0 is well',
    default: 'none',
    takes: 'at the next start',
  },
  'env/NAME': {
    help: 'the variable’s value: the first line, without the blanks at its end; an empty file takes the variable away',
    default: 'none',
    takes: 'at the next start',
  },
  'log/run': {
    help: 'executable: a logger, which reads the service’s stdout through a pipe that survives restarts of both; a service of its own by the name NAME/log, its settings in `log/`',
    default: 'none',
    takes: 'at the next start',
  },
  'templates/*.hbs': { help: 'rendered before the service first starts', default: 'none', takes: 'at once' },
  version: {
    help: 'of a package’s service: its exact version, which must be the one that the package’s `manifest.json` names',
    default: 'none',
    takes: 'at the next start',
  },
  'data/': { help: 'the service’s own; never read', default: 'none', takes: 'at once' },
};

/** When a change of a file (`env/PORT`, `run`) takes effect. */
export function takesEffect(file: string): FileDoc['takes'] {
  const [directory] = file.split('/');
  const name = file.includes('/') ? `${directory}/NAME` : file;
  return SERVICE_FILES[name]?.takes ?? 'at once';
}

/** Every file of a service directory, in the order in which they are shown. */
export const SERVICE_FILES: Readonly<Record<string, FileDoc>> = inOrder({ ...FILES, ...SETTINGS }, [
  ...['run', 'finish', 'type', 'down', 'dependencies.d/NAME', 'notification-fd', 'check'],
  ...['health', 'health-interval', 'health-retries', 'timeout-up', 'timeout-kill', 'timeout-finish'],
  ...['down-signal', 'reload-signal', 'restart', 'restart-delay', 'restart-limit', 'essential'],
  ...['env/NAME', 'user', 'log/run', 'templates/*.hbs', 'version', 'data/'],
]);

/**
 * Turns a service directory into its settings.
 * @param builtIn a run that stands in where the directory has none (the templater's)
 * @returns the settings (defaults where a value is bad) and all complaints, of which any keeps it from starting
 */
export function parseServiceDir(
  raw: RawServiceDir,
  builtIn?: readonly string[],
): { config: ServiceConfig; problems: Problem[] } {
  const problems: Problem[] = [...nameProblems(raw), ...raw.unreadable];
  const settings: Settings = {
    type: 'longrun',
    down: false,
    essential: false,
    restart: undefined,
    restartDelay: DEFAULTS.restartDelay,
    restartLimit: undefined,
    timeoutUp: undefined,
    timeoutKill: DEFAULTS.timeoutKill,
    timeoutFinish: DEFAULTS.timeoutFinish,
    downSignal: 15,
    reloadSignal: 1,
    notificationFd: undefined,
    healthInterval: DEFAULTS.healthInterval,
    healthRetries: DEFAULTS.healthRetries,
  };
  for (const [name, text] of raw.texts) {
    const value = SETTINGS[name]?.read(text.trim());
    if (value) Object.assign(settings, value);
    else {
      const got = JSON.stringify(text.trim().slice(0, 60));
      problems.push({
        message: `cannot read ${raw.path}/${name}: expected ${SETTINGS[name]?.expected}, got ${got}`,
        file: `${raw.path}/${name}`,
      });
    }
  }
  if (raw.run.is === 'broken') problems.push(raw.run.problem);
  // Of a directory that cannot be read nobody knows what it has.
  const isRead = !raw.unreadable.some(({ file }) => file === raw.path);
  if (raw.run.is === 'missing' && !builtIn && isRead)
    problems.push({
      message: `cannot start "${raw.name}": ${raw.path} has no run`,
      hint: `add an executable ${raw.path}/run, or remove the directory`,
      file: raw.path,
    });
  for (const program of [raw.finish, raw.check, raw.health])
    if (program.is === 'broken') problems.push(program.problem);
  const hasCheck = raw.check.is === 'ok';
  const config: ServiceConfig = {
    ...settings,
    restart: settings.restart ?? (settings.type === 'oneshot' ? 'never' : 'always'),
    name: raw.name,
    path: raw.path,
    command: raw.run.is === 'missing' ? builtIn : undefined,
    dependencies: raw.dependencies,
    hasTemplates: raw.templates.length > 0,
    hasLogger: raw.log !== undefined,
    hasFinish: raw.finish.is === 'ok',
    hasCheck,
    hasHealth: raw.health.is === 'ok',
    notifies: hasCheck || settings.notificationFd !== undefined,
    env: Object.fromEntries(raw.env),
    account: raw.account,
  };
  return { config, problems };
}

/** Settings for what has no service directory. */
export function bareConfig(name: string, command: readonly string[]): ServiceConfig {
  return { ...parseServiceDir(emptyServiceDir(name, ''), command).config, path: undefined };
}

/** A service directory without files. */
export function emptyServiceDir(name: string, path: string): RawServiceDir {
  const nothing: Program = { is: 'missing' };
  return {
    name,
    path,
    texts: new Map(),
    unreadable: [],
    run: nothing,
    finish: nothing,
    check: nothing,
    health: nothing,
    dependencies: [],
    templates: [],
    env: new Map(),
    account: undefined,
    stamps: new Map(),
  };
}

/** Whom a `user` file names, as written. */
export interface UserSpec {
  user: string;
  group: string | undefined;
}

/** Reads `user` or `user:group`; undefined for anything else. */
export function parseUser(text: string): UserSpec | undefined {
  const [, user, group] = /^([\w.@$-]+)(?::([\w.@$-]+))?$/.exec(text.trim()) ?? [];
  return user === undefined ? undefined : { user, group };
}

/** The name under which the main command appears; no service directory can have it. */
export const MAIN_COMMAND = '(command)';

/** The name under which the logger of a service appears; no service directory can have it. */
export function loggerOf(service: string): string {
  return `${service}/log`;
}

/** The service whose logger this is; undefined for what is no logger. */
export function ownerOf(name: string): string | undefined {
  return name.endsWith('/log') ? name.slice(0, -'/log'.length) : undefined;
}

function nameProblems({ name, path }: RawServiceDir): Problem[] {
  if (/^[A-Za-z0-9_][A-Za-z0-9._@:+,=-]*$/.test(ownerOf(name) ?? name)) return [];
  return [
    {
      message: `cannot use ${JSON.stringify(name)} as a service: expected a name of letters, digits and ._@:+,=-`,
      hint: 'rename the directory, or begin its name with a dot to have it passed over',
      file: path,
    },
  ];
}

function inOrder<T>(all: Readonly<Record<string, T>>, names: readonly string[]): Record<string, T> {
  return Object.fromEntries(names.map((name) => [name, all[name] as T]));
}

type Plain = Omit<Setting, 'help'>;

function flag(settings: Partial<Settings>): Plain {
  return { default: 'none', takes: 'at once', expected: 'anything', read: () => settings };
}

function time(read: (ms: Ms) => Partial<Settings> | undefined): Plain {
  return {
    default: 'none',
    takes: 'at once',
    expected: 'a time such as 5s',
    read(text) {
      const ms = parseDuration(text);
      return ms === undefined ? undefined : read(ms);
    },
  };
}

function signal(read: (number: number) => Partial<Settings>): Plain {
  return {
    default: 'none',
    takes: 'at once',
    expected: 'a signal such as SIGTERM or 15',
    read(text) {
      const number = parseSignal(text);
      return number === undefined ? undefined : read(number);
    },
  };
}

function wholeNumber(
  text: string,
  least: number,
  most: number,
  read: (n: number) => Partial<Settings>,
): Partial<Settings> | undefined {
  const number = Number(text);
  return /^\d+$/.test(text) && number >= least && number <= most ? read(number) : undefined;
}
