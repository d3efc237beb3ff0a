/**
 * The life of one service's config: what is in place, whether the service has proved well on it, and what follows when it
 * has not. Nothing here touches the world: `step` answers with the next state and the effects that `src/rollout.ts`
 * carries out. The files are the templater's; what it may do with them is said to it as a `Judgement` (core/link.ts).
 *
 *   unproven → good;  good → settling → good | bad → recovering → good | unproven
 *
 * Only a generation that took the place of files on which the service was well is *settling*: if the service then crashes,
 * or is not ready in time, the generation is bad and the previous files are asked for. A service that was in trouble
 * before is not blamed on what came later, and one that is in trouble on its previous files too clears what was blamed.
 * Down, and up again, the service is judged again, as long as there are files to go back to.
 *
 * After a restart no other generation is put in place until this one is judged. Where the service went on running, others
 * may follow as fast as it may be acted on: each is judged for its whole time, and the files to go back to stay those that
 * it was last well on.
 */
import { type Action, strongest } from './action.ts';
import { formatDuration, type Ms } from './duration.ts';
import { type Death, isUp, type Service } from './lifecycle.ts';
import { actionsFor, type Judgement, type RenderedFile } from './link.ts';

export type Phase = 'unproven' | 'settling' | 'good' | 'bad' | 'recovering';

/** A generation that the service could not live with, and how that showed. */
export interface Bad {
  generation: string;
  cause: string;
}

export interface Rollout {
  readonly phase: Phase;
  /** The name of what is in place; undefined where the templater gives none. */
  readonly generation: string | undefined;
  /** Destination → digest of the content that the service was last given. */
  readonly files: ReadonlyMap<string, string>;
  /** When the service began to run on it; undefined while it is still to be started, or acted on. */
  readonly from: Ms | undefined;
  /** The last that the service proved well on. */
  readonly good: string | undefined;
  /** Not to be tried again, newest last. */
  readonly bad: readonly Bad[];
  /** What is still to be done to the service: it was acted on too short a time ago. */
  readonly owed: readonly Action[];
  readonly actedAt: Ms | undefined;
  /** The files that the service was well on are kept. */
  readonly canGoBack: boolean;
  /** Until when no other generation may be put in place; undefined: one may. */
  readonly holdUntil: Ms | undefined;
  /** Since when there is something to be judged, one generation upon the other. */
  readonly trialSince: Ms | undefined;
  /** How long the service last took to become ready. */
  readonly readyTook: Ms;
  /** The run that is judged was started on files before these, which had not proved good either. */
  readonly isDoubtful: boolean;
  /** The service has been ready on files of ours: there is something to go back to. */
  readonly hasBeenReady: boolean;
  /** It went wrong since it last proved well: what comes next is not to blame. */
  readonly inTrouble: boolean;
  /** When it went wrong. */
  readonly troubledAt: Ms | undefined;
}

/** What the rules need to know of the service and of the settings. Times in ms. */
export interface Surroundings {
  service: Service;
  /** It is meant to run, and waits for nothing else. */
  wanted: boolean;
  /** Whether a clean end is one that nobody asked for. */
  endIsFault: boolean;
  /**
   * How long a service has to stay ready to be well on its config, and to become so if it was no slower before. 0: nothing is
   * ever taken back.
   */
  settle: Ms;
  /** The least time between two actions. */
  spacing: Ms;
}

export type RolloutEvent =
  | {
      type: 'rendered';
      files: readonly RenderedFile[];
      generation: string | undefined;
      canGoBack: boolean;
      mended: boolean;
    }
  /** Its run ended. */
  | { type: 'died'; death: Death }
  /** The service changed. */
  | { type: 'changed'; before: Service }
  /** Somebody has looked into it: what was bad may be tried again. */
  | { type: 'forgiven' }
  | { type: 'timeout' };

export type RolloutEffect =
  /** At once; one after the other where there are several. */
  | { do: 'act'; actions: readonly Action[] }
  /** Say how things stand to the templater. */
  | { do: 'tell' }
  | { do: 'say'; what: 'changed'; actions: readonly Action[] }
  | { do: 'say'; what: 'proved good' }
  | { do: 'say'; what: 'judged bad' | 'cleared' | 'forgiven'; bad: Bad }
  | { do: 'say'; what: 'taken back' };

