import { errno } from '../errors.ts';
import type { Outlet } from '../os/outlet.ts';

/** Whoever writes lines to a sink. */
export interface Writer {
  /** There is room again; called after `park`. */
  go(): void;
  /** End the line that is held open: others have waited too long for it. */
  breakOff(): void;
}

/** A line whose end does not come keeps others from the sink no longer than this. */
const MOST_HOLD_MS = 1000;
/** What a file refuses with for a while: somebody makes room, and it takes more. */
const PASSING: readonly (string | undefined)[] = ['ENOSPC', 'EDQUOT'];
const NEWLINE = Buffer.from('\n');

/**
 * One way out for many writers: who is admitted writes whole lines, at once; who is not parks, keeps what it has, and reads no
 * more until it is told to go on. So nothing is dropped, and what is held in memory is one write's rest.
 *
 * A line that is longer than what a writer keeps goes out in pieces, while that writer holds the sink.
 */
export class Sink {
  readonly #outlet: Outlet;
  readonly #broken: (error: unknown, forGood: boolean) => void;
  /** Writing the rest of what did not go out at once. */
  #busy = false;
  #dead = false;
  /** There was no room for what was written last, and that was told. */
  #full = false;
  /** Only the beginning of what was written last went out. */
  #torn = false;
  #holder: Writer | undefined;
  #holdTimer: NodeJS.Timeout | undefined;
  #parked = new Set<Writer>();
  #idle: (() => void)[] = [];

  /**
   * @param broken called once when what is written can never go out: from then on it is dropped; or, not for good, once
   *   for each time that a disk is full: what is written meanwhile is dropped
   */
  constructor(outlet: Outlet, broken: (error: unknown, forGood: boolean) => void) {
    this.#outlet = outlet;
    this.#broken = broken;
  }

  admits(writer: Writer): boolean {
    return !this.#busy && (this.#holder === undefined || this.#holder === writer);
  }

  /** Takes all of it: whole lines, or a piece of the line that the writer holds open. Only when admitted. */
  write(bytes: Buffer): void {
    if (this.#dead) return;
    const all = this.#torn ? Buffer.concat([NEWLINE, bytes]) : bytes;
    let written = 0;
    try {
      written = this.#outlet.write(all);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#torn = false;
    if (written === all.length) {
      this.#full = false;
      return;
    }
    this.#busy = true;
    this.#outlet.finish(Buffer.from(all.subarray(written)), (error) => {
      this.#busy = false;
      this.#torn = error !== undefined;
      if (error) this.#fail(error);
      this.#wake();
    });
  }

  /** Tells the writer when it may be admitted. */
  park(writer: Writer): void {
    this.#parked.add(writer);
    if (this.#holder && this.#holder !== writer) this.#limitHold();
  }

  /** From now on nobody else is admitted. */
  hold(writer: Writer): void {
    this.#holder = writer;
    if (this.#parked.size > 0) this.#limitHold();
  }

  release(writer: Writer): void {
    if (this.#holder !== writer) return;
    this.#holder = undefined;
    clearTimeout(this.#holdTimer);
    this.#holdTimer = undefined;
    // Not at once: the writer is in the middle of something.
    if (this.#parked.size > 0) setImmediate(() => this.#wake());
  }

  /** Resolves when all that was written has gone out. */
  async drained(): Promise<void> {
    while (this.#busy || this.#parked.size > 0)
      await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #wake(): void {
    for (const writer of [...this.#parked]) {
      if (this.#busy) break;
      if (!this.admits(writer) || !this.#parked.delete(writer)) continue;
      writer.go();
    }
    if (this.#busy) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  #limitHold(): void {
    this.#holdTimer ??= setTimeout(() => {
      this.#holdTimer = undefined;
      // While our own reader is the slow one, nobody is to blame.
      if (this.#busy) this.#limitHold();
      else this.#holder?.breakOff();
    }, MOST_HOLD_MS);
  }

  #fail(error: unknown): void {
    if (this.#dead) return;
    const forGood = !PASSING.includes(errno(error));
    const isNews = forGood || !this.#full;
    if (forGood) this.#dead = true;
    else this.#full = true;
    if (isNews) this.#broken(error, forGood);
  }
}
