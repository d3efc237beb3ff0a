import {
  caLeaf,
  caRoots,
  catalogNodes,
  nodeServices,
  type RawLeaf,
  type RawNode,
  type RawNodeService,
  type RawRoot,
  serviceName,
} from './catalog.ts';
import { instance, type RawInstance } from './instances.ts';
import { pair, type RawPair, storedOf } from './pairs.ts';
import type { DataOf, Kind, NodeServices, Pair, Query, ServiceName } from './query.ts';

/** Data as they are kept in a file: plain, and such that the same comes out again. */
export function save(kind: Kind, data: DataOf[Kind]): unknown {
  if (kind === 'key') return savePair(data as Pair);
  if (kind === 'prefix') return (data as Pair[]).map(savePair);
  return data;
}

/**
 * The data that were saved, as templates see them.
 * @returns null for what is of no use any more
 * @throws an error of any kind for what was not saved by us
 */
export function restore<K extends Kind>(query: Query<K>, saved: unknown): DataOf[K] | null;
export function restore({ kind, name, params }: Query, saved: unknown): DataOf[Kind] | null {
  switch (kind) {
    case 'key':
      return restorePair(saved as SavedPair);
    case 'prefix':
      return (saved as SavedPair[]).map((each) => restorePair(each, name));
    case 'service':
    case 'connect':
      return (saved as RawInstance[]).map(instance);
    case 'services':
      return (saved as ServiceName[]).map(({ Name, Tags }) => serviceName(Name, Tags));
    case 'nodes':
      // In the order in which they were: who was near then is the best guess now.
      return catalogNodes(saved as RawNode[], params.near ?? '');
    case 'node': {
      const { Node: node, Services } = saved as NodeServices;
      return nodeServices(node as RawNode, Services as RawNodeService[]);
    }
    case 'datacenters':
      return (saved as string[]).map(String);
    case 'caRoots':
      return caRoots(saved as RawRoot[]);
    case 'caLeaf': {
      const leaf = caLeaf(saved as RawLeaf);
      return Date.parse(leaf.ValidBefore) > Date.now() ? leaf : null;
    }
    default:
      return null;
  }
}

interface SavedPair extends Omit<RawPair, 'bytes'> {
  text?: string;
  base64?: string;
}

function savePair(made: Pair): SavedPair {
  const { bytes, ...rest } = storedOf(made);
  if (typeof bytes === 'string') return { ...rest, text: bytes };
  return { ...rest, base64: Buffer.from(bytes).toString('base64') };
}

function restorePair({ text, base64, ...rest }: SavedPair, prefix = ''): Pair {
  if (typeof rest.path !== 'string') throw new Error('a key without a path');
  return pair({ ...rest, bytes: text ?? Buffer.from(base64 ?? '', 'base64') }, prefix);
}
