import type { Ms } from './core/duration.ts';
import { Patience } from './patience.ts';

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
  readonly #patience: Patience | undefined;

  constructor(policy: GatePolicy | undefined, listener: GateTimeoutListener) {
    this.#policy = policy;
    this.#listener = listener;
    this.#patience = policy && new Patience(policy.after, (service) => this.look(service));
  }

  /** A service waits; said again, nothing begins anew. */
  begin(service: string): void {
    this.#patience?.begin(service);
  }

  forget(service: string): void {
    this.#patience?.forget(service);
  }

  /** Does what is due for a service; called again when its templates still lack something. */
  look(service: string): void {
    if (!this.#policy || !this.#patience?.isOver(service)) return;
    // Whoever may start on what is there from before waits on until something is.
    if (this.#policy.fallback === 'stale' && !this.#listener.openStale(service)) return;
    this.#patience.forget(service);
    if (this.#policy.fallback === 'fail') this.#listener.fail(service, this.#policy.after);
  }
}
