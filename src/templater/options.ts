import { parseArgs } from 'node:util';
import { type Ms, parseDuration, parseWait, type Wait } from '../core/duration.ts';
import { parseSignal } from '../core/signals.ts';
import { didYouMean, UserError } from '../errors.ts';
import { type Format, LEVELS, type Level } from '../log.ts';
import { type Ignored, setForeignAside } from './foreign-options.ts';
import { type LoneTemplate, parseLoneTemplate } from './lone-templates.ts';

/** What `supervise template` was asked to do. */
export interface Options {
  /** The services directories; of two services of one name the later one's templates count. */
  scandirs: string[];
  /** The templates of `-template`; empty: those of the services directories. */
  templates: LoneTemplate[];
  source: string | undefined;
  consulAddr: string | undefined;
  /** What the options say of Consul, under the names of its own variables; they win over the environment's. */
  consulEnv: Readonly<Record<string, string>>;
  /** A directory that keeps the last good data. */
  cache: string | undefined;
  /** A JavaScript file with helpers of the user's own. */
  helpers: string | undefined;
  /** How long one run of one template may take. */
  renderTimeout: Ms | undefined;
  wait: Wait;
  once: boolean;
  show: Show;
  json: boolean;
  exec: ExecOptions | undefined;
  /** Signals that have the templates read again, and that end it beside SIGTERM and SIGINT; 0 for none. */
  reloadSignal: number;
  killSignal: number;
  pidFile: string | undefined;
  help: boolean;
  version: boolean;
  logFormat: Format;
  logLevel: Level;
  /** Options of consul-template's that are passed over, and why that does no harm. */
  ignored: Ignored[];
}

/** What is shown instead of written: `--dry`, `--diff`, `--explain`. */
export type Show = 'content' | 'differences' | 'queries' | undefined;

/** `-exec` and its companions. */
export interface ExecOptions {
  command: string;
  /** Tells the command of a change; undefined: it is stopped and started again. */
  reloadSignal: number | undefined;
  /** What stops it; undefined: SIGTERM for a restart, and at our own end the signal that we got. */
  killSignal: number | undefined;
  killTimeout: Ms;
  /** A restart or reload is put off by up to this long, at random, so that a thousand containers do not do it at once. */
  splay: Ms;
}

const DEFAULT_WAIT = '100ms:2s';
const DEFAULT_KILL_TIMEOUT = '30s';

