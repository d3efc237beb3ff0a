import type { Ms } from '../../core/duration.ts';
import type { DataOf, Kind, Query } from './query.ts';

/** Where values come from. All of its queries are followed for ever: a change is told, an outage is survived. */
export interface Source {
  /** As people know it: `consul at 127.0.0.1:8500`, `file /app/kv.json`. */
  readonly name: string;
  /**
   * Follows a query until the function it returns is called. Never calls the sink before it has returned.
   * One subscription per query: who has several readers shares it among them (subscriptions.ts).
   */
  subscribe<K extends Kind>(query: Query<K>, sink: Sink<K>): () => void;
  /** How each query that is followed stands; for people who ask why a value is as it is. */
  explain?(): QueryState[];
  /** Reads again what it has read from files, in a moment. */
  look?(): void;
  /** Ends all that is under way; no sink is called after this. */
  stop(): Promise<void>;
}

export interface Sink<K extends Kind = Kind> {
  /** Takes an answer. When it throws, the answer counts as not given and comes again. */
  answer(answer: Answer<K>): void;
  /** Why this query gets no answer (`consul answers 403: Permission denied`); null once it does again. */
  problem(cause: string | null): void;
}

export interface Answer<K extends Kind = Kind> {
  /** Null for what is not there: a missing key, or a list without entries. */
  data: DataOf[K] | null;
  /**
   * This answer follows the one before without a gap. What is gone now was then seen to be deleted. After a gap
   * (an error, an index that ran backwards) it may as well be that the source has lost its data.
   */
  continuous: boolean;
}

/** Whether the source answers at all. */
export interface SourceState {
  /** The source's name. */
  name: string;
  /** Wall-clock ms since when nothing answers; null while it does. */
  awaySince: Ms | null;
  cause: string | null;
}

/** How a query stands. All times are wall-clock ms. */
export interface QueryState {
  /** In words (describeQuery). */
  query: string;
  /** The source's own mark of the state that was seen last (X-Consul-Index); null before the first, and after an error. */
  index: string | null;
  /** When the data last became others than before; null before the first answer. */
  changedAt: Ms | null;
  /** When the source last answered, with news or without. */
  answeredAt: Ms | null;
  /** Why there is no answer now. */
  problem: string | null;
  /** When it is asked again; null while it is being asked, or waits to be told. */
  nextTryAt: Ms | null;
  /**
   * `own`: a connection of its own; `shared`: part of the answer to another query; `queued`: waits for its turn on a
   * connection; `polled`: asked from time to time, since the source cannot tell of changes; `cache`: not asked with
   * success yet in this run, its data are those of an earlier one.
   */
  connection: 'own' | 'shared' | 'queued' | 'polled' | 'cache';
  /** With `shared`, the query it is part of, in words. */
  sharedWith: string | null;
}
