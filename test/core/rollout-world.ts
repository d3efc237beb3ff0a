/**
 * A tree, a templater, a service and a disk, small and without time of their own: the real rules (core/rollout,
 * core/placing, core/lifecycle) with every step of the templater and every message on its own, so that a test can cut and
 * mix them at will.
 */
import {
  type Effect,
  type LifeConfig,
  newService,
  type Service,
  type Event as ServiceEvent,
  step,
} from '../../src/core/lifecycle.ts';
import type { Judgement, RenderedFile, Report } from '../../src/core/link.ts';
import { type Move, nextMove } from '../../src/core/placing.ts';
import {
  judgementOf,
  newRollout,
  type Rollout,
  type RolloutEvent,
  stepRollout,
} from '../../src/core/rollout.ts';

export const SETTLE = 1000;
export const SPACING = 100;
const CONFIG: LifeConfig = {
  type: 'longrun',
  hasFinish: false,
  notifies: true,
  restart: 'always',
  restartDelay: { min: SPACING, max: 1000 },
  restartLimit: undefined,
  timeoutUp: undefined,
  timeoutKill: 500,
  timeoutFinish: undefined,
};
export const FILES = ['a', 'b'] as const;
type File = (typeof FILES)[number];
type Contents = Record<File, string | undefined>;
type Rendered = Extract<Report, { type: 'rendered' }>;

/** What the service does with a value: `bad…` crashes it, `slow…` takes it longer than it has to become ready, `never` for ever. */
const readyAfter = (value: string): number =>
  value.startsWith('slow') ? SETTLE * 2 : value === 'never' ? 1000 * SETTLE : 20;

interface Run {
  pid: number;
  at: { time: number; event: ServiceEvent }[];
}

export class World {
  now = 0;
  value: string;
  /** A templater was killed before it had told what it mended: only that is not known to anybody any more. */
  wasKilledTwice = false;
  /** Everything crashes, whatever the config. */
  isBroken = false;
  /** It takes too long to become ready, whatever the config. */
  isSlow = false;
  /** How long after it has read what it cannot live with. */
  crashAfter = 50;
  disk: Contents = { a: undefined, b: undefined };
  previous: Record<File, { content: string | undefined } | undefined> = { a: undefined, b: undefined };
  rollout: Rollout = newRollout();
  service: Service = newService(0);
  deadline: number | undefined;
  run: Run | undefined;
  pids = 100;
  /** What the service read when it was started, or signalled. */
  runsOn: string | undefined;
  templater: Templater | undefined;
  acts: { time: number; action: string; phase: string }[] = [];
  words: string[] = [];
  /** Every generation that the service ever proved well on. */
  readonly proved = new Set<string>();
  /** Generation → its contents. */
  readonly known = new Map<string, Contents>();
  action: RenderedFile['onChange'] = 'restart';
  readonly #config: LifeConfig;
  #queue: ServiceEvent[] = [];
  #isStepping = false;

  constructor(value: string, config: Partial<LifeConfig> = {}) {
    this.value = value;
    this.#config = { ...CONFIG, ...config };
  }

  startTemplater(): void {
    if (this.templater) return;
    const judgements =
      this.rollout.generation === undefined ? [] : [judgementOf('app', this.rollout, this.now)];
    this.templater = new Templater(this, judgements[0]);
  }

  /** With all that it was about to do, and all that was on its way. */
  killTemplater(): void {
    if (this.templater?.isMending) this.wasKilledTwice = true;
    this.templater = undefined;
  }

  order(event: ServiceEvent): void {
    this.#send(event);
  }

  take(event: RolloutEvent): void {
    const around = {
      service: this.service,
      wanted: this.service.want !== 'down',
      endIsFault: true,
      settle: SETTLE,
      spacing: SPACING,
    };
    const { next, effects, deadline } = stepRollout(this.rollout, event, around, this.now);
    this.rollout = next;
    if (next.good !== undefined) this.proved.add(next.good);
    this.deadline = deadline;
    for (const effect of effects) {
      if (effect.do === 'say') this.words.push(effect.what);
      if (effect.do === 'tell') this.templater?.inbox.push(judgementOf('app', next, this.now));
      if (effect.do !== 'act') continue;
      for (const action of effect.actions) {
        this.acts.push({ time: this.now, action, phase: next.phase });
        if (action === 'restart') this.#send({ type: 'restart' });
        else if (this.run) {
          this.runsOn = this.#read();
          this.#behave(this.run, this.now);
        }
      }
    }
  }

  /** Delivers what the templater said. */
  hear(report: Rendered): void {
    const first = this.rollout.generation === undefined;
    this.take({
      type: 'rendered',
      files: report.files,
      generation: report.generation,
      canGoBack: report.canGoBack ?? false,
      mended: report.mended ?? false,
    });
    if (first && this.service.want === 'down') this.#send({ type: 'up' });
  }

