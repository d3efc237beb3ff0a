import { formatDuration, type Ms } from '../core/duration.ts';
import type { Goal } from '../core/goal.ts';
import type { Death } from '../core/lifecycle.ts';
import { endName } from '../core/signals.ts';
import { EXIT } from '../errors.ts';
import type { Member } from '../member.ts';
import { Alarm, now } from '../os/clock.ts';
import type { Tree } from '../tree.ts';
import { agree, type Reply, refuse } from './protocol.ts';
import type { Client, Exchange } from './server.ts';
import { serviceStatus, whyNot } from './state.ts';

export interface Wish {
  /** For messages: `wait`, `restart` … */
  verb: string;
  services: readonly string[];
  until: Goal;
  /** For ever without it. */
  timeoutMs: Ms | undefined;
  /** With `until` down: each service's last end when the order was given, where a new one is waited for. */
  ends?: ReadonlyMap<string, Death | undefined>;
  /** It is the living run that got a signal: its end is a no, and what it is counts once it has outlived that. */
  signalled?: boolean;
}

/** A signal that kills does so at once; whoever lives so long after it lives on. */
const OUTLIVES_MS: Ms = 250;

interface Waiter extends Wish {
  client: Client;
  alarm: Alarm;
  /** When a run that was signalled is taken to live on. */
  believed: Alarm;
}

/**
 * Those who wait for a service. Nobody asks again and again: each change of any service has `look` judge them all, and
 * each has its answer the moment it is known, which is also when it can be no other.
 */
export class Waiters {
  readonly #tree: Tree;
  readonly #waiters = new Set<Waiter>();

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  /**
   * @param first what is told at once, ahead of the waiting
   * @param last what is told when it has come true
   */
  wait(wish: Wish, first: unknown, last: () => unknown): Exchange {
    return (client) => {
      client.send(first);
      const waiter: Waiter = {
        ...wish,
        client: { ...client, end: (reply) => client.end(reply.ok ? agree(last()) : reply) },
        alarm: new Alarm(() => {
          const isSo = waiter.services.every((name) => this.#isFulfilled(name, waiter));
          waiter.client.end(isSo ? agree(null) : this.#timedOut(waiter));
        }),
        believed: new Alarm(() => {
          waiter.believed.arm(undefined);
          this.#judge(waiter);
        }),
      };
      this.#waiters.add(waiter);
      if (wish.timeoutMs !== undefined) waiter.alarm.arm(now() + wish.timeoutMs);
      if (wish.signalled) waiter.believed.arm(now() + OUTLIVES_MS);
      this.#judge(waiter);
      return () => {
        this.#waiters.delete(waiter);
        waiter.alarm.arm(undefined);
        waiter.believed.arm(undefined);
      };
    };
  }

  /** Something is other than it was. */
  look(): void {
    for (const waiter of this.#waiters) this.#judge(waiter);
  }

  /** The tree is gone. Whoever waited for `down` has had its answer. */
  close(): void {
    for (const { client, verb } of this.#waiters)
      client.end(refuse(`cannot ${verb}: the tree has stopped`, EXIT.no));
  }

  #judge(waiter: Waiter): void {
    const open = waiter.services.filter((name) => !this.#isFulfilled(name, waiter));
    const never = open.flatMap((name) => this.#whyNever(name, waiter) ?? []);
    if (open.length === 0 && !waiter.believed.isArmed) waiter.client.end(agree(null));
    else if (never.length > 0)
      waiter.client.end(refuse(`cannot ${waiter.verb}: ${never.join('; ')}`, EXIT.no));
  }

  #isFulfilled(name: string, { until, ends, signalled }: Wish): boolean {
    const member = this.#tree.members.get(name);
    // One whose directory is gone, and which is therefore forgotten, is down.
    if (!member) return until === 'down';
    const { runner, asked, problem } = member;
    const { is, death } = runner.service;
    if (until === 'down') {
      if (ends) return death !== ends.get(name) && is !== 'finishing';
      return (runner.isSettled || is === 'done') && (!asked || problem !== undefined);
    }
    if (signalled && death !== ends?.get(name)) return false;
    // One that is done and told to run again has yet to begin.
    return is === 'ready' || (is === 'done' && !asked) || (until === 'up' && is === 'up');
  }

  /** Why it will not happen unless somebody does something about it; undefined as long as it may. */
  #whyNever(name: string, { until, ends, signalled }: Wish): string | undefined {
    const member = this.#tree.members.get(name);
    // To be down is in reach of everything but of what was to run first, and cannot.
    if (until === 'down' && !(ends && member?.asked)) return undefined;
    if (!member) return `"${name}" is gone`;
    if (this.#tree.stopping) return `"${name}": the tree is stopping`;
    const { death } = member.runner.service;
    if (signalled && death && death !== ends?.get(name))
      return `"${name}" ended: ${death.reason ?? endName(death)}`;
    const root = this.#rootOf(member);
    if (!root) return undefined;
    if (root !== member)
      return `"${name}" waits for "${root.runner.name}", ${this.#state(root)} (supervise up ${root.runner.name})`;
    return `"${name}" ${this.#state(member)}`;
  }

  /** Whoever is down or failed for good, here or in what a start waits for; undefined when all is on its way. */
  #rootOf(member: Member): Member | undefined {
    const seen = new Set<Member>();
    const todo = [member];
    for (let next = todo.pop(); next; next = todo.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      const { asked, problem, runner } = next;
      if (problem && !isAlive(next)) return next;
      if (!asked) {
        const { is, want } = runner.service;
        if (is === 'failed' || (want === 'down' && is !== 'done')) return next;
        continue;
      }
      todo.push(...this.#tree.dependenciesOf(next));
    }
    return undefined;
  }

  #state(member: Member): string {
    const status = serviceStatus(this.#tree, member);
    if (status.wanted !== 'down') return whyNot(status);
    return status.is === 'down'
      ? 'is down, and nobody told it to start'
      : `is ${status.is}, and told to be down`;
  }

  #timedOut(waiter: Waiter): Reply {
    const { verb, until, services, timeoutMs = 0 } = waiter;
    const open = services.flatMap((name) => {
      const member = this.#tree.members.get(name);
      if (!member || this.#isFulfilled(name, waiter)) return [];
      const status = serviceStatus(this.#tree, member);
      return [`"${name}" ${until === 'down' ? `is ${status.is}` : whyNot(status)}`];
    });
    return refuse(
      `cannot ${verb}: timed out after ${formatDuration(timeoutMs)}: ${open.join('; ')}`,
      EXIT.timedOut,
    );
  }
}

function isAlive({ runner }: Member): boolean {
  return !runner.isSettled;
}