export interface RolloutStep {
  next: Rollout;
  effects: readonly RolloutEffect[];
  /** When `timeout` is due, if at all. */
  deadline: Ms | undefined;
}

/** A crash that comes ahead of the report of what caused it, at most so long, is still counted as caused by it. */
const REPORT_DELAY: Ms = 1000;
/** Whatever is put upon each other, after so many times `settle` it is judged: what could be gone back to grows old. */
const MOST_TRIAL = 12;
/** A service may take so many times as long to become ready as it last did. */
const MOST_SLOWER = 2;
/** So many bad generations are remembered for each service. */
const MOST_BAD = 16;

/** A service that was given no config yet. */
export function newRollout(): Rollout {
  return {
    phase: 'unproven',
    generation: undefined,
    files: new Map(),
    from: undefined,
    good: undefined,
    bad: [],
    owed: [],
    actedAt: undefined,
    canGoBack: false,
    holdUntil: undefined,
    trialSince: undefined,
    readyTook: 0,
    isDoubtful: false,
    hasBeenReady: false,
    inTrouble: false,
    troubledAt: undefined,
  };
}

/** The one place where a rollout changes. */
export function stepRollout(
  rollout: Rollout,
  event: RolloutEvent,
  around: Surroundings,
  now: Ms,
): RolloutStep {
  const effects: RolloutEffect[] = [];
  let next = rollout;
  if (event.type === 'rendered') next = rendered(next, event, around, now, effects);
  if (event.type === 'died') next = died(next, event.death, around, now, effects);
  if (event.type === 'forgiven') next = forgiven(next, effects);
  if (event.type === 'changed') next = changed(next, event.before, around, now, effects);
  const hasGivenUp = around.service.is === 'failed' && next.owed.length === 0;
  if (!around.wanted || (hasGivenUp && event.type === 'changed')) next = release(next, effects);
  next = judge(next, around, now, effects);
  return { next, effects, deadline: deadlineOf(next, around) };
}

/** What the templater is to know. */
export function judgementOf(service: string, rollout: Rollout, now: Ms): Judgement {
  const { generation, holdUntil, good, bad, actedAt } = rollout;
  return {
    service,
    seen: generation ?? null,
    hold: holdUntil !== undefined,
    good: good ?? null,
    bad: bad.map((each) => each.generation),
    actedMsAgo: actedAt === undefined ? null : Math.round(now - actedAt),
  };
}

type Rendered = Extract<RolloutEvent, { type: 'rendered' }>;

function rendered(
  rollout: Rollout,
  { files, generation, canGoBack, mended }: Rendered,
  around: Surroundings,
  now: Ms,
  effects: RolloutEffect[],
): Rollout {
  effects.push({ do: 'tell' });
  const actions = actionsFor(mended ? new Map() : rollout.files, files);
  const digests = new Map(files.map(({ dest, digest }) => [dest, digest]));
  // The same content by another name: a template came or went, and its file stays.
  if (!actions) {
    const rename = (name: string | undefined): string | undefined =>
      name !== undefined && name === rollout.generation ? generation : name;
    return { ...rollout, files: digests, generation, canGoBack, good: rename(rollout.good) };
  }
  const was = rollout.phase;
  // With the files that it was well on, there is nothing left to go back to; and what troubled it is gone.
  const isBack = was === 'bad' && !canGoBack;
  const next: Rollout = {
    ...rollout,
    files: digests,
    generation,
    phase: 'unproven',
    from: undefined,
    canGoBack,
    holdUntil: undefined,
    inTrouble: rollout.inTrouble && !isBack,
  };
  // It will be started on these files anyway; what they do to it then is told by its first run.
  if (!around.wanted) return next;
  effects.push({ do: 'say', what: 'changed', actions });
  const canBlame = canGoBack && around.settle > 0 && generation !== undefined;
  if (was === 'bad') {
    if (isBack) effects.push({ do: 'say', what: 'taken back' });
    const then = isBack ? held({ ...next, phase: 'recovering' }) : onTrial(next, canBlame, now);
    return act(then, ['restart'], around, now, effects);
  }
  if (actions[0] === 'none') return { ...next, from: now };
  return {
    ...onTrial(next, canBlame && (was === 'settling' || wasWell(rollout, now)), now),
    isDoubtful: was !== 'good' && actions[0] !== 'restart',
    owed: strongest([...rollout.owed, ...actions]),
  };
}

