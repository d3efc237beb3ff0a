import { type DataOf, describeQuery, type Query } from '../source/query.ts';
import type { Pass } from './helper.ts';

/**
 * The entries of a list, for helpers that return one. A list that has become empty keeps what it had: an empty upstream
 * is seldom meant. `min=0` says that it is.
 * @param least how many entries the template needs, or undefined: none at first, but never empty again after
 */
export function listOf<K extends 'prefix' | 'service'>(
  pass: Pass,
  query: Query<K>,
  least: number | undefined,
  wanted: (entry: DataOf[K][number]) => boolean,
): readonly DataOf[K][number][] {
  const memory = pass.ask(query);
  if (!memory) return [];
  if (!memory.now && memory.last && least !== 0) pass.keep(query);
  const entries = memory.now ?? (least === 0 ? null : memory.last) ?? [];
  const found = (entries as readonly DataOf[K][number][]).filter(wanted);
  if (found.length < (least ?? 0)) pass.lack(`${describeQuery(query)}: ${found.length} of at least ${least}`);
  return found;
}
