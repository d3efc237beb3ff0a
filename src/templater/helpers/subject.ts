import { PARAMS, type Param, type Params, type Query } from '../source/query.ts';
import { type Options, textValue } from './helper.ts';

/** Of a service, with all that stands beside its name. */
const MOST_NAME = 4096;

/** Health that can be asked for; anything else in `filter=` is an expression for Consul. */
const STATUSES = ['any', 'passing', 'warning', 'critical', 'maintenance'];

/** `path`, or `path@datacenter` as consul-template writes it; with `dc=` an `@` belongs to the path. */
export function keyQuery(value: unknown, options: Options): Query<'key'> {
  const { name, params } = location(textValue(value, 'a path such as "app/rate"'), options);
  return { kind: 'key', name, params };
}

/** A folder: `app` and `app/` are the same, so that `ls "app"` does not list the keys of `apple/`. */
export function prefixQuery(value: unknown, options: Options): Query<'prefix'> {
  if (typeof value !== 'string') textValue(value, 'a path such as "app/peers"');
  const { name, params } = location(String(value), options);
  return { kind: 'prefix', name: name === '' || name.endsWith('/') ? name : `${name}/`, params };
}

/** `tag.name?ns=…@datacenter~near|passing,warning` as consul-template writes it; options say the same, and win. */
export function serviceQuery<K extends 'service' | 'connect'>(
  kind: K,
  value: unknown,
  options: Options,
): Query<K> {
  const text = textValue(value, 'the name of a service');
  // Longer, what follows would take its time.
  if (text.length > MOST_NAME)
    throw new Error(`expected a service such as "web", got ${text.length} characters`);
  const match =
    /^(?:(?<tag>[\w=:.-]+)\.)?(?<name>[\w/-]+)(?:\?(?<query>[^@~|]+))?(?:@(?<dc>[\w.-]+))?(?:~(?<near>[\w.-]+))?(?:\|(?<filter>[\w,]+))?$/.exec(
      text,
    )?.groups;
  if (!match?.['name'])
    throw new Error(`expected a service such as "web" or "tag.web@dc~_agent|passing", got "${text}"`);
  const { tag, dc, near, filter } = match;
  const short = defined({
    tag,
    dc,
    near,
    filter,
    ...more(match['query'], text),
  });
  const { filter: wanted, ...params } = { ...short, ...readParams(options) };
  return { kind, name: match['name'], params: { ...params, ...readFilter(wanted) } };
}

/** Everything of a kind, from `@datacenter~near` as consul-template writes it, or from nothing. */
export function catalogQuery<K extends 'services' | 'nodes'>(
  kind: K,
  value: unknown,
  options: Options,
): Query<K> {
  const text = value === undefined ? '' : textValue(value, 'a datacenter such as "@eu"');
  const match = /^(?:\?(?<query>[^@~]+))?(?:@(?<dc>[\w.-]+))?(?:~(?<near>[\w.-]+))?$/.exec(text)?.groups;
  if (!match) throw new Error(`expected a datacenter such as "@eu" or "@eu~_agent", got "${text}"`);
  const { dc, near } = match;
  return {
    kind,
    name: '',
    params: { ...defined({ dc, near, ...more(match['query'], text) }), ...readParams(options) },
  };
}

/** A node by name, `name@datacenter`; nothing is the agent's own. */
export function nodeQuery(value: unknown, options: Options): Query<'node'> {
  if (value === undefined || value === '') return { kind: 'node', name: '', params: readParams(options) };
  const { name, params } = location(textValue(value, 'the name of a node'), options);
  return { kind: 'node', name, params };
}

/** Names of the options that become part of the query. */
export const LOCATION_OPTIONS = ['dc', 'ns', 'partition'] as const;
export const CATALOG_OPTIONS = [...LOCATION_OPTIONS, 'peer', 'near', 'filter'] as const;
export const SERVICE_OPTIONS = [...CATALOG_OPTIONS, 'tag'] as const;

function location(text: string, options: Options): { name: string; params: Params } {
  const given = readParams(options);
  const match = given.dc === undefined ? /^(.*)@([\w.-]+)$/.exec(text) : null;
  const path = (match?.[1] ?? text).replace(/^\/+/, '');
  return { name: path, params: match?.[2] === undefined ? given : { ...given, dc: match[2] } };
}

function readFilter(filter: string | undefined): Params {
  if (filter === undefined) return { status: 'passing' };
  const words = filter.split(',').map((word) => word.trim());
  if (!words.every((word) => /^\w+$/.test(word))) return { status: 'passing', filter };
  const stray = words.find((word) => !STATUSES.includes(word));
  if (stray !== undefined) throw new Error(`expected one of ${STATUSES.join(', ')}, got "${stray}"`);
  return { status: words.includes('any') ? 'any' : [...new Set(words)].sort().join(',') };
}

function readParams(options: Options): Params {
  const params: Partial<Record<Param, string>> = {};
  for (const name of SERVICE_OPTIONS) {
    if (options[name] !== undefined) params[name] = textValue(options[name], `${name}= to be text`);
  }
  return params;
}

/** What stands behind a `?`. */
function more(query: string | undefined, text: string): Record<string, string> {
  const given = Object.fromEntries(new URLSearchParams(query ?? ''));
  const stray = Object.keys(given).find((name) => !(PARAMS as readonly string[]).includes(name));
  if (stray) throw new Error(`expected ns=, partition= or peer= behind the "?" of "${text}", got "${stray}"`);
  return given;
}

function defined(params: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(params).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
