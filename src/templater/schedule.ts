import type { Ms, Wait } from '../core/duration.ts';

/** When changes that came between `first` and `last` are due. */
export function dueAt(first: Ms, last: Ms, { min, max }: Wait): Ms {
  return Math.min(last + min, first + max);
}

/** Says when there is work: some of it at once, some after changes have settled. Idle, nothing wakes. */
export interface Schedule {
  /** There is work that waits for nothing. */
  now(): void;
  /** There was a change that others may follow. */
  soon(): void;
  /**
   * Waits for work.
   * @returns whether gathered changes are due; false means that only the work that waits for nothing is
   */
  next(): Promise<boolean>;
}

export function createSchedule(wait: Wait, clock: () => Ms = () => performance.now()): Schedule {
  let first: Ms | undefined;
  let due: Ms = 0;
  let urgent = false;
  let timer: NodeJS.Timeout | undefined;
  let wake: (() => void) | undefined;

  const ready = (): boolean => urgent || (first !== undefined && clock() >= due);
  const check = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (!wake) return;
    // Timers may fire a fraction early; then the rest is waited for.
    if (!ready() && first !== undefined) timer = setTimeout(check, Math.max(1, Math.ceil(due - clock())));
    else if (ready()) wake();
  };

  return {
    now() {
      urgent = true;
      check();
    },
    soon() {
      const at = clock();
      first ??= at;
      due = dueAt(first, at, wait);
      check();
    },
    async next() {
      await new Promise<void>((resolve) => {
        // Deferred, so that answers which arrive together are worked on together.
        wake = () => setImmediate(resolve);
        check();
      });
      wake = undefined;
      const settled = first !== undefined && clock() >= due;
      if (settled) first = undefined;
      urgent = false;
      return settled;
    },
  };
}
