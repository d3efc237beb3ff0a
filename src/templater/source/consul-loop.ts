import { setTimeout as sleep } from 'node:timers/promises';
import type { Ms } from '../../core/duration.ts';
import { causeOf } from '../../errors.ts';
import { Refusal, type Reply, readReply, type Said } from './consul-answer.ts';
import { GONE, type Part } from './consul-body.ts';
import type { ConsulConfig } from './consul-config.ts';
import { confirm, give, type Member, tell, Untaken } from './consul-member.ts';
import { canWait, isFromServers, pathOf, SELF } from './consul-path.ts';
import { type Requester, TooLarge } from './consul-request.ts';
import { backoff, COST, costOf, FULL, take } from './pace.ts';
import { describeQuery, type Query } from './query.ts';
import type { QueryState } from './source.ts';
import type { Turns } from './turns.ts';

/** One query at Consul, asked again and again, and those whom its answer answers. */
export interface Loop {
  readonly id: string;
  /** May change at any time; those that join are answered after a restart(). */
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
  /** Its query cannot be one for its members. */
  unfit: (loop: Loop) => void;
  /** There is so much else in it that it is worth it only for so many members; false where it has to be, all the same. */
  isWorthLess: (loop: Loop, least: number) => boolean;
  /** A sink threw. */
  untaken: (member: Member, cause: string) => void;
}

/** On top of the wait, to which Consul itself adds up to a sixteenth. */
const MARGIN: Ms = 5000;
/** What Consul cannot hold is asked this often. */
const POLL: Ms = 15_000;
/** As long as it takes to put a file in place, on a disk that is not slow. */
const AFTER_NEWS: Ms = 5;
/** Failures in a row of one query, while others are answered, before it is said. */
const SAID_AFTER = 3;
/** A shared query that is refused so often in a row, while one of its members is not, is split. */
const STRIKES = 3;
/** An answer may be so many times what is wanted of it; below so many entries and bytes it may be anything. */
const WASTE = 4;
const FEW_ENTRIES = 64;
const FEW_BYTES = 1024 * 1024;
/** A shared query that wakes so often in a row for nothing, each time slowed down (pace.ts), is split. */
const DISTURBED = 5;
const MOST_SHARED_BYTES = 8 * 1024 * 1024;

