import type { Instance, Params } from './query.ts';
import { compare, record, sortedMap } from './records.ts';

/** What a source knows of an instance; the rest is empty. */
export type RawInstance = Partial<Omit<Instance, 'Meta'>> & { Name: string };

/** An instance as templates see it: all fields there, lists and maps in a fixed order. */
export function instance(raw: RawInstance): Instance {
  const meta = sortedMap(raw.ServiceMeta);
  return record('a service instance', {
    ID: raw.ID ?? raw.Name,
    Name: raw.Name,
    Address: raw.Address || raw.NodeAddress || '',
    Port: raw.Port ?? 0,
    Tags: [...(raw.Tags ?? [])].sort(compare),
    Meta: meta,
    ServiceMeta: meta,
    ServiceTaggedAddresses: sortedMap(raw.ServiceTaggedAddresses),
    Node: raw.Node ?? '',
    NodeID: raw.NodeID ?? '',
    NodeAddress: raw.NodeAddress ?? '',
    NodeDatacenter: raw.NodeDatacenter ?? '',
    NodeMeta: sortedMap(raw.NodeMeta),
    NodeTaggedAddresses: sortedMap(raw.NodeTaggedAddresses),
    Namespace: raw.Namespace ?? '',
    Weights: sortedMap(raw.Weights),
    Checks: raw.Checks ?? [],
    Status: raw.Status ?? 'passing',
  });
}

/** The instances whose health was asked for, by node and ID; with `near` the source's own order says who is near. */
export function selectInstances(instances: readonly Instance[], params: Params): Instance[] {
  const wanted = (params.status ?? 'passing').split(',');
  const healthy = instances.filter(({ Status }) => wanted.includes('any') || wanted.includes(Status));
  if (params.near !== undefined) return healthy;
  return healthy.sort(
    (a, b) =>
      compare(a.Node, b.Node) || compare(a.ID, b.ID) || compare(a.Address, b.Address) || a.Port - b.Port,
  );
}