export const HELP = `supervise template: renders templates, and again when their values change

usage: supervise template [options] -template IN:OUT[:CMD] …      these templates
       supervise template [options] --services DIR                those of all services
       supervise template convert FILE.ctmpl …                    Go templates into Handlebars; see convert --help

  --template IN:OUT[:CMD]    render IN to OUT; run CMD (sh -c) when OUT has changed. Repeatable. IN is Handlebars,
                             or a template of consul-template's when its name ends in .ctmpl
  --services DIR             the services directory, with */templates/*.hbs (./services.d)    SUPERVISE_SCANDIR
                             Repeatable: of two services of one name, the later directory's counts
  --source SOURCE            file:PATH (JSON or YAML), consul, or consul:HOST:PORT            SUPERVISE_SOURCE
  --cache DIR                keep the last good values there, for a start without the source  SUPERVISE_CACHE
  --helpers FILE             helpers of your own, in JavaScript                               SUPERVISE_HELPERS
  --render-timeout TIME      how long one run of a template may take (5s)                     SUPERVISE_RENDER_TIMEOUT
  --wait MIN[:MAX]           gather changes this long after the last, and no longer           SUPERVISE_WAIT
                             than MAX after the first (${DEFAULT_WAIT})
  --once                     end when every file is written (exit 0), or when one never can be
  --dry                      print the files, write nothing, run nothing
  --diff                     print what would change, and end: exit 0 nothing, 1 something
  --explain                  print what each template asks for and lacks, and end: exit 0 all there, 1 something lacks
  --json                     print --explain as JSON
  --log-format FORMAT        text or json (text on a terminal)                                SUPERVISE_LOG_FORMAT
  --log-level LEVEL          ${LEVELS.join(', ')} (info)                          SUPERVISE_LOG_LEVEL
  --pid-file FILE            write our process id there

  --exec CMD                 start CMD when all is rendered, restart it after a change, end with its exit code
  --exec-reload-signal SIG   send this after a change instead of a restart
  --exec-kill-signal SIG     what stops CMD (SIGTERM)
  --exec-kill-timeout TIME   from there to SIGKILL of its process group (${DEFAULT_KILL_TIMEOUT})
  --exec-splay TIME          put a restart or reload off, by up to this long at random (0)
  --reload-signal SIG        have us read the templates again (SIGHUP)
  --kill-signal SIG          end us, as SIGTERM and SIGINT always do

  --consul-addr ADDR         host:port, http(s)://… or unix://…                               CONSUL_HTTP_ADDR
  --consul-token TOKEN       better in a file: everybody can read a command line              CONSUL_HTTP_TOKEN
  --consul-token-file FILE   read again when it changes                                       CONSUL_HTTP_TOKEN_FILE
  --consul-auth USER:PASS                                                                     CONSUL_HTTP_AUTH
  --consul-ssl                                                                                CONSUL_HTTP_SSL
  --consul-ssl-ca-cert FILE, --consul-ssl-ca-path DIR                                         CONSUL_CACERT, …CAPATH
  --consul-ssl-cert FILE, --consul-ssl-key FILE                                               CONSUL_CLIENT_CERT, …KEY
  --consul-ssl-server-name NAME                                                               CONSUL_TLS_SERVER_NAME
  --consul-ssl-verify=false                                                                   CONSUL_HTTP_SSL_VERIFY
  --max-stale TIME           let any server answer whose data are not older                   SUPERVISE_MAX_STALE

One dash does as well as two. Where nothing names a source it is DIR/.supervise/kv.json (.yaml, .yml) if that is there,
and with --template else Consul at 127.0.0.1:8500. A relative PATH of a source is relative to DIR, the first one.
`;

const TEXT = { type: 'string' } as const;
const SWITCH = { type: 'boolean' } as const;