/** Starts to ask, in a moment: whoever is a member by then is answered. */
export function createLoop(query: Query, shop: Shop): Loop {
  const { config, requester, turns, limit } = shop;
  const id = describeQuery(query);
  const members = new Set<Member>();
  let index = 0n;
  /** Of the last reply; undefined has every member look at the next. */
  let mark: string | undefined;
  let bucket = { ...FULL, at: performance.now() };
  let failures = 0;
  let failingSince: Ms = 0;
  let strikes = 0;
  let disturbed = 0;
  let away: string | undefined;
  let doing: 'asking' | 'queued' | 'waiting' | 'pausing' | 'resting' = 'asking';
  let nextTryAt: Ms | null = null;
  /** Cuts what is under way. */
  let cut = new AbortController();
  let isFresh = false;
  let isWoken = false;
  let hasEnded = false;

  const isOwn = (member: Member): boolean => member.id === id;
  /** Only there for others: nobody has asked for just this. */
  const isAid = (): boolean => ![...members].some(isOwn);

  const run = async (): Promise<void> => {
    await Promise.resolve();
    while (!hasEnded) {
      cut = new AbortController();
      if (isFresh) [index, mark, isFresh] = [0n, undefined, false];
      try {
        if (isWoken) await pause(Math.random() * shop.spread());
        isWoken = false;
        await step();
      } catch (error) {
        if (!cut.signal.aborted) await failed(error).catch(unlessCut);
      }
    }
  };

  const unlessCut = (error: unknown): void => {
    if (!cut.signal.aborted) throw error;
  };

  /** One question, its answer, and the time until the next. */
  const step = async (): Promise<void> => {
    const said = await ask();
    const backwards = said.index < index;
    const isSame = said.mark === mark;
    const news: [Member, Part][] = [];
    let wanted = 0;
    for (const member of isSame ? [] : members) {
      const part = said.part(member.query);
      wanted += part.bytes;
      if (part.mark !== member.mark) news.push([member, part]);
    }
    if (!isSame && isAid() && isWasteful(said, wanted)) {
      const least = Math.max(members.size + 1, Math.ceil(said.entries / WASTE));
      if (shop.isWorthLess(loop, least)) return;
    }
    await confirmGone(news);
    cut.signal.throwIfAborted();
    deliver(news, said, !backwards);
    mark = said.mark;
    index = backwards ? 0n : said.index;
    [failures, strikes, away] = [0, 0, undefined];
    shop.reached(loop);
    if (!canWait(query.kind)) return pause(POLL);
    const cost = isSame ? COST.noNews : (news.length > 0 ? COST.news : COST.noNews) + costOf(said.bytes);
    const next = take(bucket, cost, performance.now());
    bucket = next.bucket;
    disturbed = next.delay === 0 ? 0 : disturbed + (!isSame && news.length === 0 ? 1 : 0);
    // Its neighbours are so busy that its own news would be late.
    if (isAid() && disturbed >= DISTURBED && shop.isWorthLess(loop, 2 * members.size)) return;
    if (next.delay > 0) await pause(next.delay);
    // News are rendered and put in place ahead of the next question, whose index misses nothing.
    else if (news.length > 0) await sleep(AFTER_NEWS, undefined, { signal: cut.signal });
  };

  const ask = async (): Promise<Said> => {
    const { signal } = cut;
    const path = pathOf(await named(), config.params);
    const stale = config.maxStale !== undefined && isFromServers(query.kind) ? '&stale' : '';
    const mostBytes = isAid() ? MOST_SHARED_BYTES : undefined;
    const get = async (suffix: string, limit: Ms): Promise<Said> =>
      readReply(query, await requester.get(path + suffix, { limit, mostBytes, signal }));
    let said: Said;
    if (index > 0n && canWait(query.kind)) {
      const held = shop.hold();
      doing = 'queued';
      const turn = await turns.take(held, signal);
      try {
        doing = 'waiting';
        said = await get(`&index=${index}&wait=${held}ms${stale}`, held + held / 16 + MARGIN);
      } finally {
        turn.end(signal.aborted);
        doing = 'asking';
      }
    } else said = await get(stale, limit);
    // A server that has been out of touch for too long: the leader then, who is never.
    if (stale && said.age > (config.maxStale ?? 0)) said = await get('', limit);
    signal.throwIfAborted();
    return said;
  };

  /** The query with the name of the agent's own node, where it is that which is asked for. */
  const named = async (): Promise<Query> => {
    if (query.kind !== 'node' || query.name !== '') return query;
    return { ...query, name: nodeName(await requester.get(SELF, { limit, signal: cut.signal })) };
  };

  /** Asks for what is a member's alone. */
  const askFor = async ({ query }: Member): Promise<Part> => {
    const reply = await requester.get(pathOf(query, config.params), { limit, signal: cut.signal });
    return readReply(query, reply).part(query);
  };

  /** Whether an answer holds so much more than is wanted that it had better be asked for in pieces. */
  const isWasteful = ({ entries, bytes }: Said, wanted: number): boolean =>
    entries > Math.max(FEW_ENTRIES, members.size * WASTE) || (bytes > FEW_BYTES && bytes > wanted * WASTE);

  /**
   * A list leaves out what the token may not read, without a word where Consul is older than 1.11. So what it lacks is asked
   * for by its own name before it counts as gone.
   * @throws Refusal when it is there, or may not be read
   */
  const confirmGone = async (news: readonly [Member, Part][]): Promise<void> => {
    const gone = news.filter(([member, part]) => part.mark === GONE && !isOwn(member));
    const looks = await Promise.allSettled(gone.map(([member]) => askFor(member)));
    for (const [i, look] of looks.entries()) {
      if (look.status === 'rejected') throw look.reason;
      if (look.value.mark !== GONE) throw new Refusal(`the answer to ${id} lacks ${gone[i]?.[0].id}`);
    }
  };

  /**
   * Gives all members their parts in one go: what they see is of one moment.
   * @throws Untaken when one did not take its part; the others have
   */
  const deliver = (news: readonly [Member, Part][], said: Said, unbroken: boolean): void => {
    const failed = new Map<Member, unknown>();
    for (const [member, part] of news) {
      try {
        // It may have left while another was given its part.
        if (members.has(member)) give(member, part, said);
      } catch (error) {
        failed.set(member, error);
        shop.untaken(member, causeOf(error));
      }
    }
    for (const member of members) if (!failed.has(member)) confirm(member, said, unbroken);
    for (const error of failed.values()) throw error;
  };

  /** Takes note of a failure, and waits for as long as it is worth. */
  const failed = async (error: unknown): Promise<void> => {
    [index, mark] = [0n, undefined];
    for (const member of members) member.unbroken = false;
    if (failures++ === 0) failingSince = performance.now();
    if (error instanceof TooLarge && isAid()) return shop.unfit(loop);
    const isStrike = error instanceof Refusal && (await isForSharing());
    if (hasEnded) return;
    strikes = isStrike ? strikes + 1 : 0;
    if (strikes >= STRIKES) return shop.unfit(loop);
    const isRefused = error instanceof Refusal || error instanceof TooLarge;
    const cause = causeOf(error);
    away = isRefused || error instanceof Untaken ? undefined : cause;
    if (isRefused) shop.reached(loop);
    else if (away !== undefined) shop.lost(loop, away);
    // While Consul is away that is the one thing to say; what it refuses is each query's own.
    const isSaid = isRefused || (failures >= SAID_AFTER && !shop.isAway());
    if (isSaid && !isStrike) for (const member of members) tell(member, cause);
    // With Consul away one query knocks often, for all of them.
    const isOften = shop.isKnocker(loop) || !shop.isAway();
    const outage = isOften ? performance.now() - failingSince : Number.POSITIVE_INFINITY;
    await pause(backoff(failures, outage), 'resting');
  };

  /** Whether it is being one query for many that Consul refuses: one of the many by itself is answered. */
  const isForSharing = async (): Promise<boolean> => {
    const member = [...members].find((each) => !isOwn(each));
    if (!member) return false;
    return askFor(member).then(
      () => true,
      () => false,
    );
  };

  const pause = async (delay: Ms, as: 'pausing' | 'resting' = 'pausing'): Promise<void> => {
    doing = as;
    nextTryAt = Date.now() + delay;
    try {
      await sleep(delay, undefined, { signal: cut.signal });
    } finally {
      doing = 'asking';
      nextTryAt = null;
    }
  };

  const loop: Loop = {
    id,
    members,
    get away() {
      return away;
    },
    restart() {
      isFresh = true;
      cut.abort();
    },
    giveWay() {
      if (doing === 'waiting') cut.abort();
    },
    wake() {
      if (doing !== 'resting') return;
      isWoken = true;
      cut.abort();
    },
    state(member) {
      const alone = doing === 'queued' ? 'queued' : canWait(query.kind) ? 'own' : 'polled';
      return {
        index: index > 0n ? String(index) : null,
        nextTryAt,
        connection: isOwn(member) ? alone : 'shared',
        sharedWith: isOwn(member) ? null : id,
      };
    },
    end() {
      hasEnded = true;
      cut.abort();
      return running;
    },
  };
  const running = run();
  return loop;
}

function nodeName({ status, body }: Reply): string {
  const { Config } = status === 200 ? (JSON.parse(body) as { Config?: { NodeName?: string } }) : {};
  if (typeof Config?.NodeName !== 'string')
    throw new Refusal(`consul answers ${status}: it does not say which node it is`);
  return Config.NodeName;
}
