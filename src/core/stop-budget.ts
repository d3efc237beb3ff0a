import type { Ms } from './duration.ts';

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
  const finish = service.hasFinish ? Math.min(service.timeoutFinish ?? FINISH_SHARE, FINISH_SHARE) : 0;
  return (service.timeoutKill ?? budget) + finish;
}

/** What is kept back from the budget for strays and the finish hook. */
export function reserve(budget: Ms, hasHook: boolean): Ms {
  return Math.min(STRAYS_RESERVE + (hasHook ? HOOK_RESERVE : 0), budget * MOST_RESERVE);
}

/**
 * When a service that is told to stop now must be killed, so that everything below it still has its time: its own
 * `timeout-kill` when the longest way down fits into what is left, else its fair share of what is left.
 *
 * @param left what is left of the budget, its reserve taken off
 * @param longest the longest way down from this service, itself included (`longestStop`)
 */
export function patience(own: Ms | undefined, left: Ms, longest: Ms): Ms {
  const wanted = own ?? left;
  if (left <= 0) return 0;
  return longest <= left ? wanted : Math.floor((wanted * left) / longest);
}
