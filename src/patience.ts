import type { Ms } from './core/duration.ts';
import { Alarm, now } from './os/clock.ts';

/** How long each of many has waited, where all may wait as long: one alarm, and none while nobody waits. */
export class Patience {
  readonly #length: Ms;
  readonly #over: (name: string) => void;
  /** Who waits, and until when; the first of them is due first. */
  readonly #due = new Map<string, Ms>();
  readonly #alarm = new Alarm(() => {
    this.#alarm.arm(undefined);
    for (const name of [...this.#due.keys()]) if (this.isOver(name)) this.#over(name);
    this.#arm();
  });

  /** @param over called when somebody's patience ends, and again with others' until it is forgotten */
  constructor(length: Ms, over: (name: string) => void) {
    this.#length = length;
    this.#over = over;
  }

  /** Somebody waits; said again, nothing begins anew. */
  begin(name: string): void {
    if (this.#due.has(name)) return;
    this.#due.set(name, now() + this.#length);
    if (!this.#alarm.isArmed) this.#arm();
  }

  isOver(name: string): boolean {
    return now() >= (this.#due.get(name) ?? Number.POSITIVE_INFINITY);
  }

  forget(name: string): void {
    this.#due.delete(name);
  }

  #arm(): void {
    this.#alarm.arm([...this.#due.values()].find((due) => due > now()));
  }
}
