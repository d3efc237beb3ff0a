import { isStored } from './consul-path.ts';
import { describeQuery, type Params, type Query } from './query.ts';

/** A query to ask, and those that its answer answers. */
export interface Planned {
  query: Query;
  /** By words. The asked query is among them only where somebody wants it. */
  members: ReadonlyMap<string, Query>;
}

export interface Wanted {
  /** Every query that somebody wants, by its words. */
  queries: ReadonlyMap<string, Query>;
  /** As many as can be waited for at once. */
  most: number;
  /** What is asked now, in words: what is shared stays so a little longer. */
  standing: ReadonlySet<string>;
  /** Prefixes, in words, that cannot be one query for others: too large, or not to be listed. */
  unfit: ReadonlySet<string>;
  /** Those that hold much more than is wanted of them, with the least number of members that would make them worth it. */
  wasteful: ReadonlyMap<string, number>;
}

/** So many keys of one directory are one query, and so few are many again: a border in one place would be crossed often. */
const MANY = 8;
const FEW = 4;

/** A directory of the store, as far as something in it is wanted. */
interface Directory {
  /** It as a query, and that in words. */
  query: Query;
  id: string;
  depth: number;
  /** What is to be asked that is directly in it, by words; it itself counts as such. */
  units: Map<string, Planned>;
  children: Directory[];
}

/**
 * Decides what to ask so that all that is wanted is answered, by the words of what is asked.
 *
 * A prefix that is wanted itself answers for all below it. Many keys of one directory are asked as one prefix. Where that
 * is still more than can be waited for at once, fewer are too, and what is wasteful, from the deepest directories upwards
 * until it fits. The whole store is asked for only where somebody wants it: it may be of any size.
 */
export function plan({ queries, most, standing, unfit, wasteful }: Wanted): Map<string, Planned> {
  const planned = new Map<string, Planned>();
  const directories = new Map<string, Directory>();
  for (const [id, query] of queries) {
    const unit = { query, members: new Map([[id, query]]) };
    planned.set(id, unit);
    if (isStored(query.kind)) directoryOf(query, directories).units.set(id, unit);
  }

  const join = (directory: Directory, least: number): void => {
    const below = unitsBelow(directory);
    const members = new Map(below.flatMap(([, unit]) => [...unit.members]));
    if (below.length < 2 || members.size < least || unfit.has(directory.id)) return;
    const unit = { query: directory.query, members };
    for (const [id] of below) planned.delete(id);
    planned.set(directory.id, unit);
    empty(directory);
    directory.units.set(directory.id, unit);
  };

  const deepestFirst = [...directories.values()].sort((a, b) => b.depth - a.depth);
  for (const directory of deepestFirst) {
    const keys = [...directory.units.values()].filter(({ query }) => query.kind === 'key').length;
    const enough = keys >= (standing.has(directory.id) ? FEW : MANY) && directory.query.name !== '';
    if (queries.has(directory.id)) join(directory, 0);
    else if (enough) join(directory, wasteful.get(directory.id) ?? 0);
  }
  for (const directory of deepestFirst) {
    if (planned.size <= most) break;
    if (directory.query.name !== '') join(directory, 0);
  }
  return planned;
}

/** The directory of a key, or the one that a prefix is; made with all that it is in. */
function directoryOf(query: Query, directories: Map<string, Directory>): Directory {
  const { name, params } = query;
  return make(query.kind === 'prefix' && name.endsWith('/') ? name : parentOf(name), params, directories);
}

function make(name: string, params: Params, directories: Map<string, Directory>): Directory {
  const query: Query = { kind: 'prefix', name, params };
  const id = describeQuery(query);
  const known = directories.get(id);
  if (known) return known;
  const parent = name === '' ? undefined : make(parentOf(name.slice(0, -1)), params, directories);
  const directory = { query, id, depth: (parent?.depth ?? -1) + 1, units: new Map(), children: [] };
  directories.set(id, directory);
  parent?.children.push(directory);
  return directory;
}

function unitsBelow({ units, children }: Directory): [id: string, unit: Planned][] {
  return [...units, ...children.flatMap(unitsBelow)];
}

function empty({ units, children }: Directory): void {
  units.clear();
  for (const child of children) empty(child);
}

/** All up to the last slash, with it. */
function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}
