import { Script } from 'node:vm';
import type { Ms } from '../core/duration.ts';

/** Where a task waits for the script that runs it: a script can be given nothing but globals. */
const TASK = Symbol.for('supervise.task');
const SLOT = globalThis as { [TASK]?: () => void };
const SCRIPT = new Script('globalThis[Symbol.for("supervise.task")]()');

/** How often a run is tried that may have been cut short by a machine that stood still, such as a paused container. */
export const PATIENT = 3;

export class TimeoutError extends Error {}

/** A run by steps is over its time. */
class Overtime extends Error {}

let deadline = Number.POSITIVE_INFINITY;

/** Ends a run by steps that is over its time. To be called ahead of whatever may come so often that it takes long. */
export function step(): void {
  if (performance.now() > deadline) throw new Overtime();
}

/**
 * Runs something to its end or to the limit.
 *
 * Whole, whatever it does: an endless loop and an exponential regular expression are cut short too; nothing in it can catch
 * that, and no `finally` in it runs. That takes a thread of its own, which is made for it: 0.3 ms, and 1 ms on a busy machine.
 * By steps, what has many steps, each of them over soon.
 * @param tries how often it is run where it used up its time, but not the processor
 * @throws TimeoutError, and whatever the task throws
 */
export function runLimited<T>(limit: Ms, task: () => T, { tries = 1, bySteps = false } = {}): T {
  for (let left = tries - 1; ; left--) {
    const before = process.cpuUsage();
    try {
      return bySteps ? runBySteps(limit, task) : runWhole(limit, task);
    } catch (error) {
      if (!isTimeout(error)) throw error;
      const { user, system } = process.cpuUsage(before);
      if (left <= 0 || (user + system) / 1000 > limit / 2)
        throw new TimeoutError(`it took longer than ${limit} ms`, { cause: error });
    }
  }
}

function runBySteps<T>(limit: Ms, task: () => T): T {
  deadline = performance.now() + limit;
  try {
    return task();
  } finally {
    deadline = Number.POSITIVE_INFINITY;
  }
}

function runWhole<T>(limit: Ms, task: () => T): T {
  let result: { value: T } | undefined;
  SLOT[TASK] = () => {
    result = { value: task() };
  };
  try {
    SCRIPT.runInThisContext({ timeout: limit });
  } finally {
    delete SLOT[TASK];
  }
  if (!result) throw new Error('it did not run');
  return result.value;
}

function isTimeout(error: unknown): boolean {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  return error instanceof Overtime || code === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
}
