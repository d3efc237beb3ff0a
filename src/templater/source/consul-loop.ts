import { setTimeout as sleep } from 'node:timers/promises';
import type { Ms } from '../../core/duration.ts';
import { causeOf } from '../../errors.ts';
import { Refusal, type Reply, readReply, type Said } from './consul-answer.ts';
import { GONE, type Part } from './consul-body.ts';
import type { ConsulConfig } from './consul-config.ts';
import { canWait, isFromServers, pathOf, SELF } from './consul-path.ts';
import { type Requester, TooLarge } from './consul-request.ts';
import { backoff, COST, costOf, FULL, take } from './pace.ts';
import { describeQuery, type Query } from './query.ts';
import type { QueryState, Sink } from './source.ts';
import type { Turns } from './turns.ts';

/** A query that somebody follows, and what is known of it, whichever loop it is answered by. */
export interface Member {
  query: Query;
  id: string;
  sink: Sink;
  /** Of the data that the sink has taken; undefined before the first. */
  mark: string | undefined;
  /** Consul's index of when that was last seen to be so. */
  index: bigint;
  /** Since then nothing has gone wrong. */
  unbroken: boolean;
  problem: string | null;
  /** Wall-clock ms. */
  changedAt: Ms | null;
  answeredAt: Ms | null;
}

/** One query at Consul, asked again and again, and those whom its answer answers. */
export interface Loop {
  readonly id: string;
  readonly members: Set<Member>;
  /** Why there was no answer at all to the last request; undefined when there was one. */
  readonly away: string | undefined;
  /** Asks again from the start, at once: there are other members, or another token. */
  restart(): void;
  /** Gives up the connection that it waits on, for it to be shared from now on. */
  giveWay(): void;
  /** Ends the rest after a failure: Consul is back. */
  wake(): void;
  state(member: Member): Pick<QueryState, 'index' | 'nextTryAt' | 'connection' | 'sharedWith'>;
  /** Resolves when nothing is under way any more. */
  end(): Promise<void>;
}

/** What all loops of a source have in common. */
export interface Shop {
  config: ConsulConfig;
  requester: Requester;
  turns: Turns;
  /** How long Consul may hold a query, as things are. */
  hold: () => Ms;
  /** How long a query that does not wait may take. */
  limit: Ms;
  /** Up to how long to wait after a wake(), so that not all return at once. */
  spread: () => Ms;
  /** Consul has answered, be it to refuse. */
  reached: (loop: Loop) => void;
  /** It has not. */
  lost: (loop: Loop, cause: string) => void;
  isAway: () => boolean;
  /** Whether this is the loop that finds out for all of them that Consul is back. */
  isKnocker: (loop: Loop) => boolean;
  /** A prefix cannot be one query for its members. */
  unfit: (loop: Loop) => void;
  /** It holds so much else that it is worth it only for so many members; false where it has to be, all the same. */
  isWorthLess: (loop: Loop, least: number) => boolean;
  untaken: (id: string, cause: string) => void;
}

/** On top of the wait, to which Consul itself adds up to a sixteenth. */
const MARGIN: Ms = 5000;
/** What Consul cannot hold is asked this often. */
const POLL: Ms = 15_000;
/** Failures in a row of one query, while others are answered, before it is said. */
const SAID_AFTER = 3;
/** A shared query that is refused this often, while one of its members is not, is split. */
const STRIKES = 3;
/** An answer may be this many times what is wanted of it, from a number of entries or bytes on that are worth a thought. */
const WASTE = 4;
const FEW_ENTRIES = 64;
const FEW_BYTES = 1024 * 1024;
const MOST_SHARED_BYTES = 8 * 1024 * 1024;