function died(
  rollout: Rollout,
  death: Death,
  around: Surroundings,
  now: Ms,
  effects: RolloutEffect[],
): Rollout {
  if (death.kind === 'stopped' || (death.kind === 'ended' && !around.endIsFault)) return rollout;
  // The end of a run that the new files have not reached yet; what could not be executed at all was the new one.
  const isOld = rollout.from === undefined && death.pgid !== undefined;
  return isOld ? worry(rollout, now) : fail(rollout, describeDeath(death), now, effects);
}

function changed(
  rollout: Rollout,
  before: Service,
  { service, settle }: Surroundings,
  now: Ms,
  effects: RolloutEffect[],
): Rollout {
  const { readyTook } = rollout;
  const next = isUp(service)
    ? {
        ...rollout,
        hasBeenReady: true,
        readyTook: isUp(before) ? readyTook : now - service.startedAt,
      }
    : rollout;
  if (!isRunning(service) || service.pid === before.pid) return next;
  // A start on the new files is as good as what was still to be done to the old run.
  const started = { ...next, from: service.startedAt, owed: [] };
  if (isHeld(started)) {
    if (started.holdUntil === undefined) effects.push({ do: 'tell' });
    return held(started);
  }
  // It was well on the files that are kept, and has been down since.
  const { phase, generation, good, canGoBack, hasBeenReady, inTrouble } = started;
  const isNew = phase === 'unproven' && canGoBack && generation !== undefined && generation !== good;
  if (!isNew || settle === 0 || !hasBeenReady || inTrouble) return started;
  effects.push({ do: 'tell' });
  return { ...onTrial(started, true, now), isDoubtful: false };
}

/** While it is taken back, or the service judged on what was before, the mark is part of that. */
function forgiven(rollout: Rollout, effects: RolloutEffect[]): Rollout {
  const { phase, bad } = rollout;
  if (bad.length === 0 || phase === 'bad' || phase === 'recovering') return rollout;
  for (const each of bad) effects.push({ do: 'say', what: 'forgiven', bad: each });
  effects.push({ do: 'tell' });
  return { ...rollout, bad: [] };
}

/** @param canBlame otherwise it is only waited for the service to be well */
function onTrial(rollout: Rollout, canBlame: boolean, now: Ms): Rollout {
  if (!canBlame) return rollout;
  return held({ ...rollout, phase: 'settling', trialSince: rollout.trialSince ?? now });
}

function held(rollout: Rollout): Rollout {
  return { ...rollout, holdUntil: Number.POSITIVE_INFINITY };
}

/** The service is no longer meant to run, or has given up: there is nothing to judge, and nothing to do. */
function release(rollout: Rollout, effects: RolloutEffect[]): Rollout {
  if (!isHeld(rollout) && rollout.owed.length === 0) return rollout;
  effects.push({ do: 'tell' });
  const phase = isHeld(rollout) ? 'unproven' : rollout.phase;
  return { ...rollout, phase, holdUntil: undefined, from: undefined, owed: [] };
}

/** What time alone brings. */
function judge(rollout: Rollout, around: Surroundings, now: Ms, effects: RolloutEffect[]): Rollout {
  let next = rollout;
  if (next.owed.length > 0 && now >= actionDue(next, around))
    next = act(next, next.owed, around, now, effects);
  if (next.holdUntil !== undefined && now >= next.holdUntil) {
    next = { ...next, holdUntil: undefined };
    effects.push({ do: 'tell' });
  }
  const due = judgementDue(next, around);
  if (due === undefined || now < due) return next;
  if (!isUp(around.service))
    return fail(next, `it was not ready within ${formatDuration(patience(next, around))}`, now, effects);
  if (next.phase !== 'unproven') effects.push({ do: 'say', what: 'proved good' });
  effects.push({ do: 'tell' });
  // What could not be taken back, and the service lives with it; and what may have been blamed for the files before it.
  const doubtful = next.phase === 'recovering' && next.isDoubtful ? next.bad.at(-1) : undefined;
  const isCleared = (each: Bad): boolean => each.generation === next.generation || each === doubtful;
  const bad = next.bad.filter((each) => !isCleared(each));
  return {
    ...next,
    bad,
    phase: 'good',
    good: next.generation,
    canGoBack: false,
    holdUntil: undefined,
    trialSince: undefined,
    isDoubtful: false,
    inTrouble: false,
  };
}

