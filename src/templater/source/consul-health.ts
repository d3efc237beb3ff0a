import { instance } from './instances.ts';
import type { Instance } from './query.ts';

/** An instance with its node and its checks, as Consul sends them. */
export interface HealthEntry {
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
  CheckID?: string | null;
  Status?: string | null;
}

/** The same as templates see it. */
export function readInstance({ Node: node, Service: service, Checks }: HealthEntry): Instance {
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
    CheckID === '_node_maintenance' || CheckID?.startsWith('_service_maintenance:') === true;
  if (checks.some(isMaintenance)) return 'maintenance';
  return ['critical', 'warning'].find((each) => checks.some(({ Status }) => Status === each)) ?? 'passing';
}
