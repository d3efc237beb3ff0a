import { type DataOf, describeQuery, type Kind, type Query } from '../source/query.ts';
import type { Pass } from './helper.ts';

/** The kinds of query whose answer is a list. */
export type ListKind = { [K in Kind]: DataOf[K] extends readonly unknown[] ? K : never }[Kind];

/**
 * The entries of a list, for helpers that return one. A list that has become empty keeps what it had: an empty upstream
 * is seldom meant. `min=0` says that it is.
 * @param least how many entries the template needs, or undefined: none at first, but never empty again after
 */
export function listOf<K extends ListKind>(
  pass: Pass,
  query: Query<K>,
  least: number | undefined,
  wanted: (entry: DataOf[K][number]) => boolean = () => true,
): readonly DataOf[K][number][] {
  const memory = pass.ask(query);
  if (!memory) return [];
  if (!memory.now && memory.last && least !== 0) pass.keep(query);
  const entries = memory.now ?? (least === 0 ? null : memory.last) ?? [];
  const found = (entries as readonly DataOf[K][number][]).filter(wanted);
  if (found.length < (least ?? 0)) pass.lack(`${describeQuery(query)}: ${found.length} of at least ${least}`);
  return found;
}

/**
 * What there is one of. The template waits for it; what is deleted keeps its last value.
 * @param required false: what is not there is undefined, and not waited for
 */
export function oneOf<K extends Kind>(pass: Pass, query: Query<K>, required: boolean): DataOf[K] | undefined {
  const memory = pass.ask(query);
  if (!memory) return undefined;
  if (memory.now !== null) return memory.now;
  if (!required) return undefined;
  if (memory.last === null) {
    pass.lack(describeQuery(query));
    return undefined;
  }
  pass.keep(query);
  return memory.last;
}
