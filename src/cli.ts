/**
 * The commands and options as data: what is read from the command line and the environment, what `--help` prints, and
 * what the README's tables are held against, all come from here.
 */
import { type Ms, parseDuration, parseWait } from './core/duration.ts';
import { parseExitMap } from './core/exit.ts';
import { GOALS, type Goal } from './core/goal.ts';
import { parseSignal, UNCATCHABLE } from './core/signals.ts';
import { parseSourceName, SOURCE_NAMES } from './core/source-name.ts';
import { didYouMean, UserError } from './errors.ts';
import type { GatePolicy } from './gate-timeout.ts';
import { type Format, LEVELS, type Level } from './log.ts';

export interface OptionSpec {
  /** As it is written, where that is not its name: a flag can mean one thing to one verb and another to the next. */
  flag?: string;
  /** What the value is called; undefined for a switch. */
  value?: string;
  /** The values, where they are words. */
  words?: readonly string[];
  /** As it is shown. */
  default: string;
  help: string;
}

/** Each option has an environment variable, `--stop-timeout` ↔ `SUPERVISE_STOP_TIMEOUT`; the flag wins. */
export const OPTIONS = {
  'stop-timeout': {
    value: 'TIME',
    default: '9s',
    help: 'ceiling of the whole stop: services, finish scripts, hooks',
  },
  'hook-timeout': { value: 'TIME', default: '10s', help: 'ceiling of a hook in .supervise/' },
  'exit-map': { value: 'N=M,…', default: 'none', help: 'exit with M where it would be N: 143=0' },
  rewrite: {
    value: 'SIG:SIG,…',
    default: 'none',
    help: 'take one signal for another: TERM:QUIT; TERM:0 drops it',
  },
  disable: {
    value: 'NAME,…',
    default: 'none',
    help: 'services not to be started at boot, and for whom nobody waits',
  },
  enable: {
    value: 'NAME,…',
    default: 'none',
    help: 'services to be started at boot in spite of their down file',
  },
  watch: { default: 'on if stdout is a terminal', help: 'rescan as soon as the services directory changes' },
  source: {
    value: 'SOURCE',
    default: 'Consul, if its address is set',
    help: 'values for templates: file:PATH or consul:HOST:PORT',
  },
  wait: { value: 'MIN:MAX', default: '100ms:2s', help: 'collect changes of values for this long' },
  cache: {
    value: 'DIR',
    default: 'none',
    help: 'keep the last good values there, for a start while Consul is away',
  },
  helpers: { value: 'FILE', default: 'none', help: 'helpers of your own for templates, in JavaScript' },
  'render-timeout': { value: 'TIME', default: '5s', help: 'ceiling of one run of a template' },
  settle: {
    value: 'TIME',
    default: '5s',
    help: 'new config is taken back if its service crashes, or is not ready, within this; 0: never',
  },
  'gate-timeout': {
    value: 'TIME:stale|fail',
    default: 'wait for ever',
    help: 'then start on the files from before, or take the service for failed',
  },
  socket: { value: 'PATH', default: 'see help control', help: 'the control socket' },
  'wait-until': {
    flag: 'wait',
    value: 'ready|down',
    words: ['ready', 'down'],
    default: 'do not wait',
    help: 'wait for each service: for its readiness, or its end',
  },
  for: { value: 'ready|up|down', words: GOALS, default: 'required', help: 'what to wait for' },
  timeout: { value: 'TIME', default: 'none', help: 'stop waiting after this long, with exit code 99' },
  follow: { default: 'off', help: 'go on telling, until the tree ends' },
  'status-watch': { flag: 'watch', default: 'off', help: 'a new table at each change' },
  'log-format': {
    value: 'text|json',
    words: ['text', 'json'],
    default: 'text on a terminal, else json',
    help: 'our own lines, on stderr',
  },
  'log-level': {
    value: 'LEVEL',
    words: LEVELS,
    default: 'info',
    help: `least level of our own lines: ${LEVELS.join(', ')}`,
  },
  'log-prefix': { default: 'off', help: "put [service] before each line of the services' output" },
  capture: {
    default: 'off',
    help: "take the services' output through pipes of ours (logs, crash hook); as JSON with --log-format json",
  },
  json: { default: 'off', help: 'print JSON' },
} as const satisfies Record<string, OptionSpec>;
export type OptionName = keyof typeof OPTIONS;

