/** What a template asks for, as plain data: two templates that ask the same share one query, and one connection. */
export interface Query<K extends Kind = Kind> {
  kind: K;
  /** A key's path, a prefix (empty, or ending in `/`), or a service's name. */
  name: string;
  params: Params;
}

export type Kind = keyof DataOf;

/** What the answer to each kind of query holds. */
export interface DataOf {
  key: Pair;
  prefix: readonly Pair[];
  service: readonly Instance[];
}

/** `status` is ours (see Instance.Status); the others are Consul's own request parameters. */
export const PARAMS = ['dc', 'ns', 'partition', 'peer', 'near', 'tag', 'filter', 'status'] as const;
export type Param = (typeof PARAMS)[number];
export type Params = Readonly<Partial<Record<Param, string>>>;

/** One key of the store, in consul-template's fields. */
export interface Pair {
  /** The whole path. */
  Path: string;
  /** The path below the prefix that was asked for; for a single key the whole path. */
  Key: string;
  /** Reading it throws where the stored bytes are not text. */
  Value: string;
  Flags: number;
  CreateIndex: number;
  ModifyIndex: number;
  LockIndex: number;
  Session: string;
}

/** One instance of a service, in consul-template's fields. */
export interface Instance {
  ID: string;
  Name: string;
  /** The service's own address, or else its node's. */
  Address: string;
  Port: number;
  Tags: readonly string[];
  /** The service's metadata; the same as ServiceMeta. */
  Meta: Readonly<Record<string, string>>;
  ServiceMeta: Readonly<Record<string, string>>;
  ServiceTaggedAddresses: Readonly<Record<string, unknown>>;
  Node: string;
  NodeID: string;
  NodeAddress: string;
  NodeDatacenter: string;
  NodeMeta: Readonly<Record<string, string>>;
  NodeTaggedAddresses: Readonly<Record<string, string>>;
  Namespace: string;
  Weights: Readonly<Record<string, number>>;
  Checks: readonly unknown[];
  /** `passing`, `warning`, `critical` or `maintenance`: the worst of its checks. */
  Status: string;
}

/** A query in words, as messages show it: `key "app/rate"`, `service "web" (dc=eu)`. Equal queries, equal words. */
export function describeQuery(query: Query): string {
  const params = PARAMS.filter((name) => query.params[name] !== undefined && !isUsual(query, name));
  const tail = params.map((name) => `${name}=${query.params[name]}`).join(', ');
  const what = query.kind === 'prefix' ? 'keys under' : query.kind;
  return `${what} ${JSON.stringify(query.name)}${tail && ` (${tail})`}`;
}

function isUsual(query: Query, param: Param): boolean {
  return query.kind === 'service' && param === 'status' && query.params.status === 'passing';
}
