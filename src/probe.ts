import { constants } from 'node:os';
import type { Ms } from './core/duration.ts';
import { endName } from './core/signals.ts';
import { Alarm, now } from './os/clock.ts';
import { killGroup, send } from './os/spawn.ts';
import type { SpawnEvents } from './os/spawn-spec.ts';

export interface ProbeOptions {
  /** From the start of one to the start of the next; one that takes longer is followed at once. */
  interval: Ms;
  /** Ceiling of one; then its group is killed, and it has failed. */
  timeout: Ms;
  /** Starts the program. */
  start(events: SpawnEvents): void;
  /** How one ended: undefined for well, else why not, in words. */
  ended(failure: string | undefined): void;
}

/** Asks a program again and again: a service's `check` until it says yes, its `health` as long as the service is ready. */
export class Probe {
  readonly #options: ProbeOptions;
  readonly #next = new Alarm(() => this.#ask());
  readonly #limit = new Alarm(() => this.#cut());
  #pid: number | undefined;
  #askedAt: Ms = 0;
  #timedOut = false;
  /** Counts calls of `start` and `stop`: what an earlier one began is nobody's any more. */
  #era = 0;

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  /** @param delay until the first is asked */
  start(delay: Ms): void {
    this.stop();
    this.#next.arm(now() + delay);
  }

  /** Asks no more; one that is under way is killed, and its answer goes nowhere. */
  stop(): void {
    this.#era++;
    this.#next.arm(undefined);
    this.#limit.arm(undefined);
    if (this.#pid !== undefined) killGroup(this.#pid);
    this.#pid = undefined;
  }

  #ask(): void {
    const era = this.#era;
    this.#next.arm(undefined);
    this.#askedAt = now();
    this.#timedOut = false;
    this.#options.start({
      spawned: (pid) => {
        if (era !== this.#era) return killGroup(pid);
        this.#pid = pid;
        this.#limit.arm(this.#askedAt + this.#options.timeout);
      },
      refused: (_code, reason) => this.#answer(era, reason),
      exited: (code, signal) => {
        // What it left in its group goes with it.
        if (this.#pid !== undefined && era === this.#era) send(-this.#pid, constants.signals.SIGKILL);
        const failure = code === 0 && signal === 0 ? undefined : endName({ code, signal });
        this.#answer(era, this.#timedOut ? 'timed out' : failure);
      },
    });
  }

  #answer(era: number, failure: string | undefined): void {
    if (era !== this.#era) return;
    this.#pid = undefined;
    this.#limit.arm(undefined);
    // Ahead of the news, which may stop us.
    this.#next.arm(Math.max(now(), this.#askedAt + this.#options.interval));
    this.#options.ended(failure);
  }

  #cut(): void {
    if (this.#pid === undefined) return;
    this.#timedOut = true;
    killGroup(this.#pid);
  }
}
