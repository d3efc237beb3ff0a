/** One run of the adversary: step after step, with calms in which all must be well again, and ends of whole trees. */
import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { EventRecord, Status } from '../../src/control/protocol.ts';
import { type Arena, freshDisk, restoreScandir } from './arena.ts';
import { Book } from './book.ts';
import { ask } from './client.ts';
import type { ConsulSide } from './consul-side.ts';
import { CONSUL_FAULTS } from './faults/consul.ts';
import { CONTROL_FAULTS } from './faults/control.ts';
import { PROCESS_FAULTS } from './faults/processes.ts';
import { RESOURCE_FAULTS } from './faults/resources.ts';
import { SURROUNDING_FAULTS } from './faults/surroundings.ts';
import { Judge } from './judge.ts';
import { Ledger } from './ledger.ts';
import { descriptorsOf, kill, statusOf } from './processes.ts';
import { type Random, randomOfStep } from './random.ts';
import type { Company } from './services.ts';
import { STOP_TIMEOUT_MS, Subject } from './subject.ts';
import { Truth } from './truth.ts';
import type { Verdicts } from './verdicts.ts';
import { Watch } from './watch.ts';
import { type Fault, Held, patience, pause, type World } from './world.ts';

export interface CampaignOptions {
  arena: Arena;
  company: Company;
  consul: ConsulSide;
  verdicts: Verdicts;
  seed: number;
  ms: number;
  /** Each step as it is made. */
  log: (line: string) => void;
}

const FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...RESOURCE_FAULTS,
  ...SURROUNDING_FAULTS,
  ...CONTROL_FAULTS,
  ...CONSUL_FAULTS,
];
/** As it is, and with the services' output through pipes of ours. */
const MODES: readonly (readonly string[])[] = [[], ['--log-prefix'], ['--capture']];
const MOST_PAUSE_MS = 120;
const CALM_EVERY = 60;
const STOP_EVERY = 170;
/** A new tree that is stopped before it has come up. */
const EARLY = 0.25;
const EARLY_MS = 600;
/** All that should be up is, by then: far more than the greatest delay, as the machine may be busy with others. */
export const CALM_MS = 45_000;
/** Beyond the budget: the machine's own time. */
const STOP_SLACK_MS = 1500;
const ORDER_FORGOTTEN_MS = 10_000;
const MORE_DESCRIPTORS = 6;
const MORE_RSS = 1.5;
const RSS_KB = 40_000;

export class Campaign {
  readonly #options: CampaignOptions;
  readonly #world: World;
  readonly #watch: Watch;
  #judge: Judge;
  #truth: Truth;
  readonly #begun = performance.now();
  #epoch = 0;
  /** Of this tree, at its first calm. */
  #first: { descriptors: number; rss: number } | undefined;
  readonly figures = { slowestReturn: 0, slowestStop: 0, trees: 0, calms: 0, mostRss: 0, connections: 0 };
  readonly noise: string[] = [];
  #over = false;

  constructor(options: CampaignOptions) {
    this.#options = options;
    const { arena, company, consul, verdicts } = options;
    const parts = this.#newTree(MODES[0] ?? []);
    this.#judge = parts.judge;
    this.#truth = parts.truth;
    this.#world = { arena, company, consul, verdicts, held: new Held(), errands: [], ...parts };
    this.#watch = new Watch(this.#world);
  }

  get slowestAnswer(): number {
    return this.#watch.slowestAnswer;
  }

  get lastEvents(): readonly EventRecord[] {
    return this.#world.subject.follower.events.slice(-80);
  }

