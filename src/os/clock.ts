import type { Ms } from '../core/duration.ts';

/**
 * Monotonic milliseconds: what deadlines are measured in, so that a jump of the wall clock moves none. Not
 * `performance.now()`: the first use of `performance` loads all that Node has to measure by, 2 ms ahead of the first service.
 */
export function now(): Ms {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** One deadline at a time; arming it again replaces it, and without one nothing wakes us. */
export class Alarm {
  #timer: NodeJS.Timeout | undefined;
  #due: Ms | undefined;
  readonly #ring: () => void;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  get isArmed(): boolean {
    return this.#due !== undefined;
  }

  /** @param due when to ring, or undefined for never. A deadline that is armed already is left alone. */
  arm(due: Ms | undefined): void {
    if (due === this.#due) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = due;
    // Rounded up: libuv counts whole milliseconds, and to wake early would mean to wake twice.
    if (due !== undefined) this.#timer = setTimeout(this.#ring, Math.max(0, Math.ceil(due - now())));
  }
}
