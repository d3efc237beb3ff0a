import type { Ms } from '../core/duration.ts';
import type { Judgement, RenderedFile } from '../core/link.ts';
import { type Move, nextMove } from '../core/placing.ts';
import { causeOf, describe, UserError } from '../errors.ts';
import { digestOf, ifThere, readPlainFile, syncDirectory } from './disk.ts';
import { fail, type Job, mend, retryLater } from './job.ts';
import { followLinks } from './place.ts';
import type { Previous } from './previous.ts';
import { isRefused, type Ready, type StagingOptions, stageAll } from './staging.ts';
import { generationOf, removeLeftovers } from './write.ts';

/** A take-back that failed is tried again after this long. */
const TAKE_BACK_AGAIN: Ms = 1000;

/** A previous file, and where it is kept: a template may have another destination by now. */
interface Kept {
  dest: string;
  /** Undefined where there was none. */
  file: RenderedFile | undefined;
}

export interface UnitOptions extends StagingOptions {
  service: string;
  previous: Previous;
  /** Has jobs rendered again, and the unit looked at even if there are none. */
  again: (unit: Unit, jobs: Iterable<Job>) => void;
}

/**
 * The files of one service, which are put in place together or not at all. What the tree says of how the service lives
 * with them decides what may be done (core/placing.ts); one thing is done at a time.
 */
export class Unit {
  readonly service: string;
  jobs: readonly Job[] = [];
  /** What the tree last said. */
  judgement: Judgement | undefined;
  /** Why what is rendered is kept out, in words. */
  heldBack: string | undefined;
  /** Half of a generation had been in place: still to be told. */
  wasTorn = false;
  /** Whether something is being done to it. */
  isBusy = false;
  /** Something happened that may allow the next move. */
  isDue = false;
  readonly #options: UnitOptions;
  /** Rendered, and not in place: to be rendered again, with the values of then, when something has changed. */
  readonly #kept = new Set<Job>();
  /** Of each job whose previous file is kept, that file. */
  readonly #previous = new Map<Job, Kept>();
  /** Directories in which something was put in place: it has yet to survive a power cut. */
  readonly #unsynced = new Set<string>();
  #isGone = false;
  #isStuck = false;
  #actedAt: Ms | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stuckTimer: NodeJS.Timeout | undefined;

  constructor(options: UnitOptions) {
    this.#options = options;
    this.service = options.service;
  }

  /** Jobs that must be rendered with any other of this service. */
  get kept(): ReadonlySet<Job> {
    return this.#kept;
  }

  /** Whether the service has been started on its files: what is missing then, is missing to a change. */
  get isOpen(): boolean {
    return typeof this.judgement?.seen === 'string';
  }

  /** The tree has said how the config stands. */
  heard(judgement: Judgement): void {
    this.judgement = judgement;
    if (judgement.actedMsAgo !== null) this.#actedAt = performance.now() - judgement.actedMsAgo;
    this.#options.again(this, this.#kept);
  }

  /** The files as they are; undefined while one of them is still to be rendered for the first time. */
  get files(): RenderedFile[] | undefined {
    const isComplete = this.jobs.every((job) => job.placed);
    return isComplete || this.isOpen ? this.#inPlace() : undefined;
  }

  /** The files from before, where there is one for every template. */
  get stale(): RenderedFile[] | undefined {
    const files = this.#inPlace();
    return files.length === this.jobs.length ? files : undefined;
  }

  get canGoBack(): boolean {
    return this.#previous.size > 0;
  }

  /** Nothing more is done: we end. */
  forget(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#stuckTimer);
  }

  /** The service is gone, and nobody will go back to what it was well on. */
  async remove(): Promise<void> {
    this.forget();
    this.#isGone = true;
    if (!this.isBusy) await this.#forgetPrevious();
  }

