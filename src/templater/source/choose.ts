import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseSourceName, SOURCE_NAMES } from '../../core/source-name.ts';
import { UserError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { withLocalFiles } from './local-files.ts';
import type { Source, SourceState } from './source.ts';

/** Where values come from, before anything is opened. */
export type Choice =
  | { kind: 'file'; path: string }
  /** An address undefined means Consul's own variables and their defaults. */
  | { kind: 'consul'; address: string | undefined }
  /** Nothing names a source; only an error for templates that ask for values. */
  | { kind: 'none'; error: UserError };

export interface Wishes {
  /** `--source` or SUPERVISE_SOURCE. */
  source: string | undefined;
  /** `--consul-addr`. */
  consulAddr: string | undefined;
  env: Readonly<Record<string, string | undefined>>;
  /** A relative `file:` path is relative to the first. */
  scandirs: readonly string[];
}

/**
 * Decides on the source. What was asked for by name wins; else Consul's variables (CONSUL_HTTP_ADDR, CONSUL); else a file
 * beside the tree's hooks, `.supervise/kv.json` (or .yaml, .yml): the default for laptops, tests and CI.
 * @throws UserError when what names it cannot be read
 */
export function chooseSource({ source, consulAddr, env, scandirs }: Wishes): Choice {
  if (source) return parseSource(source, scandirs[0] ?? '.');
  const address = consulAddr || env['CONSUL_HTTP_ADDR'] || env['CONSUL'];
  if (address) return { kind: 'consul', address };
  const embedded = scandirs
    .toReversed()
    .flatMap((scandir) => EMBEDDED.map((name) => resolve(scandir, name)))
    .find((path) => existsSync(path));
  if (embedded) return { kind: 'file', path: embedded };
  const error = new UserError('cannot find a source of values: neither Consul nor a file is named', {
    hint: 'set CONSUL_HTTP_ADDR=127.0.0.1:8500, or SUPERVISE_SOURCE=file:PATH, or add .supervise/kv.json',
  });
  return { kind: 'none', error };
}

/** The file source that is taken when nothing names another, in a scandir. */
export const EMBEDDED = ['.supervise/kv.json', '.supervise/kv.yaml', '.supervise/kv.yml'];

/** Opens what was chosen, and with it the files of this machine that templates name. */
export async function openSource(...[choice, context]: Parameters<typeof openChosen>): Promise<Source> {
  return withLocalFiles(await openChosen(choice, context), context.log);
}

/** Only the code of that source is loaded. */
async function openChosen(
  choice: Choice,
  context: {
    env: Wishes['env'];
    log: Log;
    /** `--cache` or SUPERVISE_CACHE: the directory where the last good values are kept. */
    cache?: string | undefined;
    onState: (state: SourceState) => void;
    /** Told once when a template asks for a value though there is no source; returns whether to go on. */
    onNone: (error: UserError) => boolean;
  },
): Promise<Source> {
  const { env, log, cache, onState, onNone } = context;
  if (choice.kind === 'none') {
    const { createNoSource } = await import('./none.ts');
    return createNoSource(choice.error, onNone);
  }
  if (choice.kind === 'file') {
    const { createFileSource } = await import('./file.ts');
    return createFileSource({ file: choice.path, log, onState });
  }
  const { createConsulSource } = await import('./consul.ts');
  const { readConsulConfig } = await import('./consul-config.ts');
  const config = readConsulConfig(env, choice.address);
  if (!cache) return createConsulSource({ config, log, onState });
  const { createCachedSource } = await import('./cache.ts');
  // The same key of another namespace is another key.
  const params = Object.entries(config.params).map(([param, value]) => ` ${param}=${value}`);
  return createCachedSource({
    directory: cache,
    name: config.name + params.join(''),
    log,
    onState,
    open: (onState) => createConsulSource({ config, log, onState }),
  });
}

function parseSource(text: string, scandir: string): Choice {
  const named = parseSourceName(text);
  if (!named) throw new UserError(`cannot use the source ${JSON.stringify(text)}: expected ${SOURCE_NAMES}`);
  return named.kind === 'file' ? { ...named, path: resolve(scandir, named.path) } : named;
}
