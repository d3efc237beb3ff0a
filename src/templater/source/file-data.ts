import { catalogNode, catalogNodes, nodeServices, type RawNodeService, serviceNames } from './catalog.ts';
import { instance, selectInstances } from './instances.ts';
import { pair } from './pairs.ts';
import type { CatalogNode, DataOf, Instance, Kind, Params, Query } from './query.ts';
import { compare } from './records.ts';

/** What a source file holds, made ready to answer queries. */
export interface FileData {
  /** Every key by its whole path, in order. */
  kv: ReadonlyMap<string, string>;
  services: ReadonlyMap<string, readonly Instance[]>;
  /** As given, and after them those that only instances name. */
  nodes: readonly CatalogNode[];
}

export const NOTHING: FileData = { kv: new Map(), services: new Map(), nodes: [] };

const PARTS = ['kv', 'services', 'nodes'];

/**
 * Checks the content of a source file: `{"kv": {…}, "services": {"web": [{"Address": …}]}, "nodes": [{"Node": …}]}`,
 * each part optional.
 * @throws Error that says what was expected
 */
export function readFileData(content: unknown): FileData {
  // An empty YAML file is null: a file about to be filled.
  const root = content === null ? {} : asObject(content, 'the file');
  const stray = Object.keys(root).find((name) => !PARTS.includes(name));
  if (stray !== undefined) throw new Error(`expected kv, services or nodes, got ${JSON.stringify(stray)}`);
  const services = readServices(root['services'] ?? {});
  return {
    kv: flatten(asObject(root['kv'] ?? {}, 'kv')),
    services,
    nodes: readNodes(root['nodes'] ?? [], [...services.values()].flat()),
  };
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
export function answerFromFile(data: FileData, { kind, name, params }: Query): DataOf[Kind] | null {
  if (params.filter !== undefined)
    throw new Error(`only Consul can evaluate filter=${JSON.stringify(params.filter)}`);
  switch (kind) {
    case 'key': {
      const bytes = data.kv.get(name);
      return bytes === undefined ? null : pair({ path: name, bytes });
    }
    case 'prefix': {
      const paths = [...data.kv].filter(([path]) => path.startsWith(name) && path !== name);
      return orNull(paths.map(([path, bytes]) => pair({ path, bytes }, name)));
    }
    case 'service':
    case 'connect': {
      const all = inDatacenter(data, params).instances.filter((each) => each.Name === name);
      const { tag } = params;
      return orNull(
        selectInstances(
          all.filter(({ Tags }) => tag === undefined || Tags.includes(tag)),
          params,
        ),
      );
    }
    case 'services': {
      const tags = new Map<string, Set<string>>();
      for (const { Name, Tags } of inDatacenter(data, params).instances)
        tags.set(Name, new Set([...(tags.get(Name) ?? []), ...Tags]));
      return orNull(serviceNames(new Map([...tags].map(([each, all]) => [each, [...all]]))));
    }
    case 'nodes':
      return orNull(catalogNodes(inDatacenter(data, params).nodes, params.near));
    case 'node': {
      const { nodes, instances } = inDatacenter(data, params);
      const node = name === '' ? nodes[0] : nodes.find((each) => each.Node === name);
      return node
        ? nodeServices(node, instances.filter((each) => each.Node === node.Node).map(asService))
        : null;
    }
    case 'datacenters':
      return orNull([...new Set(data.nodes.map((each) => each.Datacenter))].filter(Boolean).sort(compare));
    default:
      throw new Error(`only Consul can answer ${kind}`);
  }
}

/** What there is in the datacenter that is asked for; what names none is in each. */
function inDatacenter(
  { services, nodes }: FileData,
  { dc }: Params,
): { instances: Instance[]; nodes: CatalogNode[] } {
  const isIn = (datacenter: string): boolean => dc === undefined || datacenter === '' || datacenter === dc;
  return {
    instances: [...services.values()].flat().filter((each) => isIn(each.NodeDatacenter)),
    nodes: nodes.filter((each) => isIn(each.Datacenter)),
  };
}

function asService(each: Instance): RawNodeService {
  const { ID, Name, Tags, Meta, Address, NodeAddress, Port, Weights, Namespace } = each;
  const own = Address === NodeAddress ? '' : Address;
  return { ID, Service: Name, Tags, Meta, Address: own, Port, Weights, Namespace };
}

function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}

function readNodes(value: unknown, instances: readonly Instance[]): CatalogNode[] {
  if (!Array.isArray(value)) throw new Error(`expected nodes to be a list, got ${show(value)}`);
  const nodes = value.map((each: unknown, i) => {
    const fields = asObject(each, `nodes[${i}]`);
    checkFields(fields, NODE_SAMPLE, `nodes[${i}]`);
    if (!fields['Node']) throw new Error(`expected nodes[${i}] to have a name in its field Node`);
    return catalogNode(fields);
  });
  const known = new Set(nodes.map((each) => each.Node).concat(''));
  for (const each of instances) {
    if (known.has(each.Node)) continue;
    known.add(each.Node);
    nodes.push(
      catalogNode({
        ID: each.NodeID,
        Node: each.Node,
        Address: each.NodeAddress,
        Datacenter: each.NodeDatacenter,
        TaggedAddresses: each.NodeTaggedAddresses,
        Meta: each.NodeMeta,
      }),
    );
  }
  return nodes;
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
const NODE_SAMPLE: Readonly<Record<string, unknown>> = { ...catalogNode({}) };

function checkFields(
  fields: Readonly<Record<string, unknown>>,
  samples: Readonly<Record<string, unknown>>,
  where: string,
): void {
  for (const [field, value] of Object.entries(fields)) {
    if (!Object.hasOwn(samples, field))
      throw new Error(`expected ${where} to have fields such as Address, got "${field}"`);
    const sample = samples[field];
    if (typeof value !== typeof sample || Array.isArray(value) !== Array.isArray(sample) || value === null)
      throw new Error(`expected ${where}.${field} to be ${kindOf(sample)}, got ${show(value)}`);
  }
}

function readInstance(name: string, fields: Readonly<Record<string, unknown>>, where: string): Instance {
  checkFields(fields, SAMPLE, where);
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
