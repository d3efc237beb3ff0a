import type { Ms } from './duration.ts';
import type { Descent } from './order.ts';

/** A finish script is given this much of the plan: they take milliseconds, and their own ceiling is 5 s. */
const FINISH_SHARE: Ms = 500;
/** What the plan keeps for the end: processes that services left behind, and the tree's finish hook. */
const STRAYS_RESERVE: Ms = 500;
const HOOK_RESERVE: Ms = 1000;
/** However small the budget, the services get most of it. */
const MOST_RESERVE = 1 / 4;

/** The most that one service's stop may take in the plan. No limit of its own counts as the whole budget. */
export function stopTime(
  service: { timeoutKill: Ms | undefined; timeoutFinish: Ms | undefined; hasFinish: boolean },
  budget: Ms,
): Ms {
  return (service.timeoutKill ?? budget) + finishShare(service);
}

/** The part of that which is its finish script's. */
export function finishShare(service: { timeoutFinish: Ms | undefined; hasFinish: boolean }): Ms {
  return service.hasFinish ? Math.min(service.timeoutFinish ?? FINISH_SHARE, FINISH_SHARE) : 0;
}

/** What is kept back from the budget for strays and the finish hook. */
export function reserve(budget: Ms, hasHook: boolean): Ms {
  return Math.min(STRAYS_RESERVE + (hasHook ? HOOK_RESERVE : 0), budget * MOST_RESERVE);
}

/**
 * How long a service that is told to stop now may take until it is killed, so that everything below it still has its time.
 * Its own `timeout-kill` when the whole way down fits into what is left. Else no stop on the way gets more than a common
 * cap, chosen so that all fit: the patient give way, and who asks for little gets it.
 *
 * @param own the service's own limit; undefined for none
 * @param left what is left of the budget, its reserve taken off
 */
export function patience(own: Ms | undefined, left: Ms, descent: Descent): Ms {
  if (left <= 0) return 0;
  return Math.min(own ?? left, capOf(descent, left));
}

/** The most that any stop on the way down gets, so that all of them together fit into `left`. */
export function capOf(descent: Descent, left: Ms): Ms {
  if (descent.sum <= left) return left;
  const times: Ms[] = [];
  for (let at: Descent | undefined = descent; at; at = at.below) times.push(at.own);
  times.sort((a, b) => a - b);
  let rest = left;
  let cap = left;
  for (const [i, time] of times.entries()) {
    cap = rest / (times.length - i);
    if (time > cap) break;
    rest -= time;
  }
  return Math.floor(cap);
}
