import type { Action } from './core/action.ts';
import type { Ms } from './core/duration.ts';
import type { Death, Service } from './core/lifecycle.ts';
import type { Judgement } from './core/link.ts';
import {
  type Bad,
  judgementOf,
  newRollout,
  type Rollout,
  type RolloutEffect,
  type RolloutEvent,
  stepRollout,
} from './core/rollout.ts';
import type { RenderedReport } from './gate.ts';
import { Alarm, now } from './os/clock.ts';
import type { ServiceRunner } from './service.ts';

/** What the rollouts ask of the tree. */
export interface RolloutHost {
  /** A service of the tree, and whether it is meant to run and waits for nothing. */
  find(name: string): { runner: ServiceRunner; wanted: boolean } | undefined;
  /** Does something to a service that runs, or starts one that does not. */
  act(runner: ServiceRunner, action: Action): void;
  judged(judgement: Judgement): void;
}

/** The config of a service as `status` shows it. */
export interface ConfigStatus {
  /** Names the contents of all its files. */
  generation: string | null;
  state: Rollout['phase'];
  since: Ms;
  /** The files that it was well on before are kept. */
  canGoBack: boolean;
  /** What was judged bad last, and why; null once another has proved good. */
  bad: Bad | null;
}

interface Entry {
  rollout: Rollout;
  alarm: Alarm;
  /** Wall-clock time of the last change of phase or generation, for people. */
  changedAt: number;
  /** What was judged bad last, until another proves good. */
  lastBad: Bad | undefined;
  /** When what is in place was judged bad; undefined while it is not. */
  badSince: Ms | undefined;
}

/**
 * The rollouts of all services with templates: events → core/rollout → effects. Knows which content each service runs on;
 * the templater knows the content itself.
 */
export class Rollouts {
  readonly #settle: Ms;
  readonly #host: RolloutHost;
  readonly #entries = new Map<string, Entry>();

  constructor(settle: Ms, host: RolloutHost) {
    this.#settle = settle;
    this.#host = host;
  }

  /** The templater says which files a service has. */
  rendered({ service, files, generation, canGoBack = false, mended = false }: RenderedReport): void {
    const entry = this.#entries.get(service) ?? this.#add(service);
    this.#step(service, entry, { type: 'rendered', files, generation, canGoBack, mended });
  }

  /** A service changed. */
  changed(name: string, before: Service): void {
    const entry = this.#entries.get(name);
    if (!entry) return;
    this.#step(name, entry, { type: 'changed', before });
  }

  /** A run of a service ended; told of ahead of all that follows from it. */
  died(name: string, death: Death): void {
    const entry = this.#entries.get(name);
    if (entry) this.#step(name, entry, { type: 'died', death });
  }

  /** Since when the templater has been asked to put the previous files of a service back; undefined when it has not. */
  takingBackSince(name: string): Ms | undefined {
    const entry = this.#entries.get(name);
    return entry?.rollout.canGoBack ? entry.badSince : undefined;
  }

  /** The previous files of a service are back, and it is yet to be started on them. */
  isBack(name: string): boolean {
    const rollout = this.#entries.get(name)?.rollout;
    return rollout?.phase === 'recovering' && rollout.from === undefined;
  }

  /** Somebody has looked into what was bad: it may be tried again. */
  forgive(): void {
    for (const [name, entry] of this.#entries) this.#step(name, entry, { type: 'forgiven' });
  }

  /** The service is gone; one that comes by its name begins anew. */
  forget(name: string): void {
    const entry = this.#entries.get(name);
    if (!entry) return;
    entry.alarm.arm(undefined);
    this.#entries.delete(name);
    this.#host.judged(judgementOf(name, newRollout(), now()));
  }

  judgements(): Judgement[] {
    return [...this.#entries].map(([name, { rollout }]) => judgementOf(name, rollout, now()));
  }

  statusOf(name: string): ConfigStatus | undefined {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    const { phase, generation, canGoBack } = entry.rollout;
    return {
      generation: generation ?? null,
      state: phase,
      since: entry.changedAt,
      canGoBack,
      bad: entry.lastBad ?? null,
    };
  }

  #add(name: string): Entry {
    const alarm = new Alarm(() => {
      alarm.arm(undefined);
      this.#step(name, entry, { type: 'timeout' });
    });
    const entry: Entry = {
      rollout: newRollout(),
      alarm,
      changedAt: Date.now(),
      lastBad: undefined,
      badSince: undefined,
    };
    this.#entries.set(name, entry);
    return entry;
  }

  #step(name: string, entry: Entry, event: RolloutEvent): void {
    const found = this.#host.find(name);
    if (!found || this.#entries.get(name) !== entry) return;
    const { runner, wanted } = found;
    const { restart, restartDelay, type } = runner.config;
    const around = {
      service: runner.service,
      wanted,
      endIsFault: restart === 'always' && type === 'longrun',
      settle: this.#settle,
      spacing: restartDelay.min,
    };
    const before = entry.rollout;
    const { next, effects, deadline } = stepRollout(before, event, around, now());
    entry.rollout = next;
    const isNews = next.good !== before.good;
    if (next.phase !== 'bad') entry.badSince = undefined;
    else if (before.phase !== 'bad') entry.badSince = now();
    if (next.phase === 'bad') entry.lastBad = next.bad.at(-1);
    else if (isNews && before.phase !== 'recovering') entry.lastBad = undefined;
    else if (entry.lastBad && !next.bad.includes(entry.lastBad)) entry.lastBad = undefined;
    if (next.phase !== before.phase || next.generation !== before.generation) entry.changedAt = Date.now();
    entry.alarm.arm(deadline);
    // Words first: to act can bring the next event at once.
    for (const effect of effects) if (effect.do === 'say') say(runner, next, effect);
    if (effects.some((effect) => effect.do === 'tell')) this.#host.judged(judgementOf(name, next, now()));
    for (const effect of effects)
      if (effect.do === 'act') for (const action of effect.actions) this.#host.act(runner, action);
  }
}

function say(
  { log }: ServiceRunner,
  { generation }: Rollout,
  effect: Extract<RolloutEffect, { do: 'say' }>,
): void {
  switch (effect.what) {
    case 'changed':
      log.info('config changed', { action: effect.actions.join(', '), generation });
      break;
    case 'proved good':
      log.info('config proved good', { generation });
      break;
    case 'judged bad':
      log.error('config judged bad', { ...effect.bad, next: 'the previous files come back' });
      break;
    case 'taken back':
      log.warn('config taken back', { generation });
      break;
    case 'forgiven':
      log.info('bad config allowed again', { generation: effect.bad.generation });
      break;
    case 'cleared':
      log.warn('config not to blame', {
        generation: effect.bad.generation,
        cause: 'the service is in trouble on the previous files too',
      });
      break;
  }
}
