/**
 * What the ends of a service's runs say of how it is run. A mistake there shows as a restart for ever, or as work that is
 * killed at each stop, and no single end tells.
 */
import type { Ms } from './duration.ts';
import type { Death } from './lifecycle.ts';
import type { ServiceConfig } from './servicedir.ts';

/** So far, of one service. */
export interface Habits {
  /** Clean ends at once, in a row. */
  readonly atOnce: number;
  /** Runs in a row that did not become ready in time. */
  readonly late: number;
  /** What was said is not said again. */
  readonly told: readonly string[];
}

export interface Advice {
  event: string;
  fields: { times?: number; hint: string };
}

/** The end of a run. */
export interface End {
  death: Death;
  /** Processes were left in its group. */
  left: boolean;
}

/** It has done nothing but to start something else. */
const AT_ONCE: Ms = 1000;
/** Once is an accident. */
const TIMES = 3;

export const NO_HABITS: Habits = { atOnce: 0, late: 0, told: [] };

/** Takes the end of a run into account, after what it left was killed. */
export function heed(
  { atOnce, late, told }: Habits,
  { death, left }: End,
  config: ServiceConfig,
): { habits: Habits; advice: Advice | undefined } {
  const { kind, ranMs, reason } = death;
  const habits = {
    atOnce: kind === 'ended' && config.type === 'longrun' && ranMs < AT_ONCE ? atOnce + 1 : 0,
    late: reason === 'timeout-up' ? late + 1 : kind === 'stopped' ? late : 0,
    told,
  };
  const advice = adviceOf(habits, { death, left }, config);
  if (!advice || told.includes(advice.event)) return { habits, advice: undefined };
  return { habits: { ...habits, told: [...told, advice.event] }, advice };
}

function adviceOf({ atOnce, late }: Habits, { death, left }: End, config: ServiceConfig): Advice | undefined {
  if (atOnce >= TIMES && config.restart === 'always')
    return {
      event: 'ended at once again and again',
      fields: {
        times: atOnce,
        hint: left
          ? 'let run stay in the foreground: what it leaves in the background is killed at its end'
          : 'let run stay in the foreground; if it is to end by itself, write oneshot into the file "type"',
      },
    };
  if (late >= TIMES)
    return { event: 'was never ready in time', fields: { times: late, hint: hintForLate(config) } };
  // Whoever handles the signal ends by itself; a shell without `exec` dies of it, and nothing else has heard it.
  if (left && death.kind === 'stopped' && death.signal === config.downSignal)
    return {
      event: 'killed what did not get the stop signal',
      fields: { hint: 'write exec before the last command of run: the signal goes to that process alone' },
    };
  return undefined;
}

function hintForLate({ type, hasCheck, notificationFd }: ServiceConfig): string {
  if (type === 'oneshot') return 'raise timeout-up: it is how long a oneshot may run';
  if (hasCheck) return 'see with supervise status what check says, or raise timeout-up';
  return `let it write a newline to descriptor ${notificationFd} once it is ready, or raise timeout-up`;
}
