import type { IncomingHttpHeaders } from 'node:http';
import { instance, selectInstances } from './instances.ts';
import { pair, type RawPair } from './pairs.ts';
import type { DataOf, Instance, Kind, Query } from './query.ts';
import { compare } from './records.ts';

/** Consul answers, but not this query: a retry without a change on somebody's side is of little use. */
export class Refusal extends Error {}

/** A reply as it came. */
export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** What it says. */
export interface Said<K extends Kind = Kind> {
  data: DataOf[K] | null;
  /** What to wait for a change of; at least 1, since 0 would not wait. */
  index: bigint;
}

/** Path of a query below `/v1`, without index. */
export function pathOf(query: Query, defaults: Readonly<Record<string, string>>): string {
  const { status, ...params } = query.params;
  const search = new URLSearchParams({ ...defaults, ...params });
  if (query.kind === 'prefix') search.set('recurse', 'true');
  // Consul then leaves the others out itself, and wakes less often.
  if (query.kind === 'service' && status === 'passing') search.set('passing', '1');
  const where = query.kind === 'service' ? 'health/service' : 'kv';
  const name = query.name.split('/').map(encodeURIComponent).join('/');
  return `/v1/${where}/${name}?${search}`;
}

/**
 * Reads a reply. What is partial or not Consul's is an error: it must never take the place of good data.
 * @throws Refusal when Consul answers that it will not answer, Error for all else that is no answer
 */
export function readReply<K extends Kind>(query: Query<K>, reply: Reply): Said<K>;
export function readReply(query: Query, { status, headers, body }: Reply): Said {
  const missing = status === 404 && query.kind !== 'service';
  if (status !== 200 && !missing) {
    const cause = `consul answers ${status}: ${inShort(body)}`;
    // 429 is a limit that passes, whatever its first digit says.
    throw status >= 400 && status < 500 && status !== 429 ? new Refusal(cause) : new Error(cause);
  }
  const index = header(headers, 'x-consul-index');
  if (index === undefined || !/^\d{1,20}$/.test(index))
    throw new Refusal(`the answer (${status}) has no X-Consul-Index: it is not Consul's`);
  if (header(headers, 'x-consul-knownleader') === 'false') throw new Error('consul answers without a leader');
  if (header(headers, 'x-consul-results-filtered-by-acls') === 'true')
    throw new Refusal('the answer is partial: the token may not read all of it');
  const at = BigInt(index);
  return { data: missing ? null : readBody(query, body), index: at < 1n ? 1n : at };
}

function readBody(query: Query, body: string): DataOf[Kind] | null {
  const list: unknown = JSON.parse(body);
  if (!Array.isArray(list)) throw new Error('the answer is not a list');
  if (query.kind === 'service') {
    const instances = selectInstances((list as HealthEntry[]).map(readInstance), query.params);
    return instances.length === 0 ? null : instances;
  }
  const prefix = query.kind === 'prefix' ? query.name : '';
  const pairs = (list as KvEntry[])
    .map(readPair)
    .sort((a, b) => compare(a.path, b.path))
    .map((raw) => pair(raw, prefix));
  return query.kind === 'key' ? (pairs[0] ?? null) : pairs.length === 0 ? null : pairs;
}

interface KvEntry {
  Key: string;
  Value: string | null;
  Flags?: number;
  CreateIndex?: number;
  ModifyIndex?: number;
  LockIndex?: number;
  Session?: string;
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

interface HealthEntry {
  Node: {
    ID?: string;
    Node: string;
    Address: string;
    Datacenter?: string;
    TaggedAddresses?: Record<string, string>;
    Meta?: Record<string, string>;
  };
  Service: {
    ID: string;
    Service: string;
    Tags?: string[] | null;
    Address?: string;
    TaggedAddresses?: Record<string, unknown>;
    Meta?: Record<string, string> | null;
    Port?: number;
    Weights?: Record<string, number>;
    Namespace?: string;
  };
  Checks?: Check[] | null;
}

interface Check {
  CheckID: string;
  Status: string;
}

function readInstance({ Node: node, Service: service, Checks }: HealthEntry): Instance {
  return instance({
    ID: service.ID,
    Name: service.Service,
    Address: service.Address ?? '',
    Port: service.Port ?? 0,
    Tags: service.Tags ?? [],
    ServiceMeta: service.Meta ?? {},
    ServiceTaggedAddresses: service.TaggedAddresses ?? {},
    Node: node.Node,
    NodeID: node.ID ?? '',
    NodeAddress: node.Address,
    NodeDatacenter: node.Datacenter ?? '',
    NodeMeta: node.Meta ?? {},
    NodeTaggedAddresses: node.TaggedAddresses ?? {},
    Namespace: service.Namespace ?? '',
    Weights: service.Weights ?? {},
    Checks: Checks ?? [],
    Status: worstOf(Checks ?? []),
  });
}

/** As Consul's own clients put the checks of an instance into one word. */
function worstOf(checks: readonly Check[]): string {
  const isMaintenance = ({ CheckID }: Check): boolean =>
    CheckID === '_node_maintenance' || CheckID.startsWith('_service_maintenance:');
  if (checks.some(isMaintenance)) return 'maintenance';
  return ['critical', 'warning'].find((each) => checks.some(({ Status }) => Status === each)) ?? 'passing';
}

function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The first words of an error page, on one line. */
function inShort(body: string): string {
  const words = body.replace(/\s+/g, ' ').trim();
  return words === '' ? 'nothing' : words.length > 160 ? `${words.slice(0, 160)}…` : words;
}