/** The service is in trouble on what is in place. */
function fail(rollout: Rollout, cause: string, now: Ms, effects: RolloutEffect[]): Rollout {
  const { phase, generation, bad } = rollout;
  const next = { ...worry(rollout, now), troubledAt: undefined, holdUntil: undefined };
  if (phase === 'settling' && generation !== undefined) {
    const found = { generation, cause };
    effects.push({ do: 'say', what: 'judged bad', bad: found }, { do: 'tell' });
    const others = bad.filter((each) => each.generation !== generation);
    return { ...next, phase: 'bad', bad: [...others, found].slice(-MOST_BAD), owed: [] };
  }
  if (phase === 'recovering') {
    const suspect = bad.at(-1);
    if (suspect) effects.push({ do: 'say', what: 'cleared', bad: suspect });
    effects.push({ do: 'tell' });
    return { ...next, phase: 'unproven', bad: bad.slice(0, -1) };
  }
  return worry(rollout, now);
}

function worry(rollout: Rollout, now: Ms): Rollout {
  const { phase, inTrouble, troubledAt } = rollout;
  return {
    ...rollout,
    phase: phase === 'good' ? 'unproven' : phase,
    inTrouble: true,
    troubledAt: inTrouble ? troubledAt : now,
  };
}

/** @param actions never `none` */
function act(
  rollout: Rollout,
  actions: readonly Action[],
  { service, settle, spacing }: Surroundings,
  now: Ms,
  effects: RolloutEffect[],
): Rollout {
  // What is not there to take a signal is started; it may be waiting out a crash on the old files.
  const all: readonly Action[] = isRunning(service) ? actions : ['restart'];
  effects.push({ do: 'act', actions: all });
  const next = { ...rollout, owed: [], actedAt: now };
  if (all[0] === 'restart') return { ...next, from: undefined };
  const { phase, trialSince = now } = rollout;
  const mayFollow = phase === 'settling' && now - trialSince < MOST_TRIAL * settle;
  return { ...next, from: now, holdUntil: mayFollow ? now + spacing : rollout.holdUntil };
}

function deadlineOf(rollout: Rollout, around: Surroundings): Ms | undefined {
  const { owed, holdUntil = Number.POSITIVE_INFINITY } = rollout;
  const due = judgementDue(rollout, around) ?? Number.POSITIVE_INFINITY;
  const first = Math.min(due, holdUntil, owed.length > 0 ? actionDue(rollout, around) : due);
  return first === Number.POSITIVE_INFINITY ? undefined : first;
}

function actionDue({ actedAt }: Rollout, { spacing }: Surroundings): Ms {
  return (actedAt ?? Number.NEGATIVE_INFINITY) + spacing;
}

/** When it is decided whether the service is well on what it runs on; undefined while only an event can tell. */
function judgementDue(rollout: Rollout, around: Surroundings): Ms | undefined {
  const { phase, from, owed } = rollout;
  const { service, settle } = around;
  if (phase === 'good' || from === undefined || owed.length > 0) return undefined;
  if (isUp(service)) return Math.max(from, service.readyAt ?? from) + settle;
  return isHeld(rollout) ? from + patience(rollout, around) : undefined;
}

/** How long the service has to become ready: a slow one does not become slower by new config. */
function patience({ readyTook }: Rollout, { settle }: Surroundings): Ms {
  return Math.max(settle, MOST_SLOWER * readyTook);
}

function isHeld({ phase }: Rollout): boolean {
  return phase === 'settling' || phase === 'recovering';
}

function isRunning({ is, pid }: Service): boolean {
  return (is === 'up' || is === 'ready') && pid !== undefined;
}

/** Whether the service was well until the files were changed: a crash may come ahead of the report. */
function wasWell({ hasBeenReady, inTrouble, troubledAt }: Rollout, now: Ms): boolean {
  if (!hasBeenReady) return false;
  return !inTrouble || (troubledAt !== undefined && now - troubledAt <= REPORT_DELAY);
}

function describeDeath({ kind, code, signal, reason }: Death): string {
  if (reason !== undefined) return reason;
  if (kind === 'ended') return 'it ended';
  return signal === 0 ? `it exited with ${code}` : `signal ${signal} ended it`;
}