const FLAGS = {
  template: { type: 'string', multiple: true },
  services: { type: 'string', multiple: true },
  source: TEXT,
  cache: TEXT,
  helpers: TEXT,
  'render-timeout': TEXT,
  wait: TEXT,
  once: SWITCH,
  dry: SWITCH,
  diff: SWITCH,
  explain: SWITCH,
  json: SWITCH,
  'log-format': TEXT,
  'log-level': TEXT,
  'pid-file': TEXT,
  exec: TEXT,
  'exec-reload-signal': TEXT,
  'exec-kill-signal': TEXT,
  'exec-kill-timeout': TEXT,
  'exec-splay': TEXT,
  'reload-signal': TEXT,
  'kill-signal': TEXT,
  'consul-addr': TEXT,
  'consul-token': TEXT,
  'consul-token-file': TEXT,
  'consul-auth': TEXT,
  'consul-ssl': SWITCH,
  'consul-ssl-ca-cert': TEXT,
  'consul-ssl-ca-path': TEXT,
  'consul-ssl-cert': TEXT,
  'consul-ssl-key': TEXT,
  'consul-ssl-server-name': TEXT,
  'consul-ssl-verify': SWITCH,
  'max-stale': TEXT,
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;

type Flags = ReturnType<typeof parseArgs<{ options: typeof FLAGS }>>['values'];
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the command line and the environment; a flag wins. `-once` is `--once`, as consul-template's users write it.
 * @param terminal whether stderr is one, which decides the format of the log where nothing else does
 * @throws UserError that says what was expected
 */
export function parseOptions(argv: readonly string[], env: Environment, terminal: boolean): Options {
  const { args, ignored } = setForeignAside(argv.map(asLongOption));
  const flags = readFlags(args.flatMap(asSwitch));
  const either = (flag: string | undefined, name: string): string | undefined =>
    flag ?? (env[name] || undefined);
  const format = either(flags['log-format'], 'SUPERVISE_LOG_FORMAT') ?? (terminal ? 'text' : 'json');
  const level = either(flags['log-level'], 'SUPERVISE_LOG_LEVEL') ?? 'info';
  const wait = either(flags.wait, 'SUPERVISE_WAIT') ?? DEFAULT_WAIT;
  const renderTimeout = either(flags['render-timeout'], 'SUPERVISE_RENDER_TIMEOUT');
  if (flags.template && flags.services !== undefined)
    throw new UserError('cannot run "template": --template and --services exclude each other', {
      hint: 'a template of a services directory names its own destination',
    });
  return {
    scandirs: flags.services ?? [env['SUPERVISE_SCANDIR'] || './services.d'],
    templates: (flags.template ?? []).map(parseLoneTemplate),
    source: either(flags.source, 'SUPERVISE_SOURCE'),
    consulAddr: flags['consul-addr'],
    consulEnv: readConsul(flags),
    cache: either(flags.cache, 'SUPERVISE_CACHE'),
    helpers: either(flags.helpers, 'SUPERVISE_HELPERS'),
    renderTimeout: renderTimeout === undefined ? undefined : readTime('--render-timeout', renderTimeout),
    wait: parseWait(wait) ?? refuse('--wait', 'two times such as 100ms:2s, the least first', wait),
    once: flags.once ?? false,
    show: readShow(flags),
    json: flags.json ?? false,
    exec: readExec(flags),
    reloadSignal: readSignal('--reload-signal', flags['reload-signal'] ?? 'SIGHUP'),
    killSignal: readSignal('--kill-signal', flags['kill-signal'] ?? 'SIGINT'),
    pidFile: flags['pid-file'],
    help: flags.help ?? false,
    version: flags.version ?? false,
    logFormat:
      format === 'text' || format === 'json' ? format : refuse('--log-format', 'text or json', format),
    logLevel: readLevel(level) ?? refuse('--log-level', `one of ${LEVELS.join(', ')}`, level),
    ignored,
  };
}

/** Go's flags have one dash or two; here it is two, and one for single letters. */
function asLongOption(arg: string): string {
  return /^-[a-z]{2}/.test(arg) ? `-${arg}` : arg;
}

/** Go's switches may have a value: `-once=true`. False is as good as not given, but for what is on by itself. */
function asSwitch(arg: string): string[] {
  const [, name = '', value = ''] = /^--([a-z-]+)=(.*)$/s.exec(arg) ?? [];
  const isSwitch = Object.hasOwn(FLAGS, name) && FLAGS[name as keyof typeof FLAGS].type === 'boolean';
  if (!isSwitch) return [arg];
  if (/^(1|t|true)$/i.test(value)) return [`--${name}`];
  if (/^(0|f|false)$/i.test(value)) return name === 'consul-ssl-verify' ? [`--no-${name}`] : [];
  return refuse(`--${name}`, 'true or false', value);
}

function readFlags(args: string[]): Flags {
  try {
    const options = { ...FLAGS, 'no-consul-ssl-verify': SWITCH };
    const { 'no-consul-ssl-verify': unverified, ...values } = parseArgs({
      args,
      options,
      allowPositionals: false,
    }).values;
    return unverified ? { ...values, 'consul-ssl-verify': false } : values;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const option = /'(-[^' =]*)/.exec(message)?.[1];
    if (code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION' || option === undefined)
      throw new UserError(`cannot run "template": ${message.split(/\. |\n/, 1)[0]}`, {
        hint: 'supervise template --help',
      });
    const near = didYouMean(
      option,
      Object.keys(FLAGS).map((name) => `--${name}`),
    );
    throw new UserError(`cannot run "template": no option is called "${option}"`, {
      hint: near ? `did you mean ${near}?` : 'supervise template --help',
    });
  }
}