export interface CommandSpec {
  usage: string;
  help: string;
  /** More lines for its own page. */
  more?: readonly string[];
  options: readonly OptionName[];
  /** Least and greatest number of words after the verb. */
  words: readonly [number, number];
  /** What these words are, for completion: the first may differ from the rest. */
  takes?: readonly Word[];
  /** What is missed where there are too few; the name of a service, if nothing else. */
  expects?: string;
}
export type Word = 'service' | 'signal' | 'directory' | 'topic' | 'shell';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const MANY = Number.POSITIVE_INFINITY;

const WAITING = [
  'Exit 0 when it is told, or with --wait when it is so; 1 as soon as that cannot happen by itself, with the reason;',
  '99 when --timeout is over, with what it still waits for.',
];

const READINESS =
  'Without check and notification-fd, a service is ready once executed: give it one before you trust --wait ready.';

const STARTING: [string, string, string] = [
  'Reads the service’s directory again. What has to wait is told to start, says what it waits for, and exits 0.',
  'The crashes before it are forgotten. --wait ready waits for the readiness of the new run, --wait down for its end.',
  READINESS,
];
const RESTARTING = [
  STARTING[0],
  'The crashes before it are forgotten. --wait ready waits for the readiness of the new run, --wait down for the end of the old.',
  STARTING[2],
  'A service that is up is restarted without waiting for what it depends on.',
];

export const COMMANDS = {
  run: {
    usage: '[options] [scandir] [-- command args…]',
    help: 'run the tree: every service of the directory, and the main command beside them',
    options: [
      'stop-timeout',
      'hook-timeout',
      'exit-map',
      'rewrite',
      'disable',
      'enable',
      'watch',
      'source',
      'wait',
      'cache',
      'helpers',
      'render-timeout',
      'settle',
      'gate-timeout',
      'socket',
      'log-format',
      'log-level',
      'log-prefix',
      'capture',
    ],
    words: [0, 1],
    takes: ['directory'],
  },
  status: {
    usage: 'status [service…] [--json] [--watch]',
    help: 'what is wanted, what is, and why: all as a table, or everything about one',
    more: [
      'IS: down, starting, up (not ready yet), ready, stopping, finishing (its finish runs), backoff (until its next start),',
      'failed (for good), done (a oneshot). WANTED: up, once, down. CRASHES: in a row.',
      'With --watch it is told again at each change. --json is documented in: supervise help protocol.',
    ],
    options: ['json', 'status-watch', 'socket'],
    words: [0, MANY],
    takes: ['service'],
  },
  up: order('up', 'start, now or as soon as what it waits for is ready', ...STARTING),
  down: order(
    'down',
    'stop, and do not start again; what depends on it stays up',
    'It is its end that --wait down waits for; --wait ready is refused.',
  ),
  once: order('once', 'start, and do not start again when it ends', ...STARTING),
  restart: order('restart', 'stop and start', ...RESTARTING),
  reload: order(
    'reload',
    'send the reload-signal (SIGHUP)',
    'With --wait ready it is 1 as soon as the run that was told ends; one that dies of its signal does so at once.',
  ),
  signal: {
    usage: 'signal <SIG> <service…>',
    help: 'send a signal to the run of each service: TERM, SIGUSR1, 15, RTMIN+3',
    options: ['socket'],
    words: [2, MANY],
    takes: ['signal', 'service'],
    expects: 'a signal and the name of a service',
  },
  wait: {
    usage: 'wait <service…> --for ready|up|down [--timeout T]',
    help: 'wait until all of them are; exit 1 as soon as it cannot happen by itself',
    more: [
      'up: executed, ready or not. ready: or done, for a oneshot. down: over or failed, and not to be started again.',
      READINESS.replace('--wait', '--for'),
      ...WAITING.slice(1),
    ],
    options: ['for', 'timeout', 'socket'],
    words: [1, MANY],
    takes: ['service'],
  },
  check: {
    usage: 'check [service…]',
    help: 'exit 0 only if all that should be up is up and ready (HEALTHCHECK)',
    options: ['socket'],
    words: [0, MANY],
    takes: ['service'],
  },
  events: {
    usage: 'events [service…] [--follow] [--json]',
    help: 'what happened, newest last',
    more: [
      'The last 1000 lines of our log from info on, whatever --log-level shows of it, and what the templater rendered.',
      'With --follow it goes on until the tree ends (exit 0). --json: one object a line, documented in: supervise help protocol.',
    ],
    options: ['follow', 'json', 'socket'],
    words: [0, MANY],
    takes: ['service'],
  },
  logs: {
    usage: 'logs <service…> [--follow] [--json]',
    help: 'what services wrote last, where their output is captured (--capture, --log-prefix)',
    more: [
      'The last 64 KiB of each. Of several services, each line says whose it is. Exit 1: not captured.',
      'With --follow it goes on until the tree ends (exit 0). --json: one object a line, documented in: supervise help protocol.',
    ],
    options: ['follow', 'json', 'socket'],
    words: [1, MANY],
    takes: ['service'],
  },
  rescan: {
    usage: 'rescan',
    help: 'read the services directory again, and let bad config be tried again',
    options: ['socket'],
    words: [0, 0],
  },
  stop: { usage: 'stop', help: 'stop the whole tree, and wait for it', options: ['socket'], words: [0, 0] },
  lint: {
    usage: 'lint [scandir] [--json]',
    help: 'read everything, complain about everything, start nothing',
    options: ['json', 'stop-timeout', 'source', 'helpers', 'disable', 'enable'],
    words: [0, 1],
    takes: ['directory'],
  },
  init: {
    usage: 'init [dir]',
    help: 'write a small working services directory (./services.d)',
    options: [],
    words: [0, 1],
    takes: ['directory'],
  },
  template: {
    usage: 'template [-template IN:OUT[:CMD]…] [options]',
    help: 'the templater alone; see: supervise template --help',
    options: [],
    words: [0, MANY],
  },
  completion: {
    usage: 'completion bash|zsh|fish',
    help: 'print what teaches a shell to complete: source <(supervise completion bash)',
    options: [],
    words: [1, 1],
    takes: ['shell'],
    expects: 'bash, zsh or fish',
  },
  install: {
    usage: 'install [options]',
    help: 'the package installer alone; see: supervise install --help',
    options: [],
    words: [0, 0],
  },
  version: { usage: '--version', help: 'print the version', options: [], words: [0, 0] },
  help: {
    usage: 'help [topic]',
    help: 'this text, or more of one verb or topic',
    options: [],
    words: [0, 1],
    takes: ['topic'],
  },
} as const satisfies Record<string, CommandSpec>;
export type CommandName = keyof typeof COMMANDS;

