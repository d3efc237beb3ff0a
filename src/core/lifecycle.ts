/**
 * The life of one service, as a table: what each event means in each state. Nothing here touches the world or reads a
 * clock; `step` answers with the next state and with the effects that `service.ts` carries out, whose results come back
 * as events.
 *
 *   down → starting → up → ready → (stopping →) finishing → down | backoff → starting … | failed
 *   and for a oneshot    → up → finishing → done
 *
 * Three ideas carry it. What is *wanted* is kept apart from what *is*. At most one child is alive per service, `run` or
 * `finish`, so there is one pid and one `exited`. The only timer is the state's own `deadline`, which goes with the state,
 * so no timer can be stale.
 */
import type { Ms } from './duration.ts';

/** `done` is what `ready` is for a oneshot: its `run` has succeeded, and nothing is left of it. */
export type State =
  | 'down'
  | 'starting'
  | 'up'
  | 'ready'
  | 'done'
  | 'stopping'
  | 'finishing'
  | 'backoff'
  | 'failed';
/** `once`: up, but not started again when it ends. */
export type Want = 'up' | 'once' | 'down';

/** The part of a service's settings that decides its life. Times in ms; a limit of undefined is none. */
export interface LifeConfig {
  /** A oneshot's `run` ends by itself; that it succeeded is what others wait for. */
  type: 'longrun' | 'oneshot';
  hasFinish: boolean;
  /** Readiness is told, on a descriptor or by a check; otherwise a service is ready once it is executed. */
  notifies: boolean;
  restart: 'always' | 'on-failure' | 'never';
  restartDelay: { min: Ms; max: Ms };
  restartLimit: number | undefined;
  timeoutUp: Ms | undefined;
  timeoutKill: Ms | undefined;
  timeoutFinish: Ms | undefined;
}

/** How a run ended: `crash` nobody asked for, `ended` by itself with 0, `stopped` because it was told to. */
export interface Death {
  kind: 'crash' | 'ended' | 'stopped';
  /** The exit code, or 256 when a signal ended it (s6's convention). */
  code: number;
  /** The number of that signal, else 0. */
  signal: number;
  ranMs: Ms;
  /** In words, where code and signal do not tell: `timeout-up`, `health`, `cannot execute ./run: …`. */
  reason: string | undefined;
  /** Its process group, which is also the pid that `run` had; undefined when it was never executed. */
  pgid: number | undefined;
}

export interface Service {
  readonly is: State;
  readonly want: Want;
  /** When the state began. All times are of one monotonic clock, in ms. */
  readonly since: Ms;
  /** When `timeout` is due, if at all. */
  readonly deadline: Ms | undefined;
  /** The child alive: `run`, or `finish` while finishing. */
  readonly pid: number | undefined;
  readonly startedAt: Ms;
  readonly readyAt: Ms | undefined;
  /** The last end of `run`. */
  readonly death: Death | undefined;
  /** Crashes in a row. */
  readonly crashes: number;
  /** The last delay of the backoff; 0 when there was none or it is forgotten. */
  readonly delay: Ms;
  /** Not to be started before this, unless somebody orders it. */
  readonly notBefore: Ms;
  /** While stopping: why a stop that nobody ordered is a crash (`timeout-up`, `health`). */
  readonly fault: string | undefined;
  /** Somebody ordered a start since the death: it waits for no backoff and obeys no restart policy. */
  readonly ordered: boolean;
  /** SIGKILL was sent to the child; where there is none yet, it is to be sent as soon as there is. */
  readonly killed: boolean;
}

export type Event =
  | { type: 'up'; once?: boolean }
  /** `killBy`: SIGKILL no later than this, however patient `timeout-kill` is. */
  | { type: 'down'; killBy?: Ms }
  | { type: 'restart' }
  /** Stop waiting: SIGKILL now. */
  | { type: 'kill' }
  | { type: 'spawned'; pid: number }
  | { type: 'refused'; code: number; reason: string }
  /** `reason`: what is known of its cause beyond that, such as `oom`. */
  | { type: 'exited'; code: number; signal: number; reason?: string | undefined }
  | { type: 'notified' }
  /** Its health check has failed too often in a row. */
  | { type: 'unhealthy' }
  /** In answer to `run`, which was not done: what it would read is about to be other. An order still starts it. */
  | { type: 'hold'; until: Ms }
  | { type: 'timeout' };

export type Effect =
  | { do: 'run' }
  | { do: 'finish'; death: Death }
  /** The stop signal, to the process alone. */
  | { do: 'term'; pid: number }
  /** SIGKILL, to the whole group. */
  | { do: 'kill'; pid: number }
  /** End what a dead `run` left in its group. */
  | { do: 'sweep'; pgid: number }
  | { do: 'crashed'; death: Death; next: Verdict }
  /** It ended and will not be started again unless somebody orders it. */
  | { do: 'over'; death: Death };