  /** Until the time is over, or something is not as it must be. */
  async run(): Promise<void> {
    const { ms, seed, verdicts } = this.#options;
    const end = performance.now() + ms;
    await this.#world.subject.appear(true);
    await this.#calm();
    for (let step = 1; performance.now() < end && !verdicts.violation && !this.#over; step++) {
      const random = randomOfStep(seed, step);
      await Promise.race([this.#step(step, random), verdicts.violated]);
      await Promise.race([pause(random.from(0, MOST_PAUSE_MS)), verdicts.violated]);
    }
    if (verdicts.violation) return;
    await Promise.race([this.#calm(), verdicts.violated]);
    if (!verdicts.violation) await this.#stop('TERM', undefined);
  }

  /** Ends the run ahead of its time. */
  interrupt(): void {
    this.#over = true;
  }

  async close(): Promise<void> {
    this.#watch.close();
    this.#world.subject.kill();
    await this.#world.held.releaseAll();
    await this.#world.subject.ended;
    this.#world.subject.close();
  }

  async #step(step: number, random: Random): Promise<void> {
    if (step % CALM_EVERY === 0) {
      this.#note(step, 'calm', 'all faults end');
      return this.#calm();
    }
    if (step % STOP_EVERY === STOP_EVERY - 1) return this.#stopAndStart(step, random);
    const fault = random.weighted(FAULTS);
    if (fault.holds !== undefined && this.#world.held.has(fault.holds)) return;
    const what = await fault.act(this.#world, random);
    this.#options.verdicts.did(fault.name);
    this.#note(step, fault.name, what);
  }

  #note(step: number, fault: string, what: string): void {
    const at = Math.round(performance.now() - this.#begun);
    this.#options.verdicts.steps.push({ step, at, fault, what });
    this.#options.log(`${step} +${at} ms ${fault}: ${what}`);
  }

  #newTree(args: readonly string[]): {
    subject: Subject;
    ledger: Ledger;
    book: Book;
    judge: Judge;
    truth: Truth;
  } {
    const { arena, company, consul, verdicts } = this.#options;
    const book = new Book();
    const ledger = new Ledger();
    const subject = new Subject({
      arena,
      epoch: ++this.#epoch,
      consul: consul.address,
      args,
      event: (event) => {
        appendFileSync(join(arena.directory, `events-${this.#epoch}`), `${JSON.stringify(event)}\n`);
        book.take(event);
        this.#hear(event.event, JSON.stringify(event));
      },
      noise: (line) => this.#hearNoise(line, ledger),
    });
    const truth = new Truth(subject.truth);
    const judge = new Judge({ natures: company.natures, book, truth, ledger, verdicts });
    this.#first = undefined;
    return { subject, ledger, book, judge, truth };
  }

  #hear(event: string, whole: string): void {
    if (['survived a mistake', 'mishandled an event', 'mishandled a request'].includes(event))
      this.#options.verdicts.violate('no mistake of its own', 'none', whole);
  }

  #hearNoise(line: string, ledger: Ledger): void {
    if (line.startsWith('{')) {
      this.#hear(/"msg":"([^"]*)"/.exec(line)?.[1] ?? '', line);
      return;
    }
    this.noise.push(line);
    if (!/\bError\b|unhandled|FATAL|Assertion|^\s+at .*:\d+:\d+\)?$|node:internal/i.test(line)) return;
    const now = performance.now();
    // A Node that finds no thread, no descriptor says so as it dies: the templater, which is started again.
    if (!ledger.suffered(['no descriptors', 'no processes', 'no disk'], now - 3000, now))
      this.#options.verdicts.violate('no exception on stderr', 'none', line);
  }

  /** All faults end; then all that should be up comes back, and what was told agrees. */
  async #calm(): Promise<void> {
    const world = this.#world;
    const { subject, ledger, consul, verdicts, book } = world;
    await world.held.releaseAll();
    await Promise.all(world.errands.splice(0));
    consul.fault({ type: 'none' });
    await consul.put();
    const from = performance.now();
    for (;;) {
      const unwell = await this.#unwell();
      const took = performance.now() - from;
      if (unwell.length === 0) {
        this.figures.slowestReturn = Math.max(this.figures.slowestReturn, took);
        break;
      }
      if (took > patience(CALM_MS)) {
        verdicts.violate(
          'what is wanted comes back',
          `all of it within ${Math.round(patience(CALM_MS))} ms of calm`,
          unwell.join('; '),
        );
        return;
      }
      if (verdicts.violation) return;
      await pause(100);
    }
    verdicts.checked('what is wanted comes back');
    for (const [name, at] of ledger.unwanted)
      if (performance.now() - at > ORDER_FORGOTTEN_MS) ledger.unwanted.delete(name);
    book.resigned.clear();
    this.figures.calms++;
    await this.#measure();
    if (subject.follower.lost === 0) this.#judge.judge(false);
    else verdicts.checked('events that were lost to us, so not judged', subject.follower.lost);
  }

