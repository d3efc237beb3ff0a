import type { Native } from './native.ts';
import { ours } from './spawn.ts';

/**
 * Waits for the orphans that the kernel hands to us, as PID 1 or as subreaper. libuv waits only for the children that it
 * made; an orphan would stay a zombie for ever.
 *
 * Never `waitpid(-1)`: it would take the exit statuses that belong to libuv. We look at the head of the queue without
 * taking it; a stranger is waited for by pid, and when one of ours is at the head we step back until libuv, which is
 * told by the same SIGCHLD, has taken it.
 */
export class Reaper {
  readonly #native: Native;
  readonly #reaped: () => void;
  #again: NodeJS.Immediate | undefined;

  /** @param reaped called after each round */
  constructor(native: Native, reaped: () => void) {
    this.#native = native;
    this.#reaped = reaped;
  }

  /** Begins to listen, and takes what is there already. */
  start(): void {
    process.on('SIGCHLD', () => this.reap());
    this.reap();
  }

  /** Whether any child of ours, known or stranger, is left; a zombie that nobody waited for yet counts. */
  hasChildren(): boolean {
    return this.#native.peek() >= 0;
  }

  /** One round: everything that is dead and not ours. */
  reap(): void {
    for (;;) {
      const pid = this.#native.peek();
      if (pid <= 0) break;
      if (ours.has(pid)) {
        this.#again ??= setImmediate(() => {
          this.#again = undefined;
          this.reap();
        });
        break;
      }
      if (this.#native.reap(pid) < 0) break;
    }
    this.#reaped();
  }
}