/** What follows a death. */
export type Verdict = { to: 'down' } | { to: 'done' } | { to: 'failed' } | { to: 'restart'; delayMs: Ms };

export interface Step {
  next: Service;
  effects: readonly Effect[];
}

/** A service that nobody has started yet. */
export function newService(now: Ms): Service {
  return {
    is: 'down',
    want: 'down',
    since: now,
    deadline: undefined,
    pid: undefined,
    startedAt: now,
    readyAt: undefined,
    death: undefined,
    crashes: 0,
    delay: 0,
    notBefore: now,
    fault: undefined,
    ordered: false,
    killed: false,
  };
}

/** The one place where a service changes. Returns the same object when nothing did. */
export function step(service: Service, event: Event, config: LifeConfig, now: Ms): Step {
  const rule = TABLE[service.is][event.type] as Rule<Event>;
  return rule(service, event, config, now);
}

/** Whether this run stayed ready long enough (the greatest delay) for the crashes before it to be forgotten. */
export function isForgiven(service: Service, config: LifeConfig, now: Ms): boolean {
  const enough = config.restartDelay.max || FORGIVEN_LEAST;
  return service.readyAt !== undefined && now - service.readyAt >= enough;
}

/** Whether those that depend on the service may start. */
export function isUp(service: Service): boolean {
  return service.is === 'ready' || service.is === 'done';
}

/** Whether a child of the service is alive, or about to be. */
export function isAlive(service: Service): boolean {
  return service.pid !== undefined || service.is === 'starting' || service.is === 'finishing';
}

/** What would follow the last death as things stand; told with the death, carried out when `finish` is done. */
export function verdict(service: Service, config: LifeConfig, now: Ms): Verdict {
  const { death, want } = service;
  if (!death || want === 'down') return { to: 'down' };
  if (service.ordered || death.kind === 'stopped') return { to: 'restart', delayMs: 0 };
  if (death.kind === 'ended' && config.type === 'oneshot') return { to: 'done' };
  if (want === 'once') return { to: 'down' };
  if (death.kind === 'ended' && config.restart !== 'always') return { to: 'down' };
  if (death.kind === 'crash') {
    if (config.restart === 'never') return { to: 'failed' };
    if (config.restartLimit !== undefined && service.crashes >= config.restartLimit) return { to: 'failed' };
  }
  return { to: 'restart', delayMs: Math.max(0, service.notBefore - now) };
}

type Rule<E extends Event> = (service: Service, event: E, config: LifeConfig, now: Ms) => Step;
type EventOf<T extends Event['type']> = Extract<Event, { type: T }>;
/** Every state answers every event: a missing cell does not compile. */
type Table = { [S in State]: { [T in Event['type']]: Rule<EventOf<T>> } };

const stay: Rule<Event> = (service) => ({ next: service, effects: [] });

/** Only the wish changes; what is goes on until its own end and then obeys the wish. */
const wish: Rule<EventOf<'up'>> = (service, event) => ({
  next: { ...service, want: event.once ? 'once' : 'up', ordered: service.want === 'down' || service.ordered },
  effects: [],
});
const wishRestart: Rule<EventOf<'restart'>> = (service) => ({
  next: { ...service, want: service.want === 'once' ? 'once' : 'up', ordered: true },
  effects: [],
});
const wishDown: Rule<EventOf<'down'>> = (service, event) => ({
  next: { ...service, want: 'down', deadline: earlier(service.deadline, event.killBy) },
  effects: [],
});

/** An order forgets the crashes before it. */
const startAfresh: Rule<EventOf<'up'> | EventOf<'restart'>> = (service, event, _config, now) =>
  start({ ...service, want: event.type === 'up' && event.once ? 'once' : 'up', crashes: 0, delay: 0 }, now);
const stop: Rule<EventOf<'down'>> = (service, event, config, now) =>
  halt({ ...service, want: 'down' }, config, now, event.killBy);
const stopForRestart: Rule<EventOf<'restart'>> = (service, _event, config, now) => halt(service, config, now);
const goDown: Rule<EventOf<'down'>> = (service, _event, _config, now) => ({
  next: enter({ ...service, want: 'down' }, 'down', now),
  effects: [],
});
const setWant: Rule<EventOf<'up'>> = (service, event) => ({
  next: { ...service, want: event.once ? 'once' : 'up' },
  effects: [],
});
const killRun: Rule<EventOf<'kill'> | EventOf<'timeout'>> = (service, _event, _config, now) => ({
  next:
    service.is === 'stopping'
      ? { ...service, killed: true, deadline: undefined }
      : { ...enter(service, 'stopping', now), killed: true },
  effects: toChild(service, 'kill'),
});
/** The kill of a child that is not there yet waits for it. */
const killChild: Rule<EventOf<'kill'> | EventOf<'timeout'>> = (service) => ({
  next: { ...service, killed: true, deadline: undefined },
  effects: toChild(service, 'kill'),
});

