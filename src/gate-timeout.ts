import type { Ms } from './core/duration.ts';
import { Alarm, now } from './os/clock.ts';

/** What is done for a service whose templates are not rendered in time. */
export interface GatePolicy {
  after: Ms;
  /** Start it on the files from before, as soon as there are; or take it for failed. */
  fallback: 'stale' | 'fail';
}

export interface GateTimeoutListener {
  /** Returns whether there were files from before. */
  openStale(service: string): boolean;
  fail(service: string, within: Ms): void;
}

/** How long each service waits for its templates. */
export class GateTimeout {
  readonly #policy: GatePolicy | undefined;
  readonly #listener: GateTimeoutListener;
  /** Service → when its patience ends. */
  readonly #due = new Map<string, Ms>();
  readonly #alarm = new Alarm(() => {
    this.#alarm.arm(undefined);
    for (const service of [...this.#due.keys()]) this.look(service);
    this.#arm();
  });

  constructor(policy: GatePolicy | undefined, listener: GateTimeoutListener) {
    this.#policy = policy;
    this.#listener = listener;
  }

  /** A service waits; said again, nothing begins anew. */
  begin(service: string): void {
    if (!this.#policy || this.#due.has(service)) return;
    this.#due.set(service, now() + this.#policy.after);
    this.#arm();
  }

  forget(service: string): void {
    this.#due.delete(service);
  }

  /** Does what is due for a service; called again when its templates still lack something. */
  look(service: string): void {
    const due = this.#due.get(service);
    if (!this.#policy || due === undefined || now() < due) return;
    // Whoever may start on what is there from before waits on until something is.
    if (this.#policy.fallback === 'stale' && !this.#listener.openStale(service)) return;
    this.#due.delete(service);
    if (this.#policy.fallback === 'fail') this.#listener.fail(service, this.#policy.after);
  }

  #arm(): void {
    const next = Math.min(...[...this.#due.values()].filter((due) => due > now()));
    this.#alarm.arm(next === Number.POSITIVE_INFINITY ? undefined : next);
  }
}