  /** Lets time pass; everything that is due happens when it is. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const due = [
        this.deadline,
        this.service.deadline,
        ...(this.run?.at.map(({ time }) => time) ?? []),
      ].filter((time) => time !== undefined);
      const next = Math.min(...due, end);
      this.now = Math.max(this.now, next);
      if (next >= end && !due.some((time) => time <= end)) return;
      if (this.deadline !== undefined && this.deadline <= this.now) {
        this.deadline = undefined;
        this.take({ type: 'timeout' });
      }
      if (this.service.deadline !== undefined && this.service.deadline <= this.now)
        this.#send({ type: 'timeout' });
      const { run } = this;
      const happening = run?.at.filter(({ time }) => time <= this.now) ?? [];
      if (run) run.at = run.at.filter(({ time }) => time > this.now);
      for (const { event } of happening) if (this.run === run) this.#send(event);
    }
  }

  #read(): string {
    return FILES.map((file) => this.disk[file]).join('+');
  }

  #behave(run: Run, from: number): void {
    const values = (this.runsOn ?? '').split('+');
    if (this.isBroken || values.some((value) => value.startsWith('bad')))
      run.at.push({ time: from + this.crashAfter, event: { type: 'exited', code: 3, signal: 0 } });
    else if (this.service.is !== 'ready')
      run.at.push({
        time: from + Math.max(...values.map(readyAfter), this.isSlow ? 2 * SETTLE : 0),
        event: { type: 'notified' },
      });
  }

  #send(event: ServiceEvent): void {
    this.#queue.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) this.#step(next);
    this.#isStepping = false;
  }

  #step(event: ServiceEvent): void {
    const before = this.service;
    if (event.type === 'exited') this.run = undefined;
    const { next, effects } = step(before, event, this.#config, this.now);
    this.service = next;
    for (const effect of effects) this.#perform(effect);
    if (next === before) return;
    if (next.death && next.death !== before.death) this.take({ type: 'died', death: next.death });
    this.take({ type: 'changed', before });
  }

  #perform(effect: Effect): void {
    if (effect.do === 'run') {
      this.run = { pid: this.pids++, at: [] };
      this.runsOn = this.#read();
      this.#send({ type: 'spawned', pid: this.run.pid });
      this.#behave(this.run, this.now);
    }
    if (effect.do === 'term')
      this.run?.at.push({ time: this.now + 10, event: { type: 'exited', code: 0, signal: 15 } });
    if (effect.do === 'kill')
      this.run?.at.push({ time: this.now, event: { type: 'exited', code: 0, signal: 9 } });
  }
}

/** The templater, as `templater/unit.ts` does it, one call to the disk at a time. */
export class Templater {
  readonly inbox: Judgement[] = [];
  readonly outbox: Rendered[] = [];
  readonly #world: World;
  #judgement: Judgement | undefined;
  #steps: (() => void)[] = [];
  #inPlace: Contents;
  #told = '';
  #wasTorn = false;

  constructor(world: World, judgement: Judgement | undefined) {
    this.#world = world;
    this.#judgement = judgement;
    this.#inPlace = { ...world.disk };
    // What was left half-done is undone first.
    if (this.#hasPrevious && judgement?.seen !== nameOf(this.#inPlace)) {
      this.#takeBack();
      this.#wasTorn = true;
    }
  }

  get isMending(): boolean {
    return this.#wasTorn || this.outbox.some(({ mended }) => mended);
  }

  get isIdle(): boolean {
    const waits = ['wait', 'refuse', 'rest'].includes(this.#move());
    return waits && !this.isMending && this.#steps.length + this.inbox.length + this.outbox.length === 0;
  }

  /** The next small step. */
  work(): void {
    const next = this.#steps.shift();
    if (next) {
      next();
      return;
    }
    const move = this.#move();
    if (move === 'place') this.#place();
    else if (move === 'take back') this.#takeBack();
    else if (move === 'forget') this.#forget();
    this.#steps.push(() => this.#tell());
  }

  /** To all that was said meanwhile: the last word counts. */
  listen(): void {
    this.#judgement = this.inbox.splice(0).at(-1) ?? this.#judgement;
  }

  speak(): void {
    const report = this.outbox.shift();
    if (report) this.#world.hear(report);
  }

  get #hasPrevious(): boolean {
    return FILES.some((file) => this.#world.previous[file]);
  }

  get #previous(): Contents {
    const { previous } = this.#world;
    const of = (file: File): string | undefined =>
      previous[file] ? previous[file].content : this.#inPlace[file];
    return { a: of('a'), b: of('b') };
  }

  #move(): Move {
    const { value } = this.#world;
    return nextMove({
      inPlace: nameOf(this.#inPlace),
      candidate: nameOf({ a: value, b: value }),
      previous: this.#hasPrevious ? nameOf(this.#previous) : undefined,
      isStuck: false,
      judgement: this.#judgement,
    });
  }

  #place(): void {
    const world = this.#world;
    const { value } = world;
    for (const file of FILES)
      this.#steps.push(() => {
        world.previous[file] ??= { content: world.disk[file] };
      });
    for (const file of FILES)
      this.#steps.push(() => {
        world.disk[file] = value;
      });
    this.#steps.push(() => {
      this.#inPlace = { a: value, b: value };
      world.known.set(nameOf(this.#inPlace), this.#inPlace);
      if (typeof this.#judgement?.seen !== 'string') this.#forget();
    });
  }

  #takeBack(): void {
    const world = this.#world;
    for (const file of FILES)
      this.#steps.push(() => {
        const kept = world.previous[file];
        if (kept) world.disk[file] = kept.content;
        world.previous[file] = undefined;
      });
    this.#steps.push(() => {
      this.#inPlace = { ...world.disk };
    });
  }

  #forget(): void {
    for (const file of FILES)
      this.#steps.push(() => {
        this.#world.previous[file] = undefined;
      });
  }

  #tell(): void {
    const { a, b } = this.#inPlace;
    if (a === undefined || b === undefined) return;
    const { action } = this.#world;
    const files = FILES.map((file) => ({
      dest: file,
      digest: String(this.#inPlace[file]),
      onChange: action,
    }));
    const generation = nameOf(this.#inPlace);
    const report = {
      type: 'rendered' as const,
      service: 'app',
      files,
      generation,
      canGoBack: this.#hasPrevious,
      mended: this.#wasTorn,
    };
    if (JSON.stringify(files) === this.#told && !this.#wasTorn) return;
    this.#wasTorn = false;
    this.#told = JSON.stringify(files);
    this.outbox.push(report);
  }
}

export function nameOf({ a, b }: Contents): string {
  return `${a}+${b}`;
}