function order(verb: string, help: string, ...more: string[]) {
  return {
    usage: `${verb} <service…> [--wait ready|down] [--timeout T]`,
    help,
    more: [...more, ...WAITING],
    options: ['wait-until', 'timeout', 'socket'],
    words: [1, MANY],
    takes: ['service'],
  } as const;
}

export interface Invocation {
  command: CommandName;
  /** Words after the verb. */
  words: string[];
  /** What follows `--`. */
  main: string[] | undefined;
  options: Options;
  /** Everything after the verb, unread; for verbs that read it themselves. */
  rest: string[];
}

export interface Options {
  stopTimeout: Ms;
  hookTimeout: Ms;
  exitMap: ReadonlyMap<number, number>;
  /** Signal → the signal that it is taken for; 0 drops it. */
  rewrite: ReadonlyMap<number, number>;
  disable: readonly string[];
  enable: readonly string[];
  watch: boolean | undefined;
  source: string | undefined;
  cache: string | undefined;
  helpers: string | undefined;
  renderTimeout: Ms | undefined;
  wait: string | undefined;
  waitUntil: Goal | undefined;
  for: Goal | undefined;
  timeout: Ms | undefined;
  follow: boolean;
  statusWatch: boolean;
  settle: Ms;
  gatePolicy: GatePolicy | undefined;
  socket: string | undefined;
  logFormat: Format | undefined;
  logLevel: Level;
  logPrefix: boolean;
  capture: boolean;
  json: boolean;
}

/**
 * Reads the command line.
 * @throws UserError (exit 100) that says what was expected
 */
export function parseCommandLine(argv: readonly string[], env: NodeJS.ProcessEnv): Invocation {
  // What these verbs take is theirs to read.
  const [first, ...rest] = argv;
  if (first === 'template' || first === 'install') return { ...EMPTY, command: first, rest };
  const end = argv.indexOf('--');
  const main = end < 0 ? undefined : argv.slice(end + 1);
  const { values, positionals } = parseFlags(end < 0 ? argv : argv.slice(0, end));
  if (values['help']) return { ...EMPTY, command: 'help', words: positionals.slice(0, 1) };
  if (values['version']) return { ...EMPTY, command: 'version' };
  const verb = positionals[0];
  const isVerb = verb !== undefined && Object.hasOwn(COMMANDS, verb) && verb !== 'run';
  const command = isVerb ? (verb as CommandName) : 'run';
  const words = isVerb ? positionals.slice(1) : positionals;
  const own = new Map<string, OptionName>(COMMANDS[command].options.map((name) => [flagOf(name), name]));
  const foreign = Object.keys(values).find((flag) => !own.has(flag));
  checkVerb(command, words, foreign !== undefined);
  checkWords(command, words, main);
  if (foreign !== undefined)
    throw new UserError(`cannot use --${foreign} with "${command}"`, { hint: `supervise help ${command}` });
  if (values['timeout'] !== undefined && own.has('wait') && values['wait'] === undefined)
    throw new UserError(`cannot ${command}: --timeout is for --wait`, {
      hint: `supervise ${COMMANDS[command].usage}`,
    });
  // What the environment says to other verbs is none of this one's business.
  const given = (name: OptionName): string | boolean | undefined =>
    own.get(flagOf(name)) === name ? (values[flagOf(name)] ?? (env[envName(name)] || undefined)) : undefined;
  return { command, words, main, options: readOptions(given), rest: [] };
}

