import type { CaLeaf, CaRoot, CatalogNode, NodeService, NodeServices, ServiceName } from './query.ts';
import { compare, record, sortedMap } from './records.ts';

/** Any field may be missing or null, as in what Consul sends. */
type Raw<T> = { [K in keyof T]?: T[K] | null };

export type RawNode = Raw<CatalogNode>;
export type RawNodeService = Raw<NodeService>;
export type RawRoot = Raw<CaRoot>;
export type RawLeaf = Raw<CaLeaf>;

/** A service of the catalog as templates see it. */
export function serviceName(name: string, tags: readonly string[]): ServiceName {
  return record('a service', { Name: name, Tags: [...tags].sort(compare) });
}

/** The services of a catalog, by name. */
export function serviceNames(tagsOf: ReadonlyMap<string, readonly string[]>): ServiceName[] {
  return [...tagsOf].sort(([a], [b]) => compare(a, b)).map(([name, tags]) => serviceName(name, tags));
}

/** A node as templates see it. */
export function catalogNode(raw: RawNode): CatalogNode {
  return record('a node', {
    ID: raw.ID ?? '',
    Node: raw.Node ?? '',
    Address: raw.Address ?? '',
    Datacenter: raw.Datacenter ?? '',
    TaggedAddresses: sortedMap(raw.TaggedAddresses),
    Meta: sortedMap(raw.Meta),
  });
}

/** Nodes by name; with `near` the source's own order says who is near. */
export function catalogNodes(raws: readonly RawNode[], near: string | undefined): CatalogNode[] {
  const nodes = raws.map(catalogNode);
  return near === undefined ? nodes.sort((a, b) => compare(a.Node, b.Node) || compare(a.ID, b.ID)) : nodes;
}

/** A node with its services, by name and ID. */
export function nodeServices(node: RawNode, services: readonly RawNodeService[]): NodeServices {
  return record('the answer to node', {
    Node: catalogNode(node),
    Services: services
      .map(nodeService)
      .sort((a, b) => compare(a.Service, b.Service) || compare(a.ID, b.ID) || a.Port - b.Port),
  });
}

/** A root certificate as templates see it. */
export function caRoot(raw: RawRoot): CaRoot {
  return record('a root certificate', {
    ID: raw.ID ?? '',
    Name: raw.Name ?? '',
    RootCert: raw.RootCert ?? '',
    RootCertPEM: raw.RootCert ?? '',
    IntermediateCerts: raw.IntermediateCerts ?? [],
    Active: raw.Active ?? false,
    SerialNumber: String(raw.SerialNumber ?? ''),
    SigningKeyID: raw.SigningKeyID ?? '',
    ExternalTrustDomain: raw.ExternalTrustDomain ?? '',
    NotBefore: raw.NotBefore ?? '',
    NotAfter: raw.NotAfter ?? '',
  });
}

/** Root certificates, the active one first. */
export function caRoots(raws: readonly RawRoot[]): CaRoot[] {
  return raws.map(caRoot).sort((a, b) => Number(b.Active) - Number(a.Active) || compare(a.ID, b.ID));
}

/** A service's certificate as templates see it. */
export function caLeaf(raw: RawLeaf): CaLeaf {
  return record('a certificate', {
    SerialNumber: raw.SerialNumber ?? '',
    CertPEM: raw.CertPEM ?? '',
    PrivateKeyPEM: raw.PrivateKeyPEM ?? '',
    Service: raw.Service ?? '',
    ServiceURI: raw.ServiceURI ?? '',
    ValidAfter: raw.ValidAfter ?? '',
    ValidBefore: raw.ValidBefore ?? '',
  });
}

function nodeService(raw: RawNodeService): NodeService {
  return record('a service of a node', {
    ID: raw.ID ?? raw.Service ?? '',
    Service: raw.Service ?? '',
    Tags: [...(raw.Tags ?? [])].sort(compare),
    Meta: sortedMap(raw.Meta),
    Address: raw.Address ?? '',
    Port: raw.Port ?? 0,
    Weights: sortedMap(raw.Weights),
    EnableTagOverride: raw.EnableTagOverride ?? false,
    Namespace: raw.Namespace ?? '',
  });
}
