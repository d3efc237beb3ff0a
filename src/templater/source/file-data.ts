import { instance, selectInstances } from './instances.ts';
import { pair } from './pairs.ts';
import type { DataOf, Instance, Kind, Query } from './query.ts';
import { compare } from './records.ts';

/** What a source file holds, made ready to answer queries. */
export interface FileData {
  /** Every key by its whole path, in order. */
  kv: ReadonlyMap<string, string>;
  services: ReadonlyMap<string, readonly Instance[]>;
}

export const NOTHING: FileData = { kv: new Map(), services: new Map() };

const PARTS = ['kv', 'services', 'nodes'];

/**
 * Checks the content of a source file: `{"kv": {…}, "services": {"web": [{"Address": …}]}, "nodes": […]}`, each part
 * optional.
 * @throws Error that says what was expected
 */
export function readFileData(content: unknown): FileData {
  // An empty YAML file is null: a file about to be filled.
  const root = content === null ? {} : asObject(content, 'the file');
  const stray = Object.keys(root).find((name) => !PARTS.includes(name));
  if (stray !== undefined) throw new Error(`expected kv, services or nodes, got ${JSON.stringify(stray)}`);
  return { kv: flatten(asObject(root['kv'] ?? {}, 'kv')), services: readServices(root['services'] ?? {}) };
}

/**
 * Keys as Consul would hold them: nested objects are folders, `"a/b"` is the same as `{"a": {"b": …}}`, and every
 * value is text. Null is a key that is not there.
 * @throws Error for a key that is given twice
 */
export function flatten(tree: Readonly<Record<string, unknown>>): Map<string, string> {
  const found: [string, string][] = [];
  const walk = (node: Readonly<Record<string, unknown>>, prefix: string): void => {
    for (const [name, value] of Object.entries(node)) {
      const path = prefix + name;
      if (isObject(value)) walk(value, `${path.replace(/\/+$/, '')}/`);
      else if (value !== null && value !== undefined)
        found.push([path, Array.isArray(value) ? JSON.stringify(value) : String(value)]);
    }
  };
  walk(tree, '');
  const kv = new Map<string, string>();
  for (const [path, value] of found.sort(([a], [b]) => compare(a, b))) {
    if (kv.has(path)) throw new Error(`key ${JSON.stringify(path)} is given twice`);
    kv.set(path, value);
  }
  return kv;
}

/**
 * Answers a query from the file.
 * @throws Error for what only Consul can answer
 */
export function answerFromFile<K extends Kind>(data: FileData, query: Query<K>): DataOf[K] | null;
export function answerFromFile(data: FileData, query: Query): DataOf[Kind] | null {
  if (query.kind === 'key') {
    const bytes = data.kv.get(query.name);
    return bytes === undefined ? null : pair({ path: query.name, bytes });
  }
  if (query.kind === 'prefix') {
    const paths = [...data.kv].filter(([path]) => path.startsWith(query.name) && path !== query.name);
    return paths.length === 0 ? null : paths.map(([path, bytes]) => pair({ path, bytes }, query.name));
  }
  const { dc, tag, filter } = query.params;
  if (filter !== undefined) throw new Error(`only Consul can evaluate filter=${JSON.stringify(filter)}`);
  const all = (data.services.get(query.name) ?? []).filter(
    (each) =>
      (tag === undefined || each.Tags.includes(tag)) &&
      (dc === undefined || each.NodeDatacenter === '' || each.NodeDatacenter === dc),
  );
  const selected = selectInstances(all, query.params);
  return selected.length === 0 ? null : selected;
}

function readServices(value: unknown): Map<string, Instance[]> {
  const services = new Map<string, Instance[]>();
  for (const [name, list] of Object.entries(asObject(value, 'services'))) {
    const where = `services.${name}`;
    if (!Array.isArray(list))
      throw new Error(`expected ${where} to be a list of instances, got ${show(list)}`);
    services.set(
      name,
      list.map((each: unknown, i) => readInstance(name, asObject(each, `${where}[${i}]`), `${where}[${i}]`)),
    );
  }
  return services;
}

/** Every field with an empty value of its type; `Datacenter` is short for NodeDatacenter. */
const SAMPLE: Readonly<Record<string, unknown>> = { ...instance({ Name: '' }), Datacenter: '' };

function readInstance(name: string, fields: Readonly<Record<string, unknown>>, where: string): Instance {
  for (const [field, value] of Object.entries(fields)) {
    if (!Object.hasOwn(SAMPLE, field))
      throw new Error(`expected ${where} to have fields such as Address, got "${field}"`);
    const sample = SAMPLE[field];
    if (typeof value !== typeof sample || Array.isArray(value) !== Array.isArray(sample) || value === null)
      throw new Error(`expected ${where}.${field} to be ${kindOf(sample)}, got ${show(value)}`);
  }
  const given = fields as Partial<Instance> & { Datacenter?: string };
  return instance({
    ...given,
    Name: name,
    ID: given.ID ?? [name, given.Address, given.Port].filter((part) => part !== undefined).join(':'),
    ServiceMeta: given.Meta ?? given.ServiceMeta ?? {},
    NodeDatacenter: given.Datacenter ?? given.NodeDatacenter ?? '',
  });
}

function kindOf(sample: unknown): string {
  if (Array.isArray(sample)) return 'a list';
  return typeof sample === 'object' ? 'an object' : typeof sample === 'number' ? 'a number' : 'text';
}

function asObject(value: unknown, where: string): Record<string, unknown> {
  if (!isObject(value)) throw new Error(`expected ${where} to be an object, got ${show(value)}`);
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value in a complaint: what it is, never what it says, since it may be a secret. */
function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  return Array.isArray(value)
    ? 'a list'
    : typeof value === 'string'
      ? 'text'
      : isObject(value)
        ? 'an object'
        : `a ${typeof value}`;
}
