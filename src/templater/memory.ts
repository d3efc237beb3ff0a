import type { DataOf, Kind } from './source/query.ts';
import type { Answer } from './source/source.ts';

/**
 * What is remembered of a query, so that an empty answer never replaces good data unless it is sure to mean it:
 *
 * - Gone in an unbroken watch (`now` null, `last` kept): somebody deleted it. `keyExists` says so, `key default=`
 *   falls back, and all others keep the last value, as consul-template does.
 * - Gone after a gap (`lost`): Consul may have been started again with nothing. Nothing changes for anybody, and it
 *   stays so until data are there again: that it is still gone a moment later proves nothing.
 */
export interface Memory<K extends Kind = Kind> {
  now: DataOf[K] | null;
  last: DataOf[K] | null;
  lost: boolean;
}

/** The memory after an answer; the very same object where the answer changes nothing for any template. */
export function remember<K extends Kind>(memory: Memory<K> | undefined, answer: Answer<K>): Memory<K> {
  const { data, continuous } = answer;
  if (data !== null) return { now: data, last: data, lost: false };
  if (!memory) return { now: null, last: null, lost: false };
  if (memory.now === null || memory.lost) return memory;
  return continuous ? { ...memory, now: null } : { ...memory, lost: true };
}
