import { Script } from 'node:vm';
import type { Ms } from '../core/duration.ts';

/** Where a task waits for the script that runs it: a script can be given nothing but globals. */
const TASK = Symbol.for('supervise.task');
const SLOT = globalThis as { [TASK]?: () => void };
const SCRIPT = new Script('globalThis[Symbol.for("supervise.task")]()');

/** How often a run is tried that may have been cut short by a machine that stood still, such as a paused container. */
export const PATIENT = 3;

export class TimeoutError extends Error {}

/**
 * Runs something to its end or to the limit, whatever it does: an endless loop and an exponential regular expression
 * are cut short too. Nothing in it can catch that, and no `finally` in it runs.
 * @param tries how often it is run where it used up its time, but not the processor
 * @throws TimeoutError, and whatever the task throws
 */
export function runLimited<T>(limit: Ms, task: () => T, tries = 1): T {
  for (let left = tries - 1; ; left--) {
    const before = process.cpuUsage();
    let result: { value: T } | undefined;
    SLOT[TASK] = () => {
      result = { value: task() };
    };
    try {
      SCRIPT.runInThisContext({ timeout: limit });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      const { user, system } = process.cpuUsage(before);
      if (left <= 0 || (user + system) / 1000 > limit / 2)
        throw new TimeoutError(`it took longer than ${limit} ms`, { cause: error });
      continue;
    } finally {
      delete SLOT[TASK];
    }
    if (result) return result.value;
  }
}