const TABLE: Table = {
  down: {
    up: startAfresh,
    down: stay,
    restart: startAfresh,
    kill: stay,
    spawned: stay,
    refused: stay,
    exited: stay,
    notified: stay,
    unhealthy: stay,
    hold: stay,
    timeout: stay,
  },
  starting: {
    up: setWant,
    down: wishDown,
    restart: (service) => ({
      next: { ...service, want: service.want === 'once' ? 'once' : 'up' },
      effects: [],
    }),
    kill: killChild,
    spawned(service, { pid }, config, now) {
      const run = { ...service, pid, startedAt: now, readyAt: undefined };
      if (run.killed) return killRun(run, { type: 'kill' }, config, now);
      if (run.want === 'down') return halt(run, config, now, service.deadline);
      if (config.type === 'longrun' && !config.notifies)
        return { next: { ...enter(run, 'ready', now), readyAt: now }, effects: [] };
      const deadline = config.timeoutUp === undefined ? undefined : now + config.timeoutUp;
      return { next: { ...enter(run, 'up', now), deadline }, effects: [] };
    },
    refused: (service, { code, reason }, config, now) =>
      died({ ...service, startedAt: now, readyAt: undefined }, { code, signal: 0 }, reason, config, now),
    exited: stay,
    notified: stay,
    unhealthy: stay,
    hold: (service, { until }, _config, now) => ({
      next: { ...enter(service, 'backoff', now), deadline: until },
      effects: [],
    }),
    timeout: killChild,
  },
  up: {
    up: setWant,
    down: stop,
    restart: stopForRestart,
    kill: killRun,
    spawned: stay,
    refused: stay,
    exited: (service, event, config, now) => died(service, event, event.reason, config, now),
    notified: (service, _event, config, now) =>
      config.type === 'oneshot'
        ? { next: service, effects: [] }
        : { next: { ...enter(service, 'ready', now), readyAt: now }, effects: [] },
    unhealthy: stay,
    hold: stay,
    timeout: (service, _event, config, now) => halt({ ...service, fault: 'timeout-up' }, config, now),
  },
  ready: {
    up: setWant,
    down: stop,
    restart: stopForRestart,
    kill: killRun,
    spawned: stay,
    refused: stay,
    exited: (service, event, config, now) => died(service, event, event.reason, config, now),
    notified: stay,
    unhealthy: (service, _event, config, now) => halt({ ...service, fault: 'health' }, config, now),
    hold: stay,
    timeout: stay,
  },
  done: {
    up: setWant,
    down: goDown,
    restart: startAfresh,
    kill: stay,
    spawned: stay,
    refused: stay,
    exited: stay,
    notified: stay,
    unhealthy: stay,
    hold: stay,
    timeout: stay,
  },
  stopping: {
    up: wish,
    down: wishDown,
    restart: wishRestart,
    kill: killRun,
    spawned: stay,
    refused: stay,
    exited: (service, event, config, now) => died(service, event, service.fault ?? event.reason, config, now),
    notified: stay,
    unhealthy: stay,
    hold: stay,
    timeout: killRun,
  },
  finishing: {
    up: wish,
    down: wishDown,
    restart: wishRestart,
    kill: killChild,
    spawned: (service, { pid }, config, now) => {
      if (service.killed) return killChild({ ...service, pid }, { type: 'kill' }, config, now);
      const limit = config.timeoutFinish === undefined ? undefined : now + config.timeoutFinish;
      return { next: { ...service, pid, deadline: earlier(service.deadline, limit) }, effects: [] };
    },
    refused: (service, _event, config, now) => settle(service, undefined, config, now),
    exited: (service, { code }, config, now) => settle(service, code, config, now),
    notified: stay,
    unhealthy: stay,
    hold: stay,
    timeout: killChild,
  },
  backoff: {
    up: startAfresh,
    down: goDown,
    restart: startAfresh,
    kill: stay,
    spawned: stay,
    refused: stay,
    exited: stay,
    notified: stay,
    unhealthy: stay,
    hold: stay,
    timeout: (service, _event, _config, now) => start(service, now),
  },
  failed: {
    up: startAfresh,
    down: goDown,
    restart: startAfresh,
    kill: stay,
    spawned: stay,
    refused: stay,
    exited: stay,
    notified: stay,
    unhealthy: stay,
    hold: stay,
    timeout: stay,
  },
};

/** What cannot be executed is not tried more often than this, whatever `restart-delay` says. */
const REFUSED_LEAST: Ms = 100;
/** Without a greatest delay, a run of this length breaks the row of crashes. */
const FORGIVEN_LEAST: Ms = 1000;