/** An option as it is written, without its dashes. */
export function flagOf(name: OptionName): string {
  const spec: OptionSpec = OPTIONS[name];
  return spec.flag ?? name;
}

/** The verb that a word most likely meant: a mistyped one, or what other programs call it. */
export function verbNear(word: string): string | undefined {
  if (Object.hasOwn(OTHER_WORDS, word)) return OTHER_WORDS[word];
  return didYouMean(
    word,
    Object.keys(COMMANDS).filter((name) => name !== 'run'),
  );
}

const OTHER_WORDS: Readonly<Record<string, string>> = {
  start: 'up',
  kill: 'signal',
  list: 'status',
  ls: 'status',
  ps: 'status',
  halt: 'stop',
  shutdown: 'stop',
  health: 'check',
  history: 'events',
};

/** `SUPERVISE_STOP_TIMEOUT` for `stop-timeout`. */
export function envName(option: string): string {
  return `SUPERVISE_${option.toUpperCase().replaceAll('-', '_')}`;
}

type Given = (name: OptionName) => string | boolean | undefined;

function readOptions(given: Given): Options {
  const text = <T>(
    name: OptionName,
    expected: string,
    read: (text: string) => T | undefined,
  ): T | undefined => {
    const value = given(name);
    if (typeof value !== 'string') return undefined;
    const result = read(value);
    if (result !== undefined) return result;
    throw badValue(name, expected, value);
  };
  const time = (name: OptionName, otherwise: string): Ms =>
    text(name, 'a time such as 5s', parseDuration) ?? parseDuration(otherwise) ?? 0;
  return {
    stopTimeout: time('stop-timeout', OPTIONS['stop-timeout'].default),
    hookTimeout: time('hook-timeout', OPTIONS['hook-timeout'].default),
    exitMap: text('exit-map', 'pairs such as 143=0', parseExitMap) ?? new Map(),
    rewrite:
      text('rewrite', 'pairs of signals such as TERM:QUIT, without KILL and STOP', parseRewrite) ?? new Map(),
    disable: text('disable', 'names of services', parseNames) ?? [],
    enable: text('enable', 'names of services', parseNames) ?? [],
    watch: readSwitch('watch', given('watch')),
    cache: text('cache', 'a directory', (value) => value),
    helpers: text('helpers', 'a file', (value) => value),
    renderTimeout: text('render-timeout', 'a time such as 5s', parseDuration),
    source: text('source', SOURCE_NAMES, (value) => (parseSourceName(value) ? value : undefined)),
    wait: text('wait', 'two times such as 100ms:2s', (value) => (parseWait(value) ? value : undefined)),
    waitUntil: text('wait-until', 'ready or down', (value) =>
      value === 'ready' || value === 'down' ? value : undefined,
    ),
    for: text('for', 'ready, up or down', (value) => GOALS.find((goal) => goal === value)),
    timeout: text('timeout', 'a time such as 5s', parseDuration),
    follow: readSwitch('follow', given('follow')) ?? false,
    statusWatch: readSwitch('status-watch', given('status-watch')) ?? false,
    settle: time('settle', OPTIONS.settle.default),
    gatePolicy: text('gate-timeout', 'a time and what then, such as 30s:stale or 30s:fail', parseGatePolicy),
    socket: text('socket', 'a path', (value) => value),
    logFormat: text('log-format', 'text or json', (value) =>
      value === 'text' || value === 'json' ? value : undefined,
    ),
    logLevel:
      text('log-level', LEVELS.join(', '), (value) => LEVELS.find((level) => level === value)) ?? 'info',
    logPrefix: readSwitch('log-prefix', given('log-prefix')) ?? false,
    capture: readSwitch('capture', given('capture')) ?? false,
    json: readSwitch('json', given('json')) ?? false,
  };
}

const EMPTY: Omit<Invocation, 'command'> = {
  words: [],
  main: undefined,
  options: readOptions(() => undefined),
  rest: [],
};

