import type { Kind, Query } from './query.ts';

const WHERE: Readonly<Partial<Record<Kind, string>>> = {
  key: 'kv',
  prefix: 'kv',
  service: 'health/service',
  connect: 'health/connect',
  services: 'catalog/services',
  nodes: 'catalog/nodes',
  node: 'catalog/node',
  datacenters: 'catalog/datacenters',
  caRoots: 'agent/connect/ca/roots',
  caLeaf: 'agent/connect/ca/leaf',
};

/** What the agent knows of itself; the way to the name of its own node. */
export const SELF = '/v1/agent/self';

/**
 * Path of a query below `/v1`, without index.
 * @throws Error for what Consul has not
 */
export function pathOf(query: Query, defaults: Readonly<Record<string, string>>): string {
  const where = WHERE[query.kind];
  if (where === undefined) throw new Error(`consul knows no ${query.kind}`);
  const { status, ...params } = query.params;
  const search = new URLSearchParams({ ...defaults, ...params });
  if (query.kind === 'prefix') search.set('recurse', 'true');
  // Consul then leaves the others out itself, and wakes less often.
  if (hasHealth(query.kind) && status === 'passing') search.set('passing', '1');
  const name = query.name.split('/').map(encodeURIComponent).join('/');
  return `/v1/${where}${name && `/${name}`}?${search}`;
}

/** Whether the state of its checks says which instances are wanted. */
export function hasHealth(kind: Kind): boolean {
  return kind === 'service' || kind === 'connect';
}

/** Whether it is answered from the key-value store, so that one answer may hold several. */
export function isStored(kind: Kind): boolean {
  return kind === 'key' || kind === 'prefix';
}

/** Whether Consul can hold it until there is news. */
export function canWait(kind: Kind): boolean {
  return kind !== 'datacenters';
}

/** Whether it is answered by the servers, any of which may be asked, and not by the agent itself. */
export function isFromServers(kind: Kind): boolean {
  return kind !== 'caRoots' && kind !== 'caLeaf' && kind !== 'datacenters';
}
