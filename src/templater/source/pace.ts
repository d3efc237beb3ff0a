import type { Ms } from '../../core/duration.ts';

/** How fast a query may be asked again. */
export interface Bucket {
  tokens: number;
  at: Ms;
}

const CAPACITY = 20;
/** Tokens per second. */
const REFILL = 10;

export const FULL: Bucket = { tokens: CAPACITY, at: 0 };

/**
 * What an answer costs. A watch on a key that is missing wakes at every write to the store, and some answers come back
 * with another index and the same content: 2 such in a row are free, then one a second. (Consul's documentation has one in
 * 15 s, but a key that appears must not wait that long.) An answer with new content is what we are here for: 20 in a
 * row are free, then ten a second, which no `--wait` of a sane length can tell from all of them.
 */
export const COST = { news: 1, noNews: 10 } as const;

/**
 * What an answer costs on top by its length: with a prefix of megabytes, every change in it is megabytes again. So no query
 * has more than 5 MB a second for long, however busy its keys are.
 */
export function costOf(bytes: number): number {
  return bytes / BYTES_A_TOKEN;
}

const BYTES_A_TOKEN = 512 * 1024;

/** Takes tokens, and says how long to wait until they would have been there. */
export function take(bucket: Bucket, cost: number, now: Ms): { bucket: Bucket; delay: Ms } {
  const refilled = Math.min(CAPACITY, bucket.tokens + ((now - bucket.at) / 1000) * REFILL);
  const tokens = refilled - cost;
  return { bucket: { tokens, at: now }, delay: tokens >= 0 ? 0 : Math.ceil((-tokens / REFILL) * 1000) };
}

const FIRST: Ms = 100;
const SOON: Ms = 1000;
const LONGEST: Ms = 30_000;

/**
 * How long to wait after a failure: a random time (full jitter, so that a thousand containers do not return as one) below
 * a limit that doubles from 100 ms, for ever.
 *
 * The limit depends on how long it has been failing: 1 s during the first half minute, a thirtieth of the outage after,
 * 30 s at most. So an agent that was only restarted is found again within a second, and one that has been away
 * for an hour costs next to nothing; the time lost is never more than 3 % of the outage.
 * @param failures in a row, from 1
 * @param outage since the first of them
 */
export function backoff(failures: number, outage: Ms, random: () => number = Math.random): Ms {
  const limit = Math.min(LONGEST, Math.max(SOON, outage / 30));
  return random() * Math.min(limit, FIRST * 2 ** Math.min(failures, 20));
}