/** `finish` exits with this to say: do not start it again (s6). */
export const FINISH_NO_RESTART = 125;

function enter(service: Service, is: State, now: Ms): Service {
  return { ...service, is, since: now, deadline: undefined };
}

function start(service: Service, now: Ms): Step {
  const next = { ...enter(service, 'starting', now), ordered: false, pid: undefined, killed: false };
  return { next, effects: [{ do: 'run' }] };
}

/** Tells a living run to stop, and when it will be killed. */
function halt(service: Service, config: LifeConfig, now: Ms, killBy?: Ms): Step {
  const patience = config.timeoutKill === undefined ? undefined : now + config.timeoutKill;
  return {
    next: { ...enter(service, 'stopping', now), deadline: earlier(patience, killBy) },
    effects: toChild(service, 'term'),
  };
}

function toChild({ pid }: Service, what: 'term' | 'kill'): Effect[] {
  return pid === undefined ? [] : [{ do: what, pid }];
}

/** The end of a run: what it was, what it adds to the row of crashes, and on to `finish`. */
function died(
  service: Service,
  status: { code: number; signal: number },
  reason: string | undefined,
  config: LifeConfig,
  now: Ms,
): Step {
  const asked = service.is === 'stopping' && service.fault === undefined;
  const clean = status.code === 0 && status.signal === 0;
  const death: Death = {
    kind: asked ? 'stopped' : clean && reason === undefined ? 'ended' : 'crash',
    code: status.signal === 0 ? status.code : 256,
    signal: status.signal,
    ranMs: now - service.startedAt,
    reason,
    pgid: service.pid,
  };
  const next = {
    ...backoff(service, death, config, now),
    death,
    pid: undefined,
    fault: undefined,
  };
  if (!config.hasFinish || death.pgid === undefined) return settle(next, undefined, config, now);
  return { next: { ...enter(next, 'finishing', now), killed: false }, effects: [{ do: 'finish', death }] };
}

/**
 * The row of crashes and the delay after this death. A run that lasted at least the least delay starts again at once;
 * otherwise the delay doubles up to the greatest. Both are forgotten once the service stayed ready for the greatest.
 */
function backoff(service: Service, death: Death, config: LifeConfig, now: Ms): Service {
  if (death.kind === 'stopped') return service;
  const { min, max } = config.restartDelay;
  const before = isForgiven(service, config, now) ? { crashes: 0, delay: 0 } : service;
  const crashes = death.kind === 'crash' ? before.crashes + 1 : 0;
  if (death.pgid !== undefined && death.ranMs >= min)
    return { ...service, crashes, delay: before.delay, notBefore: now };
  // A delay of 0 is a wish for speed, not for a loop over what cannot be executed at all.
  const least = death.pgid === undefined ? REFUSED_LEAST : 0;
  const delay = before.delay === 0 ? Math.max(min, least) : Math.min(before.delay * 2, Math.max(max, least));
  return { ...service, crashes, delay, notBefore: now + delay };
}

/** After `finish`, or where there is none: carries out the verdict. */
function settle(service: Service, finishCode: number | undefined, config: LifeConfig, now: Ms): Step {
  const death = service.death;
  if (!death) return { next: enter(service, 'down', now), effects: [] };
  const refused = finishCode === FINISH_NO_RESTART && service.want !== 'down';
  const to = refused ? withoutRestart(death, config) : verdict(service, config, now);

  const effects: Effect[] = [];
  if (death.pgid !== undefined) effects.push({ do: 'sweep', pgid: death.pgid });
  let next: Service;
  if (to.to === 'restart' && to.delayMs === 0) {
    const started = start(service, now);
    next = started.next;
    effects.push(...started.effects);
  } else if (to.to === 'restart') {
    next = { ...enter(service, 'backoff', now), pid: undefined, deadline: now + to.delayMs };
  } else {
    const asked = service.want === 'down';
    const want: Want = to.to === 'down' ? 'down' : service.want;
    next = { ...enter(service, to.to, now), pid: undefined, want };
    // Ahead of `over`, which may stop the tree, and with it the hooks of crashes.
    if (death.kind === 'crash') effects.push({ do: 'crashed', death, next: to });
    if (!asked && to.to !== 'done') effects.push({ do: 'over', death });
    return { next, effects };
  }
  // Behind `run`: a hook delays no restart.
  if (death.kind === 'crash') effects.push({ do: 'crashed', death, next: to });
  return { next, effects };
}

/** What becomes of a death whose finish script said: do not start it again. */
function withoutRestart(death: Death, config: LifeConfig): Verdict {
  if (death.kind === 'crash') return { to: 'failed' };
  return { to: death.kind === 'ended' && config.type === 'oneshot' ? 'done' : 'down' };
}

function earlier(a: Ms | undefined, b: Ms | undefined): Ms | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : Math.min(a, b);
}
