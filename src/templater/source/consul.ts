import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ms } from '../../core/duration.ts';
import { causeOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { pathOf, Refusal, readReply } from './consul-answer.ts';
import type { ConsulConfig } from './consul-config.ts';
import { createRequester, MOST_BLOCKING } from './consul-request.ts';
import { backoff, COST, FULL, take } from './pace.ts';
import { describeQuery, type Query } from './query.ts';
import type { Answer, Sink, Source, SourceState } from './source.ts';

export interface ConsulSourceOptions {
  config: ConsulConfig;
  log: Log;
  onState: (state: SourceState) => void;
  /** How long Consul holds a query in which nothing changes. */
  wait?: Ms;
  /** How long a query that does not wait may take. */
  limit?: Ms;
}

/**
 * Long enough to be idle. With the sixteenth that Consul adds it stays below 60 s, after which nginx and many load
 * balancers cut a silent connection; that would look like an outage every minute.
 */
const WAIT: Ms = 50_000;
/** With more queries than connections each holds one only this long, so that all have their turn. */
const WAIT_IN_TURNS: Ms = 1000;
const LIMIT: Ms = 30_000;
/** On top of the wait, to which Consul itself adds up to a sixteenth. */
const MARGIN: Ms = 5000;
/** When Consul is back, its queries return spread over this long for each of them, up to the most. */
const SPREAD_EACH: Ms = 2;
const SPREAD_MOST: Ms = 500;
/** Failures in a row of one query, while others are answered, before it is said. */
const SAID_AFTER = 3;

/** One query and its loop. */
interface Loop {
  query: Query;
  id: string;
  sink: Sink;
  stop: AbortController;
  /** Ends the sleep after a failure. */
  wake: AbortController;
  /** Why there was no answer at all to the last request; undefined when there was one. */
  away: string | undefined;
  failures: number;
}

/**
 * Values from Consul, by blocking queries: one loop for each query, as long as it is subscribed. Rules, each of which
 * other clients have broken at their users' cost:
 *
 * - an answer is not a change: contents are compared;
 * - the index starts again at 0 after any error, and when it runs backwards; it is never below 1 after an answer, and
 *   advances only when the sink has taken the data;
 * - what is cut, partial, late or not from a cluster with a leader is an error, and errors are tried again for ever.
 *
 * Consul counts as away when none of its queries gets an answer. One of them then knocks (pace.ts), and wakes the others.
 */
export function createConsulSource(options: ConsulSourceOptions): Source {
  const { config, log, onState, wait = WAIT, limit = LIMIT } = options;
  const { name } = config;
  const requester = createRequester(config);
  const loops = new Set<Loop>();
  const running = new Set<Promise<void>>();
  /** Wall-clock ms; null while Consul answers; undefined before the first request has ended. */
  let awaySince: Ms | null | undefined;
  let awayCause = '';
  let stopped = false;

  const isKnocker = (loop: Loop): boolean => loop === loops.values().next().value;

  const reached = (loop: Loop): void => {
    loop.away = undefined;
    if (awaySince === null) return;
    if (awaySince !== undefined) log.info('reached consul', { consul: name, awayMs: Date.now() - awaySince });
    awaySince = null;
    onState({ name, awaySince, cause: null });
    for (const each of loops) if (each !== loop) each.wake.abort();
  };

  const lost = (loop: Loop, cause: string): void => {
    loop.away = cause;
    if (typeof awaySince === 'number') {
      // First the connection is cut, then nobody listens, then there is no leader: told as it stands, but not said again.
      if (isKnocker(loop) && cause !== awayCause) onState({ name, awaySince, cause });
      if (isKnocker(loop)) awayCause = cause;
      return;
    }
    if (![...loops].every((each) => each.away !== undefined)) return;
    awaySince = Date.now();
    awayCause = cause;
    log.warn('lost consul', { consul: name, cause });
    onState({ name, awaySince, cause });
  };

  const failed = (loop: Loop, error: unknown): void => {
    const cause = causeOf(error);
    if (error instanceof Untaken) log.error('could not take an answer', { query: loop.id, cause });
    else if (error instanceof Refusal) reached(loop);
    else lost(loop, cause);
    loop.failures++;
    const refused = error instanceof Refusal || (loop.failures >= SAID_AFTER && awaySince === null);
    // While Consul is away that is the one thing to say; what it refuses is each query's own.
    if (refused) loop.sink.problem(cause);
  };

  const follow = async (loop: Loop): Promise<void> => {
    const { query, sink } = loop;
    const { signal } = loop.stop;
    const path = pathOf(query, config.params);
    let index = 0n;
    let content: string | undefined;
    let bucket = { ...FULL, at: performance.now() };
    let failingSince: Ms = 0;
    while (!signal.aborted) {
      try {
        const held = loops.size > MOST_BLOCKING ? Math.min(wait, WAIT_IN_TURNS) : wait;
        const blocking = index > 0n;
        const reply = await requester.get(blocking ? `${path}&index=${index}&wait=${held}ms` : path, {
          limit: blocking ? held + held / 16 + MARGIN : limit,
          blocking,
          signal,
        });
        const said = readReply(query, reply);
        signal.throwIfAborted();
        const backwards = said.index < index;
        const digest = createHash('sha256').update(`${reply.status} ${reply.body}`).digest('base64');
        const news = digest !== content;
        // When the sink throws, neither content nor index have advanced.
        if (news) give(sink, { data: said.data, continuous: blocking && !backwards });
        content = digest;
        index = backwards ? 0n : said.index;
        loop.failures = 0;
        reached(loop);
        sink.problem(null);
        const next = take(bucket, news ? COST.news : COST.noNews, performance.now());
        bucket = next.bucket;
        if (next.delay > 0) await sleep(next.delay, undefined, { signal });
      } catch (error) {
        if (signal.aborted) return;
        index = 0n;
        if (loop.failures === 0) failingSince = performance.now();
        failed(loop, error);
        await rest(loop, performance.now() - failingSince);
      }
    }
  };

  const rest = async (loop: Loop, outage: Ms): Promise<void> => {
    // With Consul away one query knocks often, for all of them.
    const often = isKnocker(loop) || awaySince === null;
    const delay = backoff(loop.failures, often ? outage : Number.POSITIVE_INFINITY);
    loop.wake = new AbortController();
    const signal = AbortSignal.any([loop.stop.signal, loop.wake.signal]);
    await sleep(delay, undefined, { signal }).catch(() => {});
    if (!loop.wake.signal.aborted || loop.stop.signal.aborted) return;
    const spread = Math.random() * Math.min(SPREAD_MOST, loops.size * SPREAD_EACH);
    await sleep(spread, undefined, { signal: loop.stop.signal }).catch(() => {});
  };

  return {
    name,
    subscribe<K extends Query['kind']>(query: Query<K>, sink: Sink<K>) {
      const loop: Loop = {
        query,
        id: describeQuery(query),
        sink: sink as unknown as Sink,
        stop: new AbortController(),
        wake: new AbortController(),
        away: undefined,
        failures: 0,
      };
      loops.add(loop);
      // Deferred: all queries of a template are known by then, and the sink is not called before we return.
      const run = Promise.resolve().then(() => (stopped ? undefined : follow(loop)));
      running.add(run);
      void run
        .catch((error: unknown) => log.error('gave up a query', { query: loop.id, cause: causeOf(error) }))
        .finally(() => running.delete(run));
      return () => {
        loops.delete(loop);
        loop.stop.abort();
      };
    },
    async stop() {
      stopped = true;
      for (const loop of loops) loop.stop.abort();
      loops.clear();
      requester.close();
      await Promise.allSettled(running);
    },
  };
}

/** The sink threw: a fault on our side of the line. */
class Untaken extends Error {}

function give(sink: Sink, answer: Answer): void {
  try {
    sink.answer(answer);
  } catch (error) {
    throw new Untaken(causeOf(error), { cause: error });
  }
}
