import { type Ended, takeEnd } from './children.ts';
import type { Native } from './native.ts';
import { spawnBy } from './spawn.ts';

/** Exit code and signal in what wait(2) says of a process. */
const CODE_SHIFT = 8;
const SIGNAL_MASK = 0x7f;

/**
 * Waits for every child: those that we started, and the orphans that the kernel hands to us, as PID 1 or as subreaper. There
 * must be no other waiter: a status is there once.
 */
export class Reaper {
  readonly #native: Native;
  readonly #reaped: () => void;

  /** @param reaped called after each round */
  constructor(native: Native, reaped: () => void) {
    this.#native = native;
    this.#reaped = reaped;
  }

  /** Begins to listen, and takes what is there already. From here on processes are started by the addon. */
  start(): void {
    spawnBy(this.#native);
    process.on('SIGCHLD', () => this.reap());
    this.reap();
  }

  /** Whether any child of ours, known or stranger, is left; a zombie that nobody waited for yet counts. */
  hasChildren(): boolean {
    return this.#native.peek() >= 0;
  }

  /**
   * One round: everything that is dead. First all are waited for, then told of: whoever hears of an end may start others, and
   * one of those may get the pid of one that is yet to be told of.
   */
  reap(): void {
    const ends: (readonly [ended: Ended | undefined, status: number])[] = [];
    for (let pid = this.#native.peek(); pid > 0; pid = this.#native.peek()) {
      const status = this.#native.reap(pid);
      if (status < 0) break;
      ends.push([takeEnd(pid), status]);
    }
    for (const [ended, status] of ends)
      this.#tell(ended, (status >> CODE_SHIFT) & 0xff, status & SIGNAL_MASK);
    this.#reaped();
  }

  /** A mistake in who hears of one end must not keep the next from being told. */
  #tell(ended: Ended | undefined, code: number, signal: number): void {
    try {
      ended?.(code, signal);
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  }
}