  /** What is not as it should be by now, in words. Those that were ordered down are ordered up again. */
  async #unwell(): Promise<string[]> {
    const { subject, company, ledger, arena, consul, book } = this.#world;
    const reply = await ask(subject.socket, { do: 'status' }, 2000);
    if (!reply?.ok) return ['no answer to status'];
    const { services } = reply.data as Status;
    const unwell: string[] = [];
    // What could not be read for want of a descriptor is read when somebody says so, as after any mending.
    if (services.some(({ problem }) => problem !== null)) await ask(subject.socket, { do: 'rescan' }, 2000);
    for (const nature of company.natures.values()) {
      const status = services.find(({ name }) => name === nature.name);
      const dies = nature.name.startsWith('dies-');
      const isWell =
        status && (dies ? !['down', 'failed'].includes(status.is) : ['ready', 'done'].includes(status.is));
      if (isWell && status.wanted === 'up') continue;
      unwell.push(
        `${nature.name} is ${status?.is ?? 'not there'}, wanted ${status?.wanted}, ${status?.problem ?? ''}${status?.waitsFor ?? ''}`,
      );
      const mayBeUp = ledger.unwanted.has(nature.name) || book.resigned.has(nature.name) || nature.oneshot;
      if (
        (status && mayBeUp && ['down', 'failed'].includes(status.is)) ||
        (status?.wanted !== 'up' && mayBeUp)
      )
        await ask(subject.socket, { do: 'up', services: [nature.name] }, 2000);
    }
    if (unwell.length > 0) return unwell;
    for (const { rendered } of company.natures.values()) {
      const path = rendered && join(arena.small, 'out', rendered);
      const seen = path && existsSync(path) ? consul.generationOf(readFileSync(path, 'utf8')) : undefined;
      if (rendered && seen !== consul.generation)
        unwell.push(`${rendered} is of generation ${seen}, not ${consul.generation}`);
    }
    return unwell;
  }

  /** What PID 1 holds on to, at its least within a second. */
  async #measure(): Promise<void> {
    const { subject, verdicts } = this.#world;
    let descriptors = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 10; i++) {
      descriptors = Math.min(descriptors, descriptorsOf(subject.pid));
      if (this.#first && descriptors <= this.#first.descriptors) break;
      await pause(100);
    }
    const rss = Number.parseInt(statusOf(subject.pid, 'VmRSS') ?? '0', 10);
    this.figures.mostRss = Math.max(this.figures.mostRss, rss);
    this.#first ??= { descriptors, rss };
    const { first } = { first: this.#first };
    if (descriptors > first.descriptors + MORE_DESCRIPTORS)
      verdicts.violate('descriptors do not grow', `${first.descriptors} or so`, String(descriptors));
    if (rss > first.rss * MORE_RSS + RSS_KB)
      verdicts.violate('memory does not grow', `${first.rss} kB or so`, `${rss} kB`);
    verdicts.checked('descriptors and memory do not grow');
  }

  async #stopAndStart(step: number, random: Random): Promise<void> {
    const way = random.pick(['TERM', 'TERM', 'INT', 'stop', 'twice'] as const);
    const second = random.from(0, 1500);
    this.#note(
      step,
      'the whole tree is stopped',
      way === 'twice' ? `TERM, and again after ${second} ms` : way,
    );
    await this.#stop(way, second);
    if (this.#options.verdicts.violation) return;
    await this.#start(random.pick(MODES));
    if (!random.chance(EARLY)) return;
    const ms = random.from(0, EARLY_MS);
    await pause(ms);
    this.#note(step, 'a tree is stopped as it comes up', `after ${ms} ms`);
    await this.#stop('TERM', undefined);
    if (!this.#options.verdicts.violation) await this.#start(random.pick(MODES));
  }

  async #start(args: readonly string[]): Promise<void> {
    const world = this.#world;
    const parts = this.#newTree(args);
    this.#judge = parts.judge;
    this.#truth = parts.truth;
    Object.assign(world, { subject: parts.subject, ledger: parts.ledger, book: parts.book });
    await world.subject.appear(true);
  }

  async #stop(way: 'TERM' | 'INT' | 'stop' | 'twice', second: number | undefined): Promise<void> {
    const world = this.#world;
    const { subject, verdicts, held, ledger, arena } = world;
    // What is stopped itself can stop nobody.
    await held.release('frozen');
    if (way === 'stop')
      for (const what of ['runtime', 'crowd', 'deaf clients', 'descriptors']) await held.release(what);
    if (subject.end)
      return verdicts.violate('PID 1 is alive', 'it is', `exit ${subject.end.code}, ${subject.end.signal}`);
    subject.isStopping = true;
    verdicts.did(`the whole tree is stopped: ${way}`);
    const from = performance.now();
    if (way === 'stop') void ask(subject.socket, { do: 'stop' }, STOP_TIMEOUT_MS * 2);
    else kill(subject.pid, way === 'INT' ? 2 : 15);
    if (way === 'twice') setTimeout(() => subject.isAlive && kill(subject.pid, 15), second);
    const most = STOP_TIMEOUT_MS + patience(STOP_SLACK_MS);
    const end = await Promise.race([subject.ended, pause(most)]);
    if (!end)
      return verdicts.violate(
        'a stop ends within its budget',
        `within ${STOP_TIMEOUT_MS} ms`,
        `still there after ${Math.round(most)} ms`,
      );
    const took = end.at - from;
    this.figures.slowestStop = Math.max(this.figures.slowestStop, took);
    this.figures.trees++;
    verdicts.checked('a stop ends within its budget');
    if (end.signal !== null || ![0, 137].includes(end.code ?? -1))
      verdicts.violate('a stop exits with 0 or 137', '0 or 137', end.signal ?? `exit ${end.code}`);
    this.#lookForLeftOvers();
    for (let i = 0; i < 20 && !subject.follower.isWhole; i++) await pause(50);
    this.figures.connections += subject.follower.connections;
    const starved = ledger.suffered(['no descriptors', 'no processes', 'scandir'], from - 1000, end.at);
    if (subject.follower.isWhole && subject.follower.lost === 0) {
      this.#judge.judge(true);
      verdicts.checked('a whole tree is judged to its end');
    } else this.#truth.readOn([]);
    const [told, another] = this.#truth.finish;
    if (another) verdicts.violate('the finish hook is told once', 'once', this.#truth.finish.join('; '));
    if (!told && !starved && way !== 'twice')
      verdicts.violate('the finish hook is told once', 'once', 'never');
    const code = told?.split(' ')[1];
    if (told && code !== String(end.code))
      verdicts.violate('the finish hook and the exit tell the same', String(end.code), told);
    verdicts.checked('the finish hook is told once');
    await held.releaseAll();
    await Promise.all(world.errands.splice(0));
    subject.close();
    restoreScandir(arena);
    rmSync(join(arena.small, 'run'), { recursive: true, force: true });
    rmSync(join(arena.small, 'tmp'), { recursive: true, force: true });
    freshDisk(arena);
    if (!verdicts.violation) subject.forget();
  }

  #lookForLeftOvers(): void {
    const { arena, verdicts } = this.#world;
    if (!arena.cgroup) return;
    const left = readFileSync(join(arena.cgroup, 'cgroup.procs'), 'utf8').trim();
    if (left !== '')
      verdicts.violate('nobody is left after a stop', 'no process', left.replaceAll('\n', ' '));
    verdicts.checked('nobody is left after a stop');
  }
}