function parseFlags(argv: readonly string[]): {
  values: Record<string, string | boolean>;
  positionals: string[];
} {
  // As a container starts; what reads flags takes a millisecond to load.
  if (!argv.some((word) => word.startsWith('-'))) return { values: {}, positionals: [...argv] };
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean' },
  };
  for (const [name, spec] of Object.entries(OPTIONS)) {
    const flag = flagOf(name as OptionName);
    const type = 'value' in spec ? 'string' : 'boolean';
    // --watch of `run` and of `status`: of one flag's meanings all take a value, or none does.
    options[flag] = { type };
  }
  try {
    const { parseArgs } = process.getBuiltinModule('node:util');
    const { values, positionals } = parseArgs({
      args: [...argv],
      options,
      allowPositionals: true,
      allowNegative: true,
    });
    return { values: values as Record<string, string | boolean>, positionals };
  } catch (error) {
    throw badFlag(error, Object.keys(options));
  }
}

function badFlag(error: unknown, known: readonly string[]): UserError {
  const message = (error as Error).message;
  const [, dashes, name] = /Unknown option '(--?)([^']*)'/.exec(message) ?? [];
  const near = name === undefined ? undefined : didYouMean(name, known);
  const cause = name === undefined ? message.replace(/\.\s.*$/s, '') : `no such option as ${dashes}${name}`;
  return new UserError(`cannot read the command line: ${cause}${near ? ` (did you mean --${near}?)` : ''}`, {
    hint: 'supervise --help',
    cause: error,
  });
}

/** A mistyped verb would be taken for a directory, and what follows it for a mistake. */
function checkVerb(command: CommandName, words: readonly string[], hasForeignFlag: boolean): void {
  const [word = ''] = words;
  if (command !== 'run' || word.includes('/') || (words.length < 2 && !hasForeignFlag)) return;
  const near = verbNear(word);
  if (near)
    throw new UserError(`cannot run "${word}": no such verb (did you mean "${near}"?)`, {
      hint: 'supervise --help',
    });
}

function checkWords(
  command: CommandName,
  words: readonly string[],
  main: readonly string[] | undefined,
): void {
  const { usage, words: range, expects = 'the name of a service' }: CommandSpec = COMMANDS[command];
  const hint = `supervise ${usage}`;
  if (words.length < range[0]) throw new UserError(`cannot ${command}: expected ${expects}`, { hint });
  if (words.length > range[1])
    throw new UserError(`cannot ${command}: unexpected "${words[range[1]]}"`, {
      hint: command === 'run' ? `${hint}\n  a main command goes behind --` : hint,
    });
  if (main && command !== 'run')
    throw new UserError(`cannot ${command}: it takes no command behind --`, { hint });
  if (main?.length === 0) throw new UserError('cannot run: expected a command behind --', { hint });
}

function parseRewrite(text: string): ReadonlyMap<number, number> | undefined {
  const map = new Map<number, number>();
  for (const pair of text.split(',')) {
    const [from = '', to = '', ...more] = pair.split(':');
    const [a, b] = [parseSignal(from), to.trim() === '0' ? 0 : parseSignal(to)];
    if (a === undefined || b === undefined || more.length > 0) return undefined;
    // Nobody can catch these, and to hand one on would be no stop but an end.
    if ([a, b].some((number) => UNCATCHABLE.includes(number))) return undefined;
    map.set(a, b);
  }
  return map;
}

function parseNames(text: string): string[] {
  return text.split(/[\s,]+/).filter((name) => name !== '');
}

function parseGatePolicy(text: string): GatePolicy | undefined {
  const [time = '', fallback, ...more] = text.split(':');
  const after = parseDuration(time);
  if (after === undefined || more.length > 0) return undefined;
  return fallback === 'stale' || fallback === 'fail' ? { after, fallback } : undefined;
}

function readSwitch(name: OptionName, value: string | boolean | undefined): boolean | undefined {
  if (typeof value !== 'string') return value;
  if (/^(1|true|yes|on)$/i.test(value)) return true;
  if (/^(0|false|no|off)$/i.test(value)) return false;
  throw badValue(name, '1 or 0', value);
}

function badValue(name: OptionName, expected: string, value: string): UserError {
  const isGoal = name === 'wait' && GOALS.some((goal) => goal === value);
  return new UserError(
    `cannot use --${flagOf(name)} (or ${envName(name)}): expected ${expected}, got "${value}"`,
    isGoal ? { hint: `--wait ${value} belongs to up, once, restart, down and reload` } : {},
  );
}