function readShow(flags: Flags): Show {
  const asked = (['dry', 'diff', 'explain'] as const).filter((name) => flags[name]);
  if (asked.length > 1)
    throw new UserError(`cannot run "template": --${asked.join(' and --')} exclude each other`);
  return { dry: 'content', diff: 'differences', explain: 'queries', '': undefined }[asked[0] ?? ''] as Show;
}

function readExec(flags: Flags): ExecOptions | undefined {
  const signal = (name: 'exec-reload-signal' | 'exec-kill-signal'): number | undefined =>
    flags[name] === undefined ? undefined : readSignal(`--${name}`, flags[name]) || undefined;
  const { exec: command } = flags;
  const stray = Object.keys(flags).find((name) => name.startsWith('exec-'));
  if (command === undefined && stray)
    throw new UserError(`cannot run "template": --${stray} says nothing without --exec`);
  if (command === undefined) return undefined;
  if (command.trim() === '') return refuse('--exec', 'a command', command);
  return {
    command,
    reloadSignal: signal('exec-reload-signal'),
    killSignal: signal('exec-kill-signal'),
    killTimeout: readTime('--exec-kill-timeout', flags['exec-kill-timeout'] ?? DEFAULT_KILL_TIMEOUT),
    splay: readTime('--exec-splay', flags['exec-splay'] ?? '0'),
  };
}

/** What each option is called in the environment of Consul's clients. */
const CONSUL_VARIABLES = {
  'consul-addr': 'CONSUL_HTTP_ADDR',
  'consul-token': 'CONSUL_HTTP_TOKEN',
  'consul-token-file': 'CONSUL_HTTP_TOKEN_FILE',
  'consul-auth': 'CONSUL_HTTP_AUTH',
  'consul-ssl': 'CONSUL_HTTP_SSL',
  'consul-ssl-ca-cert': 'CONSUL_CACERT',
  'consul-ssl-ca-path': 'CONSUL_CAPATH',
  'consul-ssl-cert': 'CONSUL_CLIENT_CERT',
  'consul-ssl-key': 'CONSUL_CLIENT_KEY',
  'consul-ssl-server-name': 'CONSUL_TLS_SERVER_NAME',
  'consul-ssl-verify': 'CONSUL_HTTP_SSL_VERIFY',
  'max-stale': 'SUPERVISE_MAX_STALE',
} as const satisfies Partial<Record<keyof typeof FLAGS, string>>;

function readConsul(flags: Flags): Record<string, string> {
  if (flags['consul-token'] !== undefined && flags['consul-token-file'] !== undefined)
    throw new UserError('cannot run "template": --consul-token and --consul-token-file exclude each other');
  const values: Record<string, string> = {};
  for (const [flag, variable] of Object.entries(CONSUL_VARIABLES)) {
    const value = flags[flag as keyof typeof CONSUL_VARIABLES];
    if (value !== undefined) values[variable] = String(value);
  }
  // The file would win over the token; a flag wins over the environment.
  if (values['CONSUL_HTTP_TOKEN'] !== undefined) values['CONSUL_HTTP_TOKEN_FILE'] = '';
  return values;
}

/** consul-template's names beside ours. */
function readLevel(text: string): Level | undefined {
  const word = text.toLowerCase();
  const ours = { trace: 'debug', err: 'error', warning: 'warn' }[word] ?? word;
  return LEVELS.find((each) => each === ours);
}

/** 0 for an empty one, which is how consul-template is told to listen to none. */
function readSignal(option: string, text: string): number {
  return text === '' ? 0 : (parseSignal(text) ?? refuse(option, 'a signal such as SIGHUP', text));
}

function readTime(option: string, text: string): Ms {
  return parseDuration(text) ?? refuse(option, 'a time such as 5s', text);
}

function refuse(option: string, expected: string, got: string): never {
  throw new UserError(
    `cannot run "template": expected ${option} to be ${expected}, got ${JSON.stringify(got)}`,
  );
}
