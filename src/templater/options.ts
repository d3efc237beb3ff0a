import { parseArgs } from 'node:util';
import { parseWait, type Wait } from '../core/duration.ts';
import { didYouMean, UserError } from '../errors.ts';
import { type Format, LEVELS, type Level } from '../log.ts';

/** What `supervise template` was asked to do. */
export interface Options {
  scandir: string;
  source: string | undefined;
  consulAddr: string | undefined;
  wait: Wait;
  once: boolean;
  help: boolean;
  logFormat: Format;
  logLevel: Level;
}

const DEFAULT_WAIT = '100ms:2s';

export const HELP = `supervise template: renders the templates of all services, and again when their values change

usage: supervise template [--services DIR] [options]

  --services DIR       the services directory, with */templates/*.hbs   SUPERVISE_SCANDIR       ./services.d
  --source SOURCE      file:PATH (JSON or YAML; relative to DIR),       SUPERVISE_SOURCE        Consul, where
                       consul, or consul:HOST:PORT                                              CONSUL_HTTP_ADDR is set
  --consul-addr ADDR   host:port, http(s)://… or unix://…               CONSUL_HTTP_ADDR
  --wait MIN[:MAX]     gather changes this long after the last, and     SUPERVISE_WAIT          ${DEFAULT_WAIT}
                       no longer than MAX after the first
  --once               end when every file is written (exit 0), or when one never can be
  --log-format FORMAT  text or json                                     SUPERVISE_LOG_FORMAT    text on a terminal
  --log-level LEVEL    ${LEVELS.join(', ')}               SUPERVISE_LOG_LEVEL     info

Where neither SUPERVISE_SOURCE nor CONSUL_HTTP_ADDR nor CONSUL names a source, it is DIR/.supervise/kv.json (or .yaml, .yml).
Consul's own variables are read as its clients do: CONSUL_HTTP_TOKEN[_FILE], CONSUL_CACERT, CONSUL_NAMESPACE and so on.
`;

const FLAGS = {
  services: { type: 'string' },
  source: { type: 'string' },
  'consul-addr': { type: 'string' },
  wait: { type: 'string' },
  once: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  'log-format': { type: 'string' },
  'log-level': { type: 'string' },
} as const;

/**
 * Reads the command line and the environment; a flag wins. `-once` is `--once`, as consul-template's users write it.
 * @param terminal whether stderr is one, which decides the format of the log where nothing else does
 * @throws UserError that says what was expected
 */
export function parseOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  terminal: boolean,
): Options {
  const flags = readFlags(argv.map((arg) => (/^-[a-z]{2}/.test(arg) ? `-${arg}` : arg)));
  const either = (flag: string | undefined, name: string): string | undefined =>
    flag ?? (env[name] || undefined);
  const format = either(flags['log-format'], 'SUPERVISE_LOG_FORMAT') ?? (terminal ? 'text' : 'json');
  const level = either(flags['log-level'], 'SUPERVISE_LOG_LEVEL') ?? 'info';
  const wait = either(flags.wait, 'SUPERVISE_WAIT') ?? DEFAULT_WAIT;
  return {
    scandir: either(flags.services, 'SUPERVISE_SCANDIR') ?? './services.d',
    source: either(flags.source, 'SUPERVISE_SOURCE'),
    consulAddr: flags['consul-addr'],
    wait: parseWait(wait) ?? refuse('--wait', 'two times such as 100ms:2s, the least first', wait),
    once: flags.once ?? false,
    help: flags.help ?? false,
    logFormat:
      format === 'text' || format === 'json' ? format : refuse('--log-format', 'text or json', format),
    logLevel:
      LEVELS.find((each) => each === level) ?? refuse('--log-level', `one of ${LEVELS.join(', ')}`, level),
  };
}

function readFlags(args: string[]): ReturnType<typeof parseArgs<{ options: typeof FLAGS }>>['values'] {
  try {
    return parseArgs({ args, options: FLAGS, allowPositionals: false }).values;
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

function refuse(option: string, expected: string, got: string): never {
  throw new UserError(
    `cannot run "template": expected ${option} to be ${expected}, got ${JSON.stringify(got)}`,
  );
}
