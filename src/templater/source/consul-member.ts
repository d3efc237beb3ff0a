import type { Ms } from '../../core/duration.ts';
import { causeOf } from '../../errors.ts';
import type { Said } from './consul-answer.ts';
import type { Part } from './consul-body.ts';
import { describeQuery, type Query } from './query.ts';
import type { Sink } from './source.ts';

/** A query that somebody follows, and what is known of it, whichever loop it is answered by. */
export interface Member {
  readonly query: Query;
  readonly id: string;
  readonly sink: Sink;
  /** Of the data that the sink has taken; undefined before the first. */
  mark: string | undefined;
  /** Consul's index when that was last seen to be so. */
  index: bigint;
  /** Nothing has gone wrong since. */
  unbroken: boolean;
  problem: string | null;
  /** Wall-clock ms. */
  changedAt: Ms | null;
  answeredAt: Ms | null;
}

/** The sink threw: a fault on our side of the line. */
export class Untaken extends Error {}

export function createMember(query: Query, sink: Sink): Member {
  return {
    query,
    id: describeQuery(query),
    sink,
    mark: undefined,
    index: 0n,
    unbroken: false,
    problem: null,
    changedAt: null,
    answeredAt: null,
  };
}

/**
 * Gives a member its part of an answer.
 * @throws Untaken when its sink does not take it; then the member is as it was
 */
export function give(member: Member, part: Part, { index }: Said): void {
  try {
    // A member may come from another loop, whose index was of something wider: what it saw then is never younger.
    member.sink.answer({ data: part.data(), continuous: member.unbroken && index >= member.index });
  } catch (error) {
    throw new Untaken(causeOf(error), { cause: error });
  }
  member.mark = part.mark;
  member.changedAt = Date.now();
}

/** Notes that a member's data are still, or now, what Consul holds. */
export function confirm(member: Member, { index }: Said, unbroken: boolean): void {
  member.index = index;
  member.unbroken = unbroken;
  member.answeredAt = Date.now();
  tell(member, null);
}

/** Tells a member why it has no answer, once. */
export function tell(member: Member, cause: string | null): void {
  if (member.problem === cause) return;
  member.problem = cause;
  member.sink.problem(cause);
}
