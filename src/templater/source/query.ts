/** What a template asks for, as plain data: two templates that ask the same share one query, and one connection. */
export interface Query<K extends Kind = Kind> {
  kind: K;
  /** A key's path, a prefix (empty, or ending in `/`), or a service's or node's name; '' where the kind says it all. */
  name: string;
  params: Params;
}

export type Kind = keyof DataOf;

/** What the answer to each kind of query holds. */
export interface DataOf {
  key: Pair;
  prefix: readonly Pair[];
  service: readonly Instance[];
  /** Instances that take part in the mesh: proxies, and services that speak for themselves. */
  connect: readonly Instance[];
  services: readonly ServiceName[];
  nodes: readonly CatalogNode[];
  /** One node with its services; the name '' is the agent's own node. */
  node: NodeServices;
  datacenters: readonly string[];
  caRoots: readonly CaRoot[];
  /** The certificate of the service of that name, with its private key. */
  caLeaf: CaLeaf;
  /** A file of this machine, by its absolute path; no source knows it (local-files.ts). */
  file: LocalFile;
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

/** A service of the catalog, in consul-template's fields. */
export interface ServiceName {
  Name: string;
  /** Those of all of its instances. */
  Tags: readonly string[];
}

/** A node of the catalog. */
export interface CatalogNode {
  ID: string;
  Node: string;
  Address: string;
  Datacenter: string;
  TaggedAddresses: Readonly<Record<string, string>>;
  Meta: Readonly<Record<string, string>>;
}

export interface NodeServices {
  Node: CatalogNode;
  Services: readonly NodeService[];
}

/** A service as its node has it; there is nothing in it about health. */
export interface NodeService {
  ID: string;
  Service: string;
  Tags: readonly string[];
  Meta: Readonly<Record<string, string>>;
  /** The service's own address; empty where it has that of its node. */
  Address: string;
  Port: number;
  Weights: Readonly<Record<string, number>>;
  EnableTagOverride: boolean;
  Namespace: string;
}

/** A root certificate of the mesh. */
export interface CaRoot {
  ID: string;
  Name: string;
  /** PEM; RootCertPEM is the same, under consul-template's name. */
  RootCert: string;
  RootCertPEM: string;
  IntermediateCerts: readonly string[];
  /** Whether certificates are signed with it now; others are there until the last of theirs has ended. */
  Active: boolean;
  SerialNumber: string;
  SigningKeyID: string;
  ExternalTrustDomain: string;
  NotBefore: string;
  NotAfter: string;
}

/** A service's certificate of the mesh. */
export interface CaLeaf {
  SerialNumber: string;
  CertPEM: string;
  PrivateKeyPEM: string;
  Service: string;
  ServiceURI: string;
  ValidAfter: string;
  ValidBefore: string;
}

export interface LocalFile {
  /** Reading it throws where the bytes are not text. */
  Content: string;
}

/** A query in words, as messages show it: `key "app/rate"`, `service "web" (dc=eu)`. Equal queries, equal words. */
export function describeQuery(query: Query): string {
  const params = PARAMS.filter((name) => query.params[name] !== undefined && !isUsual(query, name));
  const tail = params.map((name) => `${name}=${query.params[name]}`).join(', ');
  const what = query.kind === 'prefix' ? 'keys under' : query.kind;
  const name = query.name === '' && query.kind in NAMELESS ? '' : ` ${JSON.stringify(query.name)}`;
  return `${what}${name}${tail && ` (${tail})`}`;
}

/** Kinds that can be asked for without a name. */
const NAMELESS: Partial<Record<Kind, true>> = {
  services: true,
  nodes: true,
  node: true,
  datacenters: true,
  caRoots: true,
};

function isUsual(query: Query, param: Param): boolean {
  return (
    (query.kind === 'service' || query.kind === 'connect') &&
    param === 'status' &&
    query.params.status === 'passing'
  );
}
