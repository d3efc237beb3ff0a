import type { Log } from '../log.ts';
import { createChorus } from './chorus.ts';
import { type Memory, remember } from './memory.ts';
import { describeQuery, type Kind, type Query } from './source/query.ts';
import type { Sink, Source } from './source/source.ts';

export interface Subscriptions {
  /** What is known of a query; undefined before its first answer. */
  get<K extends Kind>(query: Query<K>): Memory<K> | undefined;
  /** Why a query has no answer, where the source said so. */
  problem(query: Query): string | null;
  /** Notes that a template goes on with a value that was deleted; said once, until there is one again. */
  sayKept(id: string): void;
  /** Follows exactly these queries from now on, by their words (describeQuery). */
  keep(queries: ReadonlyMap<string, Query>): void;
}

interface Entry {
  memory: Memory | undefined;
  problem: string | null;
  keptSaid: boolean;
  end: () => void;
}

/**
 * The queries of all templates, each followed once.
 * @param changed told which query has news: data that differ, or another reason why there are none
 */
export function createSubscriptions(source: Source, log: Log, changed: (id: string) => void): Subscriptions {
  const entries = new Map<string, Entry>();
  const chorus = createChorus(log);

  const open = (id: string, query: Query): void => {
    const entry: Entry = { memory: undefined, problem: null, keptSaid: false, end: () => {} };
    const sink: Sink = {
      answer(answer) {
        const before = entry.memory;
        entry.memory = remember(before, answer);
        if (entry.memory.lost && !before?.lost)
          chorus.warn('kept the last value', id, 'it was gone after the source had been away');
        if (entry.memory.now !== null) entry.keptSaid = false;
        if (entry.memory.now !== before?.now || !before) changed(id);
      },
      problem(cause) {
        if (cause === entry.problem) return;
        entry.problem = cause;
        if (cause === null) chorus.info('got an answer again', id);
        else chorus.warn('got no answer', id, cause);
        changed(id);
      },
    };
    entries.set(id, entry);
    entry.end = source.subscribe(query, sink);
  };

  return {
    get: <K extends Kind>(query: Query<K>) =>
      entries.get(describeQuery(query))?.memory as Memory<K> | undefined,
    problem: (query) => entries.get(describeQuery(query))?.problem ?? null,
    sayKept(id) {
      const entry = entries.get(id);
      if (!entry || entry.keptSaid) return;
      entry.keptSaid = true;
      chorus.warn('kept the last value', id, 'it was deleted');
    },
    keep(queries) {
      for (const [id, entry] of entries) {
        if (queries.has(id)) continue;
        entries.delete(id);
        entry.end();
      }
      for (const [id, query] of queries) if (!entries.has(id)) open(id, query);
      if (queries.size === 0) chorus.end();
    },
  };
}