/** Starts to ask. Its members may change at any time; those that join are answered after a restart(). */
export function createLoop(query: Query, shop: Shop): Loop {
  const { config, requester, turns } = shop;
  const id = describeQuery(query);
  const members = new Set<Member>();
  let index = 0n;
  /** Of the reply before; undefined makes every member look again. */
  let mark: string | undefined;
  let bucket = { ...FULL, at: performance.now() };
  let failures = 0;
  let failingSince: Ms = 0;
  let strikes = 0;
  let away: string | undefined;
  let ended = false;
  let doing: 'asking' | 'waiting' | 'queued' | 'resting' | 'pausing' = 'asking';
  let nextTryAt: Ms | null = null;
  /** Cuts what is under way; `fresh` has the next request start from index 0. */
  let cut = new AbortController();
  let fresh = false;
  let woken = false;

  /** A part of the answer to something wider. */
  const isShared = (): boolean => [...members].some((member) => member.id !== id);
  const isWanted = (): boolean => [...members].some((member) => member.id === id);

  const ask = async (): Promise<Said> => {
    const { signal } = cut;
    const blocking = index > 0n && canWait(query.kind);
    const path = await resolvePath(signal);
    const stale = config.maxStale !== undefined && isFromServers(query.kind);
    const mostBytes = isWanted() ? undefined : MOST_SHARED_BYTES;
    const get = async (suffix: string, limit: Ms): Promise<Said> =>
      readReply(
        query,
        await requester.get(path + suffix, { limit, signal, ...(mostBytes && { mostBytes }) }),
      );
    const now = stale ? '&stale' : '';
    let said: Said;
    if (blocking) {
      doing = 'queued';
      const held = shop.hold();
      const turn = await turns.take(held, signal);
      try {
        doing = 'waiting';
        said = await get(`&index=${index}&wait=${held}ms${now}`, held + held / 16 + MARGIN);
      } finally {
        turn.end(signal.aborted);
      }
    } else said = await get(now, shop.limit);
    doing = 'asking';
    // A server that has been out of touch for too long: the leader then, who is never.
    if (stale && said.age > (config.maxStale ?? 0)) said = await get('', shop.limit);
    signal.throwIfAborted();
    return said;
  };

  const resolvePath = async (signal: AbortSignal): Promise<string> => {
    if (query.kind !== 'node' || query.name !== '') return pathOf(query, config.params);
    const name = nodeName(await requester.get(SELF, { limit: shop.limit, signal }));
    return pathOf({ ...query, name }, config.params);
  };

  /** Gives each member what is news to it. */
  const deliver = (news: readonly [Member, Part][], said: Said, backwards: boolean): void => {
    let untaken: Untaken | undefined;
    const refused = new Set<Member>();
    for (const [member, part] of news) {
      try {
        member.sink.answer({
          data: part.data(),
          continuous: member.unbroken && said.index >= member.index,
        });
        member.mark = part.mark;
        member.changedAt = Date.now();
      } catch (error) {
        refused.add(member);
        untaken = new Untaken(causeOf(error), { cause: error });
        shop.untaken(member.id, causeOf(error));
      }
    }
    for (const member of members) {
      if (refused.has(member)) continue;
      member.index = said.index;
      member.unbroken = !backwards;
      member.answeredAt = Date.now();
      tell(member, null);
    }
    if (untaken) throw untaken;
  };

  const step = async (): Promise<void> => {
    const said = await ask();
    const backwards = said.index < index;
    const same = said.mark === mark;
    const news: [Member, Part][] = [];
    let bytes = 0;
    for (const member of same ? [] : members) {
      const part = said.part(member.query);
      bytes += part.bytes;
      if (part.mark !== member.mark) news.push([member, part]);
    }
    if (isShared() && !same) {
      const least = Math.max(members.size + 1, Math.ceil(said.entries / WASTE));
      const wasteful = !isWanted() && isWasteful(said, members.size, bytes);
      if (wasteful && shop.isWorthLess(loop, least)) return;
      await confirmGone(news);
    }
    deliver(news, said, backwards);
    mark = said.mark;
    index = backwards ? 0n : said.index;
    [failures, strikes, away] = [0, 0, undefined];
    shop.reached(loop);
    if (!canWait(query.kind)) return pause(POLL);
    const cost = (news.length > 0 ? COST.news : COST.noNews) + (same ? 0 : costOf(said.bytes));
    const next = take(bucket, cost, performance.now());
    bucket = next.bucket;
    if (next.delay > 0) await pause(next.delay);
  };

  /**
   * A list leaves out what the token may not read, without a word where Consul is older than 1.11. So what it lacks is asked
   * for by its own name before it counts as gone.
   * @throws Refusal when it is there, or may not be read
   */
  const confirmGone = async (news: readonly [Member, Part][]): Promise<void> => {
    const gone = news.filter(([member, part]) => part.mark === GONE && member.id !== id);
    const looks = await Promise.allSettled(gone.map(([member]) => askFor(member)));
    const failed = looks.find((look) => look.status === 'rejected');
    if (failed) throw failed.reason;
    const there = gone.find((_, i) => {
      const look = looks[i];
      return look?.status === 'fulfilled' && look.value.part(look.value.query).mark !== GONE;
    });
    if (there) throw new Refusal(`the answer to ${id} lacks ${there[0].id}`);
  };

  const askFor = async ({ query }: Member): Promise<Said & { query: Query }> => {
    const path = pathOf(query, config.params);
    const said = readReply(query, await requester.get(path, { limit: shop.limit, signal: cut.signal }));
    return { ...said, query };
  };

  /** Whether it is being one query for many that Consul refuses. */
  const isStrike = async (error: unknown): Promise<boolean> => {
    const [member] = [...members].filter((each) => each.id !== id);
    if (!(error instanceof Refusal) || !member) return false;
    return askFor(member).then(
      () => true,
      () => false,
    );
  };

  const failed = async (error: unknown): Promise<void> => {
    index = 0n;
    mark = undefined;
    for (const member of members) member.unbroken = false;
    if (failures++ === 0) failingSince = performance.now();
    if (error instanceof TooLarge && isShared() && !isWanted()) return shop.unfit(loop);
    if (await isStrike(error)) {
      shop.reached(loop);
      if (++strikes >= STRIKES) return shop.unfit(loop);
      return rest();
    }
    strikes = 0;
    const cause = causeOf(error);
    const refused = error instanceof Refusal || error instanceof TooLarge;
    if (refused) {
      away = undefined;
      shop.reached(loop);
    } else if (!(error instanceof Untaken)) {
      away = cause;
      shop.lost(loop, cause);
    }
    // While Consul is away that is the one thing to say; what it refuses is each query's own.
    if (refused || (failures >= SAID_AFTER && !shop.isAway()))
      for (const member of members) tell(member, cause);
    await rest();
  };

  const rest = async (): Promise<void> => {
    // With Consul away one query knocks often, for all of them.
    const often = shop.isKnocker(loop) || !shop.isAway();
    const outage = often ? performance.now() - failingSince : Number.POSITIVE_INFINITY;
    doing = 'resting';
    await pause(backoff(failures, outage));
  };

  const pause = async (delay: Ms): Promise<void> => {
    if (doing !== 'resting') doing = 'pausing';
    nextTryAt = Date.now() + delay;
    try {
      if (delay > 0) await sleep(delay, undefined, { signal: cut.signal });
    } finally {
      nextTryAt = null;
      doing = 'asking';
    }
  };

  const run = async (): Promise<void> => {
    // Deferred: all members are there by then, and no sink is called before its subscription is made.
    await Promise.resolve();
    while (!ended) {
      cut = new AbortController();
      if (fresh) [index, mark, fresh] = [0n, undefined, false];
      try {
        if (woken) await pause(Math.random() * shop.spread());
        woken = false;
        await step();
      } catch (error) {
        if (!cut.signal.aborted) await failed(error).catch(unlessCut);
      }
    }
  };
  const unlessCut = (error: unknown): void => {
    if (!cut.signal.aborted) throw error;
  };

  const loop: Loop = {
    id,
    members,
    get away() {
      return away;
    },
    restart() {
      fresh = true;
      cut.abort();
    },
    giveWay() {
      if (doing === 'waiting') cut.abort();
    },
    wake() {
      if (doing !== 'resting') return;
      woken = true;
      cut.abort();
    },
    state(member) {
      const shared = member.id !== id;
      const kind = doing === 'queued' ? 'queued' : canWait(query.kind) ? 'own' : 'polled';
      return {
        index: index === 0n ? null : String(index),
        nextTryAt,
        connection: shared ? 'shared' : kind,
        sharedWith: shared ? id : null,
      };
    },
    end() {
      ended = true;
      cut.abort();
      return running;
    },
  };
  const running = run();
  return loop;
}

/** The sink threw: a fault on our side of the line. */
class Untaken extends Error {}

function tell(member: Member, cause: string | null): void {
  if (member.problem === cause) return;
  member.problem = cause;
  member.sink.problem(cause);
}

/** Whether a prefix holds so much more than is wanted of it that it had better be asked for in pieces. */
function isWasteful(said: Said, members: number, bytes: number): boolean {
  return (
    said.entries > Math.max(FEW_ENTRIES, members * WASTE) ||
    (said.bytes > FEW_BYTES && bytes * WASTE < said.bytes)
  );
}

function nodeName({ status, body }: Reply): string {
  const { Config } = status === 200 ? (JSON.parse(body) as { Config?: { NodeName?: string } }) : {};
  if (typeof Config?.NodeName !== 'string')
    throw new Refusal(`consul answers ${status}: it does not say which node it is`);
  return Config.NodeName;
}