  /**
   * The templates were read.
   * @param newcomers of the jobs, those whose destination is looked at for the first time
   */
  async adopt(jobs: readonly Job[], newcomers: ReadonlySet<Job>): Promise<void> {
    const { previous } = this.#options;
    this.jobs = jobs;
    for (const job of this.#kept) if (!jobs.includes(job)) this.#kept.delete(job);
    for (const [job, { dest }] of this.#previous) {
      if (jobs.includes(job)) continue;
      this.#previous.delete(job);
      await previous.forget(dest).catch(() => {});
    }
    for (const job of jobs) {
      if (!newcomers.has(job)) continue;
      const dest = job.template.settings?.dest;
      if (dest === undefined) continue;
      await removeLeftovers(dest);
      this.#find(job);
      const kept = await previous.digest(dest).catch(() => undefined);
      if (kept !== undefined) this.#previous.set(job, { dest, file: this.#fileOf(job, kept) });
    }
  }

  /** What an earlier templater left half-done is undone: unless the tree has seen all of it, the previous files come back. */
  async mendTorn(): Promise<void> {
    if (!this.canGoBack || this.judgement?.seen === generationOf(this.#inPlace())) return;
    this.#options.log.warn('found a rollout that was cut short', { of: this.service });
    await this.#takeBack();
    this.wasTorn = true;
  }

  /** Does what the rendered contents and the tree's word ask for. Never rejects. */
  async work(rendered: ReadonlyMap<Job, Uint8Array>): Promise<void> {
    this.isBusy = true;
    this.isDue = false;
    try {
      await this.#work(rendered);
      if (this.#isGone) await this.#forgetPrevious();
    } catch (error) {
      this.#options.log.error('mishandled a rollout', { of: this.service, error: describe(error) });
    }
    this.isBusy = false;
  }

  /**
   * Has what was put in place survive a power cut; each file is whole without. To be called when what was put in place has
   * been told of: a service need not wait for the disk.
   */
  async sync(): Promise<void> {
    const directories = [...this.#unsynced];
    this.#unsynced.clear();
    await Promise.all(directories.map(syncDirectory));
  }

  /** What came while the unit was busy. */
  keep(job: Job): void {
    this.#kept.add(job);
    this.isDue = true;
  }

  async #work(rendered: ReadonlyMap<Job, Uint8Array>): Promise<void> {
    const files = new Map([...rendered].flatMap(([job, bytes]) => fileOf(job, bytes) ?? []));
    for (;;) {
      const candidate = files.size === 0 ? undefined : generationOf(this.#inPlace(files));
      const move = nextMove({
        inPlace: generationOf(this.#inPlace()),
        candidate,
        previous: this.canGoBack ? generationOf(this.#inPlace(this.#previousFiles())) : undefined,
        isStuck: this.#isStuck,
        judgement: this.judgement,
      });
      if (move === 'take back') await this.#takeBack();
      else if (move === 'forget') await this.#forgetPrevious();
      else return this.#carryOut(move, candidate ?? '', rendered, files);
    }
  }

  async #carryOut(
    move: Exclude<Move, 'take back' | 'forget'>,
    candidate: string,
    rendered: ReadonlyMap<Job, Uint8Array>,
    files: ReadonlyMap<Job, RenderedFile>,
  ): Promise<void> {
    if (files.size === 0) return;
    const early = move === 'place' ? this.#tooEarly(files) : 0;
    if (early > 0) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#options.again(this, this.#kept), early);
    }
    if (move === 'wait' || move === 'refuse' || early > 0) {
      for (const job of files.keys()) this.#kept.add(job);
      if (move === 'refuse') this.heldBack = `generation ${candidate} was taken back`;
      else this.heldBack = move === 'wait' ? undefined : 'min-interval is not over';
      return;
    }
    this.heldBack = undefined;
    for (const job of files.keys()) this.#kept.delete(job);
    // Where it is in place already, it is looked after all the same: somebody may have changed the file.
    if (await this.#place(rendered, files, move === 'place')) return;
    for (const job of files.keys()) this.#kept.add(job);
  }

  /** How long the last action is still too near, in ms. */
  #tooEarly(files: ReadonlyMap<Job, RenderedFile>): Ms {
    if (!this.isOpen || this.#actedAt === undefined) return 0;
    const changed = [...files].filter(([job, file]) => job.placed?.digest !== file.digest);
    const interval = Math.max(0, ...changed.map(([job]) => job.template.settings?.minInterval ?? 0));
    return Math.max(0, this.#actedAt + interval - performance.now());
  }

  /** Everything is staged, then checked, then put in place; where one of it fails, none is. Returns whether it was. */
  async #place(
    rendered: ReadonlyMap<Job, Uint8Array>,
    files: ReadonlyMap<Job, RenderedFile>,
    isNew: boolean,
  ): Promise<boolean> {
    const { log, again } = this.#options;
    let isWhole = true;
    const failed = (job: Job): void => {
      isWhole = false;
      retryLater(job, () => again(this, [job]));
    };
    const ready = await stageAll(rendered, files, log, failed);
    const refusals = await Promise.all(
      isNew ? ready.map((each) => isRefused(each, this.#options, failed)) : [],
    );
    if (refusals.includes(true)) isWhole = false;
    // Files of a service that waits for them need not come together: nobody reads them yet.
    const good = this.isOpen && !isWhole ? [] : ready.filter((_, index) => refusals[index] !== true);
    for (const { staged } of ready.filter((each) => !good.includes(each))) await staged.discard();
    return (await this.#commit(good, isNew)) && isWhole;
  }

  async #commit(ready: readonly Ready[], isNew: boolean): Promise<boolean> {
    const { log, previous, again } = this.#options;
    let current: Ready | undefined;
    try {
      for (const each of ready) {
        current = each;
        if (!isNew || !each.staged.changed || this.#previous.has(each.job)) continue;
        await previous.keep(each.file.dest);
        this.#previous.set(each.job, { dest: each.file.dest, file: each.job.placed ?? each.job.found });
      }
      for (const each of ready) {
        current = each;
        await each.staged.safe();
      }
      // Nothing to wait for in between: one right after the other.
      for (const each of ready) {
        current = each;
        await each.staged.commit();
      }
    } catch (error) {
      for (const { staged } of ready) await staged.discard();
      if (current) fail(current.job, log, 'could not write', describe(asWriteError(error, current)));
      for (const { job } of ready) retryLater(job, () => again(this, [job]));
      if (isNew && this.canGoBack) await this.#takeBack();
      return false;
    }
    for (const { job, file, staged, bytes } of ready) {
      if (staged.changed) this.#unsynced.add(staged.directory);
      mend(job, log);
      job.refused = undefined;
      const fields = { template: job.template.file, dest: file.dest, bytes };
      if (staged.changed) log.info('rendered', fields);
      else if (!job.placed) log.debug('found unchanged', fields);
      job.placed = file;
    }
    if (this.canGoBack && !this.isOpen) await this.#forgetPrevious();
    else if (isNew && ready.some(({ staged }) => staged.changed)) this.#actedAt = performance.now();
    return true;
  }

  /** Puts the previous files back. What cannot be put back is told, and tried again; the service has what it can run with. */
  async #takeBack(): Promise<void> {
    const { log, previous, again } = this.#options;
    let isStuck = false;
    let mayHelp = false;
    for (const [job, { dest, file }] of this.#previous) {
      try {
        await previous.restore(dest);
        this.#previous.delete(job);
        this.#kept.add(job);
        // Where nothing was rendered yet it is a file from before, for which nobody is started.
        job.found = file;
        if (job.placed) job.placed = file;
        log.warn('took back', { template: job.template.file, dest });
      } catch (error) {
        isStuck = true;
        // What is gone does not come back by itself.
        mayHelp ||= (await previous.digest(dest).catch(() => null)) !== undefined;
        const cause = `cannot take ${dest} back: ${causeOf(error)}`;
        fail(job, log, 'could not take back', cause);
      }
    }
    this.#isStuck = isStuck;
    if (!mayHelp) return;
    clearTimeout(this.#stuckTimer);
    this.#stuckTimer = setTimeout(() => {
      this.#isStuck = false;
      again(this, []);
    }, TAKE_BACK_AGAIN);
  }

  async #forgetPrevious(): Promise<void> {
    for (const { dest } of this.#previous.values()) await this.#options.previous.forget(dest).catch(() => {});
    this.#previous.clear();
    this.#isStuck = false;
  }

  #previousFiles(): Map<Job, RenderedFile | undefined> {
    return new Map([...this.#previous].map(([job, { file }]) => [job, file]));
  }

  /** What a job's destination holds. */
  #find(job: Job): void {
    const { settings } = job.template;
    job.found = undefined;
    if (!settings) return;
    try {
      const bytes = ifThere(() => readPlainFile(followLinks(settings.dest)));
      if (bytes) job.found = this.#fileOf(job, digestOf(bytes));
    } catch {
      // What cannot be read has no content that could be gone back to; the write will say more.
    }
  }

  /** @param digest null: there is none */
  #fileOf(job: Job, digest: string | null): RenderedFile | undefined {
    const { settings } = job.template;
    return settings && digest !== null
      ? { dest: settings.dest, digest, onChange: settings.onChange }
      : undefined;
  }

  /** @param instead what is there in place of what is */
  #inPlace(instead?: ReadonlyMap<Job, RenderedFile | undefined>): RenderedFile[] {
    return this.jobs.flatMap(
      (job) => (instead?.has(job) ? instead.get(job) : (job.placed ?? job.found)) ?? [],
    );
  }
}

function fileOf(job: Job, bytes: Uint8Array): [[Job, RenderedFile]] | undefined {
  const { settings } = job.template;
  if (!settings) return undefined;
  return [[job, { dest: settings.dest, digest: digestOf(bytes), onChange: settings.onChange }]];
}

function asWriteError(error: unknown, { file }: Ready): Error {
  return error instanceof UserError ? error : new UserError(`cannot write ${file.dest}: ${causeOf(error)}`);
}
