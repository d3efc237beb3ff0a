import type { Ms } from './core/duration.ts';
import type { Event, State } from './core/lifecycle.ts';
import type { ServiceConfig } from './core/servicedir.ts';
import type { Log } from './log.ts';
import type { SpawnEvents } from './os/spawn-spec.ts';
import { Probe } from './probe.ts';

/** Between two questions of a `check`, and the most that one answer may take. */
const CHECK_INTERVAL: Ms = 1000;
const CHECK_TIMEOUT: Ms = 5000;

export interface ProbesOptions {
  log: Log;
  start(program: 'check' | 'health', events: SpawnEvents): void;
  /** Takes what an answer means for the service. */
  send(event: Event): void;
}

/** What is asked of a service while it runs: its `check` until it is ready, its `health` from then on. */
export class Probes {
  /** How the last question was answered, where that was no yes: `check: exit 1`. */
  complaint: string | undefined;
  readonly #options: ProbesOptions;
  #probe: Probe | undefined;

  constructor(options: ProbesOptions) {
    this.#options = options;
  }

  /** The service came into this state, or has another process now: what was asked before is asked no more. */
  follow(is: State, { type, hasCheck, hasHealth, healthInterval, healthRetries }: ServiceConfig): void {
    this.#probe?.stop();
    this.#probe = undefined;
    this.complaint = undefined;
    // Of a oneshot its own end tells.
    if (type === 'oneshot') return;
    if (is === 'up' && hasCheck) this.#check();
    if (is === 'ready' && hasHealth) this.#health(healthInterval, healthRetries);
  }

  #check(): void {
    const { log, start, send } = this.#options;
    this.#probe = new Probe({
      interval: CHECK_INTERVAL,
      timeout: CHECK_TIMEOUT,
      start: (events) => start('check', events),
      ended: (failure) => {
        if (failure !== undefined) {
          if (this.complaint === undefined) log.debug('is not ready yet', { check: failure });
          this.complaint = `check: ${failure}`;
        } else send({ type: 'notified' });
      },
    });
    this.#probe.start(0);
  }

  #health(interval: Ms, retries: number): void {
    const { log, start, send } = this.#options;
    let failures = 0;
    this.#probe = new Probe({
      interval,
      timeout: interval,
      start: (events) => start('health', events),
      ended: (failure) => {
        if (failure === undefined) {
          if (failures > 0) log.info('passed its health check again');
          failures = 0;
          this.complaint = undefined;
          return;
        }
        failures++;
        // Once for a row of failures: the end of the row is told by what it leads to.
        if (failures === 1) log.warn('failed its health check', { end: failure, restartsAfter: retries });
        this.complaint = `health: ${failure}, ${failures} of ${retries}`;
        if (failures >= retries) send({ type: 'unhealthy' });
      },
    });
    this.#probe.start(interval);
  }
}
