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
  dependencies: readonly string[];
  /** `*.hbs` in `templates/`. */
  templates: readonly string[];
}

/** A program of a service directory: there, not there, or there and of no use. */
export type Program = { is: 'ok' } | { is: 'missing' } | { is: 'broken'; problem: Problem };

/** A complaint as it is shown: what cannot be done and why, and how to mend it. */
export interface Problem {
  message: string;
  hint?: string;
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
} as const;

type Settings = Omit<
  ServiceConfig,
  'name' | 'path' | 'command' | 'dependencies' | 'hasTemplates' | 'hasFinish' | 'notifies'
>;

interface Setting {
  expected: string;
  /** The settings that the text stands for, or undefined for a value that is none. */
  read: (text: string) => Partial<Settings> | undefined;
}

/** Every setting that is one file. Its presence alone is the value where `expected` is `anything`. */
export const SETTINGS: Readonly<Record<string, Setting>> = {
  down: flag({ down: true }),
  essential: flag({ essential: true }),
  restart: {
    expected: 'always, on-failure or never',
    read: (text) =>
      text === 'always' || text === 'on-failure' || text === 'never' ? { restart: text } : undefined,
  },
  'restart-delay': {
    expected: 'one or two times such as "1s 30s", the least first',
    read(text) {
      const [least = '', greatest = least, ...more] = text.split(/\s+/);
      const [min, max] = [parseDuration(least), parseDuration(greatest)];
      if (min === undefined || max === undefined || more.length > 0 || min > max) return undefined;
      return { restartDelay: { min, max } };
    },
  },
  'restart-limit': {
    expected: 'a whole number from 1',
    read: (text) => wholeNumber(text, 1, 1_000_000, (restartLimit) => ({ restartLimit })),
  },
  // 0 is s6's way to say: no limit.
  'timeout-kill': time((ms) => ({ timeoutKill: ms === 0 ? undefined : ms })),
  'timeout-finish': time((ms) => ({ timeoutFinish: ms === 0 ? undefined : ms })),
  'timeout-up': time((ms) => ({ timeoutUp: ms === 0 ? undefined : ms })),
  'down-signal': signal((downSignal) => ({ downSignal })),
  'reload-signal': signal((reloadSignal) => ({ reloadSignal })),
  'notification-fd': {
    expected: 'a descriptor number from 3 to 255',
    read: (text) => wholeNumber(text, 3, 255, (notificationFd) => ({ notificationFd })),
  },
  type: { expected: 'longrun', read: (text) => (text === 'longrun' ? {} : undefined) },
};

/** What a service directory may hold and this version does not do yet: refused, since to ignore it could harm. */
export const NOT_YET = ['check', 'health', 'user', 'env', 'log'] as const;

/**
 * Turns a service directory into its settings.
 * @param builtIn a run that stands in where the directory has none (the templater's)
 * @returns the settings (defaults where a value is bad) and all complaints, of which any keeps it from starting
 */
export function parseServiceDir(
  raw: RawServiceDir,
  builtIn?: readonly string[],
): { config: ServiceConfig; problems: Problem[] } {
  const problems: Problem[] = [...nameProblems(raw.name), ...raw.unreadable];
  const settings: Settings = {
    down: false,
    essential: false,
    restart: 'always',
    restartDelay: DEFAULTS.restartDelay,
    restartLimit: undefined,
    timeoutUp: undefined,
    timeoutKill: DEFAULTS.timeoutKill,
    timeoutFinish: DEFAULTS.timeoutFinish,
    downSignal: 15,
    reloadSignal: 1,
    notificationFd: undefined,
  };
  for (const [name, text] of raw.texts) {
    const value = SETTINGS[name]?.read(text.trim());
    if (value) Object.assign(settings, value);
    else {
      const got = JSON.stringify(text.trim().slice(0, 60));
      problems.push({
        message: `cannot read ${raw.path}/${name}: expected ${SETTINGS[name]?.expected}, got ${got}`,
      });
    }
  }
  if (raw.run.is === 'broken') problems.push(raw.run.problem);
  if (raw.run.is === 'missing' && !builtIn)
    problems.push({
      message: `cannot start "${raw.name}": ${raw.path} has no run`,
      hint: `add an executable ${raw.path}/run, or remove the directory`,
    });
  if (raw.finish.is === 'broken') problems.push(raw.finish.problem);
  const config: ServiceConfig = {
    ...settings,
    name: raw.name,
    path: raw.path,
    command: raw.run.is === 'missing' ? builtIn : undefined,
    dependencies: raw.dependencies,
    hasTemplates: raw.templates.length > 0,
    hasFinish: raw.finish.is === 'ok',
    notifies: settings.notificationFd !== undefined,
  };
  return { config, problems };
}

/** Settings for what has no service directory. */
export function bareConfig(name: string, command: readonly string[]): ServiceConfig {
  const nothing: Program = { is: 'missing' };
  const raw = { name, path: '', texts: new Map(), unreadable: [], run: nothing, finish: nothing };
  return { ...parseServiceDir({ ...raw, dependencies: [], templates: [] }, command).config, path: undefined };
}

/** The name under which the main command appears; no service directory can have it. */
export const MAIN_COMMAND = '(command)';

function nameProblems(name: string): Problem[] {
  if (/^[A-Za-z0-9_][A-Za-z0-9._@:+,=-]*$/.test(name)) return [];
  return [
    {
      message: `cannot use ${JSON.stringify(name)} as a service: expected a name of letters, digits and ._@:+,=-`,
      hint: 'rename the directory, or begin its name with a dot to have it passed over',
    },
  ];
}

function flag(settings: Partial<Settings>): Setting {
  return { expected: 'anything', read: () => settings };
}

function time(read: (ms: Ms) => Partial<Settings>): Setting {
  return {
    expected: 'a time such as 5s',
    read(text) {
      const ms = parseDuration(text);
      return ms === undefined ? undefined : read(ms);
    },
  };
}

function signal(read: (number: number) => Partial<Settings>): Setting {
  return {
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
