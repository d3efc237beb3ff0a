import { hash } from 'node:crypto';
import {
  caLeaf,
  caRoots,
  catalogNodes,
  nodeServices,
  type RawLeaf,
  type RawNode,
  type RawNodeService,
  type RawRoot,
  serviceNames,
} from './catalog.ts';
import { type HealthEntry, readInstance } from './consul-health.ts';
import { checkShape } from './consul-shape.ts';
import { selectInstances } from './instances.ts';
import { pair, type RawPair } from './pairs.ts';
import type { DataOf, Kind, Query } from './query.ts';
import { compare } from './records.ts';

/** The answer to one query. */
export interface Part<K extends Kind = Kind> {
  /** Null for what is not there: a missing key, or a list without entries. Made when it is called. */
  data: () => DataOf[K] | null;
  /** Equal for equal data, whichever reply they were part of. */
  mark: string;
  /** About how long it is in the reply. */
  bytes: number;
}

export interface Content {
  /** What of it answers this query: the one that was asked, or one that its answer holds. */
  part<K extends Kind>(query: Query<K>): Part<K>;
  /** How many there are, where it is from the key-value store. */
  entries: number;
}

/**
 * Reads the body of a reply.
 * @throws Error where it is not what Consul answers to that query
 */
export function readBody(query: Query, body: string): Content {
  const content = parse(body);
  if (query.kind === 'file') throw new Error('consul knows no file');
  checkShape(query.kind, content);
  switch (query.kind) {
    case 'key':
    case 'prefix':
      // For none there is a 404, so this is no list of Consul's.
      if (asList(content).length === 0) throw new Error('the answer is empty');
      if (!(content as KvEntry[]).every(isWhole))
        throw new Error('the answer holds a value that is not base64');
      return inStore(query, content as KvEntry[]);
    case 'service':
    case 'connect': {
      const entries = asList(content).map(asObject);
      const instances = entries.map((entry) => {
        for (const part of ['Node', 'Service']) asObject(entry[part]);
        return readInstance(entry as unknown as HealthEntry);
      });
      return whole(orNull(selectInstances(instances, query.params)));
    }
    case 'services': {
      const tags = Object.entries(asObject(content) as Record<string, string[] | null>);
      return whole(orNull(serviceNames(new Map(tags.map(([name, each]) => [name, each ?? []])))));
    }
    case 'nodes':
      return whole(orNull(catalogNodes(asList(content) as RawNode[], query.params.near)));
    case 'node': {
      if (content === null) return whole(null);
      const { Node: node, Services: services } = asObject(content);
      return whole(nodeServices(asObject(node), Object.values(asObject(services ?? {})) as RawNodeService[]));
    }
    case 'datacenters':
      return whole(orNull((asList(content) as string[]).sort(compare)));
    case 'caRoots':
      return whole(orNull(caRoots(asList(asObject(content)['Roots'] ?? []) as RawRoot[])));
    case 'caLeaf':
      return whole(caLeaf(asObject(content) as RawLeaf));
  }
}

/**
 * What the store holds, ready to be asked for its parts.
 * @param entries none when there is no such key, or none under the prefix
 * @throws Error for entries that nobody has asked for
 */
export function inStore(asked: Query, entries: readonly KvEntry[]): Content {
  const fits = ({ Key: key }: KvEntry): boolean =>
    typeof key === 'string' && (asked.kind === 'key' ? key === asked.name : key.startsWith(asked.name));
  if (!entries.every(fits)) throw new Error('the answer is to another query');
  const sorted = [...entries].sort((a, b) => compare(a.Key, b.Key));
  let byKey: Map<string, KvEntry> | undefined;
  const find = (query: Query): readonly KvEntry[] => {
    if (query.kind === asked.kind && query.name === asked.name) return sorted;
    if (query.kind === 'prefix') return sorted.filter(({ Key: key }) => key.startsWith(query.name));
    byKey ??= new Map(sorted.map((entry) => [entry.Key, entry]));
    const entry = byKey.get(query.name);
    return entry ? [entry] : [];
  };
  const part = (query: Query): Part => {
    const found = find(query);
    const text = found.length === 0 ? GONE : JSON.stringify(found);
    const prefix = query.kind === 'prefix' ? query.name : '';
    const data = (): DataOf[Kind] | null => {
      const pairs = found.map((entry) => pair(readPair(entry), prefix));
      return query.kind === 'key' ? (pairs[0] ?? null) : orNull(pairs);
    };
    return { data, mark: inShort(text), bytes: text.length };
  };
  return { entries: entries.length, part: part as Content['part'] };
}

/** The mark of what is not there. */
export const GONE = 'null';

/** An answer that is one part. */
function whole(data: DataOf[Kind] | null): Content {
  const text = JSON.stringify(data);
  const part = { data: () => data, mark: inShort(text), bytes: text.length };
  return { entries: 0, part: (() => part) as Content['part'] };
}

/** Short texts are their own mark. */
function inShort(text: string): string {
  return text.length <= 64 ? text : hash('sha256', text, 'base64');
}

function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}

/** The parser's own message quotes what it stumbled over, and that may be a secret. */
function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new Error('the answer is not JSON');
  }
}

function asList(content: unknown): unknown[] {
  if (!Array.isArray(content)) throw new Error('the answer is not a list');
  if (content.some((each) => each === null || !['object', 'string'].includes(typeof each)))
    throw new Error('the answer is not a list of entries');
  return content;
}

function asObject(content: unknown): Record<string, unknown> {
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw new Error('the answer is not an object');
  return content as Record<string, unknown>;
}

export interface KvEntry {
  Key: string;
  Value: string | null;
  Flags?: number;
  CreateIndex?: number;
  ModifyIndex?: number;
  LockIndex?: number;
  Session?: string;
}

/** Buffer takes anything for base64, and passes over the rest: config would be replaced by less than was meant. */
function isWhole({ Value: value }: KvEntry): boolean {
  return typeof value !== 'string' || Buffer.from(value, 'base64').toString('base64') === value;
}

function readPair(entry: KvEntry): RawPair {
  return {
    path: entry.Key,
    bytes: Buffer.from(entry.Value ?? '', 'base64'),
    flags: entry.Flags ?? 0,
    createIndex: entry.CreateIndex ?? 0,
    modifyIndex: entry.ModifyIndex ?? 0,
    lockIndex: entry.LockIndex ?? 0,
    session: entry.Session ?? '',
  };
}
