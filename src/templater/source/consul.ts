import type { Ms } from '../../core/duration.ts';
import { causeOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { watchCertificates } from './consul-certificates.ts';
import type { ConsulConfig } from './consul-config.ts';
import { createLoop, type Loop, type Shop } from './consul-loop.ts';
import { createMember, type Member } from './consul-member.ts';
import { plan } from './consul-plan.ts';
import { createRequester, MOST_WAITING } from './consul-request.ts';
import { watchToken } from './consul-token.ts';
import type { Query } from './query.ts';
import type { Sink, Source, SourceState } from './source.ts';
import { createTurns } from './turns.ts';

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
/** With more queries than connections each holds one only for its share of this, so that all have their turn in it. */
const ROUND: Ms = 5000;
const SHORTEST_TURN: Ms = 100;
/** Connections that Consul counts as ours, with those that we have given up and it has not noticed. */
const MOST_COUNTED = 60;
const LIMIT: Ms = 30_000;
/** What Consul would not answer as one may be allowed by now. */
const UNFIT_FOR: Ms = 3_600_000;
/** When Consul is back, its queries return spread over this long for each of them, up to the most. */
const SPREAD_EACH: Ms = 2;
const SPREAD_MOST: Ms = 500;

/**
 * Values from Consul, by blocking queries (consul-loop.ts), as few as answer all that is wanted (consul-plan.ts). Rules,
 * each of which other clients have broken at their users' cost:
 *
 * - an answer is not a change: contents are compared;
 * - the index starts again at 0 after any error, and when it runs backwards; it is never below 1 after an answer, and
 *   advances only when the sink has taken the data;
 * - what is cut, partial, late or not from a cluster with a leader is an error, and errors are tried again for ever;
 * - never more than a few connections, whatever is wanted.
 *
 * Consul counts as away when all of its queries, or many of them in a row, get no answer. One of them then knocks (pace.ts),
 * and wakes the others.
 */
export function createConsulSource(options: ConsulSourceOptions): Source {
  const { config, log, onState, wait = WAIT, limit = LIMIT } = options;
  const { name } = config;
  const requester = createRequester(config);
  const members = new Map<string, Member>();
  const loops = new Map<string, Loop>();
  const ending = new Set<Promise<void>>();
  const unfit = new Set<string>();
  const wasteful = new Map<string, number>();
  /** Prefixes that are asked for though they are wasteful: without them there were too many queries. */
  let tolerated = new Set<string>();
  /** Loops that got no answer since any of them did. */
  const silent = new Set<Loop>();
  /** Wall-clock ms; null while Consul answers; undefined before the first request has ended. */
  let awaySince: Ms | null | undefined;
  let awayCause = '';
  let mustPlan = false;
  let stopped = false;

  const shop: Shop = {
    config,
    requester,
    turns: createTurns(MOST_WAITING, MOST_COUNTED),
    limit,
    hold: () =>
      loops.size <= MOST_WAITING
        ? wait
        : Math.min(wait, Math.max(SHORTEST_TURN, Math.floor((ROUND * MOST_WAITING) / loops.size))),
    spread: () => Math.min(SPREAD_MOST, loops.size * SPREAD_EACH),
    isAway: () => typeof awaySince === 'number',
    isKnocker: (loop) => loop === loops.values().next().value,
    reached(loop) {
      silent.clear();
      if (awaySince === null) return;
      if (awaySince !== undefined)
        log.info('reached consul', { consul: name, awayMs: Date.now() - awaySince });
      awaySince = null;
      onState({ name, awaySince, cause: null });
      for (const each of loops.values()) if (each !== loop) each.wake();
    },
    lost(loop, cause) {
      if (typeof awaySince === 'number') {
        // First the connection is cut, then nobody listens, then there is no leader: told as it stands, but not said again.
        if (!shop.isKnocker(loop) || cause === awayCause) return;
        awayCause = cause;
        onState({ name, awaySince, cause });
        return;
      }
      silent.add(loop);
      if (silent.size < Math.min(loops.size, MOST_WAITING)) return;
      const event = awaySince === undefined ? 'could not reach consul' : 'lost consul';
      awaySince = Date.now();
      awayCause = cause;
      log.warn(event, { consul: name, cause });
      onState({ name, awaySince, cause });
    },
    unfit(loop) {
      log.debug('split a query', { query: loop.id, members: loop.members.size });
      unfit.add(loop.id);
      soon();
      setTimeout(() => {
        unfit.delete(loop.id);
        soon();
      }, UNFIT_FOR).unref();
    },
    isWorthLess(loop, least) {
      if (tolerated.has(loop.id)) return false;
      wasteful.set(loop.id, least);
      soon();
      return true;
    },
    untaken: ({ id }, cause) => log.error('could not take an answer', { query: id, cause }),
  };

  /** Once for all that is subscribed and dropped in one go. */
  const soon = (): void => {
    if (mustPlan) return;
    mustPlan = true;
    queueMicrotask(() => {
      mustPlan = false;
      if (!stopped) replan();
    });
  };

  const replan = (): void => {
    const queries = new Map([...members].map(([id, { query }]) => [id, query] as const));
    const planned = plan({ queries, most: MOST_WAITING, standing: new Set(loops.keys()), unfit, wasteful });
    tolerated = new Set([...planned.keys()].filter((id) => wasteful.has(id)));
    const wasRoomy = loops.size <= MOST_WAITING;
    for (const [id, loop] of loops) if (!planned.has(id)) end(id, loop);
    for (const [id, { query, members: wanted }] of planned) {
      const known = loops.get(id);
      const loop = known ?? createLoop(query, shop);
      loops.set(id, loop);
      const own = [...wanted.keys()].flatMap((each) => members.get(each) ?? []);
      const joins = own.some((member) => !loop.members.has(member));
      for (const member of loop.members) if (!own.includes(member)) loop.members.delete(member);
      for (const member of own) loop.members.add(member);
      // What it waits for is news to those it has answered, and those who join have not been.
      if (known && joins) loop.restart();
    }
    if (wasRoomy && loops.size > MOST_WAITING) for (const loop of loops.values()) loop.giveWay();
  };

  const end = (id: string, loop: Loop): void => {
    loops.delete(id);
    silent.delete(loop);
    loop.members.clear();
    const run = loop
      .end()
      .catch((error: unknown) => log.error('gave up a query', { query: id, cause: causeOf(error) }));
    ending.add(run);
    void run.finally(() => ending.delete(run));
  };

  const token = watchToken(config.tokenFile, log, () => {
    // What another token may read is another view: what is gone in it was not seen to be deleted.
    unfit.clear();
    for (const member of members.values()) member.unbroken = false;
    for (const loop of loops.values()) loop.restart();
    soon();
  });

  const certificates = watchCertificates(config, log, (tls) => {
    for (const loop of loops.values()) loop.restart();
    requester.renew(tls);
  });

  return {
    name,
    subscribe<K extends Query['kind']>(query: Query<K>, sink: Sink<K>) {
      const member = createMember(query, sink as unknown as Sink);
      members.set(member.id, member);
      soon();
      return () => {
        if (members.get(member.id) !== member) return;
        members.delete(member.id);
        // At once: no sink is called any more from here on.
        for (const loop of loops.values()) loop.members.delete(member);
        soon();
      };
    },
    explain: () =>
      [...loops.values()].flatMap((loop) =>
        [...loop.members].map((member) => ({
          query: member.id,
          changedAt: member.changedAt,
          answeredAt: member.answeredAt,
          problem: member.problem ?? loop.away ?? null,
          ...loop.state(member),
        })),
      ),
    async stop() {
      stopped = true;
      token.stop();
      certificates.stop();
      for (const [id, loop] of loops) end(id, loop);
      requester.close();
      await Promise.allSettled(ending);
    },
  };
}
