import { UserError } from '../errors.ts';

/** An option that is passed over. */
export interface Ignored {
  option: string;
  /** Why that does no harm. */
  cause: string;
}

type Foreign =
  /** What is done instead; the option changes nothing that matters. */
  | { ignore: string; switch?: true }
  /** To pass over it would do harm; what to use instead. */
  | { instead: string };

const RETRY: Foreign = { ignore: 'a source that is away is asked again for ever, with growing pauses' };
const TRANSPORT: Foreign = { ignore: 'connections are few, and kept' };
const LOG: Foreign = { ignore: 'the log goes to stderr, one line per event: redirect it' };
const VAULT: Foreign = { instead: 'secrets of Vault are not read: leave that file to Vault Agent' };
const NOMAD: Foreign = { instead: 'Nomad is not read: leave that file to Nomad' };
const EXEC_ENV: Foreign = { instead: "say it in the command: -exec 'env -i NAME=value CMD'" };
const DELIMITER: Foreign = {
  instead: 'Handlebars has {{ }} only: supervise template convert -default-left-delimiter …',
};

/** Options of consul-template that we do not have, by name or by the beginning of it (`vault-*`). */
const FOREIGN: Readonly<Record<string, Foreign>> = {
  config: {
    instead: 'give each template{} as -template IN:OUT:CMD, and the rest as options',
  },
  'parse-only': { instead: '--diff reads and renders everything, and writes nothing' },
  'default-left-delimiter': DELIMITER,
  'default-right-delimiter': DELIMITER,
  'exec-env-*': EXEC_ENV,
  'vault-*': VAULT,
  'nomad-*': NOMAD,
  dedup: { ignore: 'keys under one prefix share one query already', switch: true },
  retry: RETRY,
  'consul-retry': { ...RETRY, switch: true } as Foreign,
  'consul-retry-*': RETRY,
  'template-error-fatal': { ignore: 'a template that fails harms no other, and ends nothing', switch: true },
  'block-query-wait': { ignore: 'a query waits as long as Consul lets it' },
  'consul-transport-disable-keep-alives': { ...TRANSPORT, switch: true } as Foreign,
  'consul-transport-*': TRANSPORT,
  syslog: { ...LOG, switch: true } as Foreign,
  'syslog-*': LOG,
  'log-file': LOG,
  'log-rotate-*': LOG,
};

/**
 * Takes consul-template's options that we do not have out of a command line.
 * @param args with two dashes
 * @throws UserError for one that cannot be passed over, with what to use instead
 */
export function setForeignAside(args: readonly string[]): { args: string[]; ignored: Ignored[] } {
  const rest: string[] = [];
  const ignored: Ignored[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    const [, name = '', value] = /^--([a-z-]+)(=.*)?$/s.exec(arg) ?? [];
    const foreign = find(name);
    if (!foreign) {
      rest.push(arg);
      continue;
    }
    if ('instead' in foreign)
      throw new UserError(`cannot use -${name}: it is an option of consul-template's alone`, {
        hint: foreign.instead,
      });
    ignored.push({ option: `-${name}`, cause: foreign.ignore });
    if (value === undefined && !foreign.switch) i++;
  }
  return { args: rest, ignored };
}

function find(name: string): Foreign | undefined {
  if (Object.hasOwn(FOREIGN, name)) return FOREIGN[name];
  const pattern = Object.keys(FOREIGN).find(
    (each) => each.endsWith('*') && name.startsWith(each.slice(0, -1)),
  );
  return pattern === undefined ? undefined : FOREIGN[pattern];
}
