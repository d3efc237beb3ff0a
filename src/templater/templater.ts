import { setTimeout as delay } from 'node:timers/promises';
import type { Wait } from '../core/duration.ts';
import type { Judgement, Report } from '../core/link.ts';
import { causeOf, EXIT } from '../errors.ts';
import type { Log } from '../log.ts';
import { createBoard } from './board.ts';
import type { Environment } from './helpers/helper.ts';
import { fail, type Job, lacks, mend, newJob } from './job.ts';
import { createPrevious } from './previous.ts';
import { createSchedule } from './schedule.ts';
import type { Source } from './source/source.ts';
import { untilStopped } from './stopping.ts';
import { createSubscriptions } from './subscriptions.ts';
import type { Templates } from './templates.ts';
import { Unit } from './unit.ts';
import { createWatch, linksIn, type Wanted, waysTo } from './watch.ts';

/** What is under way still gets this long when we are told to stop, in ms. */
const ROUND_GRACE = 500;

export interface TemplaterOptions {
  source: Source;
  wait: Wait;
  /** End once every template has been rendered, or can never be. */
  once: boolean;
  env: Environment;
  log: Log;
  report: (report: Report) => void;
  /** Reads the templates. */
  read: () => Promise<Templates>;
  /** What is done with what was rendered, where it is shown and not put in place. */
  preview?: Preview | undefined;
  /** With `once`: end also when every query has been answered, though something lacks. */
  answered?: boolean;
  /** Told how all templates stand, whenever something may have changed and nothing is half done. */
  told?: ((jobs: readonly Job[]) => void) | undefined;
}

/** Takes what was rendered, by the job that it is of. */
export type Preview = (rendered: ReadonlyMap<Job, Uint8Array>, log: Log) => Promise<void>;

export interface Templater {
  /**
   * Renders until the signal.
   * @returns the exit code: 0, or with `once` also 100 for a template that is wrong and 111 for a file that cannot be
   * written
   * @throws UserError when the templates cannot be read at the start
   */
  run(signal: AbortSignal): Promise<number>;
  /** Reads all templates and all values that are in files again, and looks at every file again. */
  rescan(): void;
  /** The same for the tree, which is then told everything again: repeated reports do nothing. */
  rescanAndTell(): void;
  /** The tree says how services live with their config. */
  heard(judgements: readonly Judgement[]): void;
}

/**
 * Follows a source, and keeps the files of all services in step with it.
 *
 * Everything happens in one loop: wait for work, render what is due, follow what it asked for, hand it to the units,
 * report. A unit is the files of one service; it may take its time (a check runs) and holds up no other. News from outside
 * only marks jobs and wakes the loop, so nothing is ever done twice at once.
 */
export function createTemplater(options: TemplaterOptions): Templater {
  const { source, once, env, log } = options;
  const schedule = createSchedule(options.wait);
  const board = createBoard(options.report);
  /** By template. */
  let jobs = new Map<string, Job>();
  /** By service; none where nothing is put in place. */
  let units = new Map<string, Unit>();
  const judgements = new Map<string, Judgement>();
  const previous = createPrevious();
  const ending = new AbortController();
  /** What units do now. */
  const working = new Set<Promise<void>>();
  /** What they have done, on its way to the disk. */
  const syncing = new Set<Promise<void>>();
  /** To be rendered at once, and when changes have settled. */
  const urgent = new Set<Job>();
  const settling = new Set<Job>();
  let mustRead = true;
  let hasRead = false;

  const hurry = (job: Job): void => {
    urgent.add(job);
    schedule.now();
  };

  const again = (unit: Unit, those: Iterable<Job>): void => {
    unit.isDue = true;
    for (const job of those) urgent.add(job);
    schedule.now();
  };

  const subscriptions = createSubscriptions(source, log, (id) => {
    for (const job of jobs.values()) {
      if (!job.used.has(id)) continue;
      // What has never been rendered waits for nothing: a service waits for it.
      if (!job.placed) hurry(job);
      else {
        settling.add(job);
        schedule.soon();
      }
    }
  });

  const rescan = (): void => {
    mustRead = true;
    schedule.now();
  };
  const lookAgain = (): void => {
    source.look?.();
    rescan();
  };
  const rescanAndTell = (): void => {
    board.forget();
    lookAgain();
  };
  const watch = createWatch(rescan, (directory, error) =>
    log.warn('could not watch', { directory, cause: causeOf(error) }),
  );

  /** Jobs outlive a change of their template: until it renders, the file of the one before is what is in place. */
  const read = async (): Promise<void> => {
    mustRead = false;
    const found = await options.read().catch((error: unknown) => {
      if (!hasRead) throw error;
      // A directory that is away for a moment takes nobody's config with it.
      log.error('could not read templates', { cause: causeOf(error) });
    });
    if (!found) return;
    hasRead = true;
    const before = jobs;
    jobs = new Map();
    const newcomers = new Set<Job>();
    for (const template of found.templates) {
      const old = before.get(template.id);
      const job = old ?? newJob(template);
      before.delete(template.id);
      jobs.set(template.id, job);
      urgent.add(job);
      job.template = template;
      job.missing = [];
      // Somebody asks for another look: what a check refuses may be fine by now.
      job.refused = undefined;
      if (template.problem !== undefined) fail(job, log, 'refused template', template.problem);
      if (!old) newcomers.add(job);
    }
    for (const job of before.values()) forget(job);
    if (!options.preview) await regroup(found, newcomers);
    if (once) return;
    const directories = found.directories.map((directory): Wanted => [directory, found.isTemplate]);
    watch.follow([...directories, ...waysTo(directories.flatMap(linksIn))]);
  };

  const regroup = async (found: Templates, newcomers: ReadonlySet<Job>): Promise<void> => {
    const old = units;
    units = new Map();
    const services = new Set([...found.services, ...found.templates.map((template) => template.service)]);
    for (const service of [...services].sort()) {
      const own = old.get(service);
      const unit = own ?? new Unit({ service, previous, log, signal: ending.signal, again });
      old.delete(service);
      units.set(service, unit);
      unit.judgement = judgements.get(service);
      await unit.adopt(
        [...jobs.values()].filter((job) => job.template.service === service),
        newcomers,
      );
      if (!own) await unit.mendTorn();
    }
    for (const unit of old.values()) await unit.remove();
  };

  const forget = (job: Job): void => {
    clearTimeout(job.retry);
    urgent.delete(job);
    settling.delete(job);
  };

  /** Runs a template; its bytes, when it has all that it needs. */
  const render = (job: Job): Uint8Array | undefined => {
    const { compiled, file } = job.template;
    if (!compiled) return undefined;
    const outcome = compiled({ get: subscriptions.get, problem: subscriptions.problem, env });
    // Until a run succeeds, what the last that did asked stays followed: this one may have stopped short.
    if (outcome.text !== undefined) job.usedWell = outcome.used;
    job.used = new Map([...job.usedWell, ...outcome.used]);
    job.missing = outcome.missing;
    job.kept = outcome.kept;
    for (const query of outcome.kept) subscriptions.sayKept(query);
    if (outcome.error !== undefined)
      fail(job, log, 'could not render', `cannot render ${file}: ${outcome.error}`);
    else if (outcome.missing.length > 0) mend(job, log);
    return outcome.text === undefined ? undefined : Buffer.from(outcome.text);
  };

  const tell = (those: Iterable<Unit>): void => {
    for (const unit of those) {
      // Half of what is being put in place is nothing to tell of.
      if (unit.isBusy) continue;
      const { files, stale, canGoBack, heldBack } = unit;
      const missing = [
        ...new Set([...unit.jobs.flatMap(lacks), ...(heldBack === undefined ? [] : [heldBack])]),
      ];
      const kept = [...new Set(unit.jobs.flatMap((job) => job.kept))];
      board.tell(unit.service, { files, missing, kept, canGoBack, mended: unit.wasTorn, stale });
      if (files) unit.wasTorn = false;
    }
    if (working.size === 0) options.told?.([...jobs.values()]);
  };

  const begin = (unit: Unit, rendered: ReadonlyMap<Job, Uint8Array>): void => {
    const work = unit.work(rendered).then(() => {
      working.delete(work);
      if (unit.isDue) again(unit, unit.kept);
      tell([unit]);
      const sync = unit.sync().then(() => {
        syncing.delete(sync);
        if (once) schedule.now();
      });
      syncing.add(sync);
      schedule.now();
    });
    working.add(work);
  };

  const round = async (settled: boolean): Promise<void> => {
    if (mustRead) await read();
    // A job whose values are settling waits for that, whatever else is asked of it: half a change is worse than a late one.
    const isDue = (job: Job): boolean => (settling.has(job) ? settled : urgent.has(job));
    const due = new Set([...jobs.values()].filter(isDue));
    for (const unit of units.values())
      if (unit.jobs.some((job) => due.has(job)))
        for (const job of unit.kept) if (!settling.has(job)) due.add(job);
    /** By service. */
    const rendered = new Map<string, Map<Job, Uint8Array>>(
      [...jobs.values()].map((job) => [job.template.service, new Map()]),
    );
    for (const job of due) {
      urgent.delete(job);
      settling.delete(job);
      const bytes = render(job);
      if (bytes) rendered.get(job.template.service)?.set(job, bytes);
    }
    for (const unit of units.values()) {
      const own = rendered.get(unit.service) ?? new Map();
      if (unit.isBusy) for (const job of own.keys()) unit.keep(job);
      else if (own.size > 0 || unit.isDue) begin(unit, own);
    }
    // While the disk takes what is new.
    subscriptions.keep(new Map([...jobs.values()].flatMap((job) => [...job.used])));
    await options.preview?.(new Map([...rendered.values()].flatMap((own) => [...own])), log);
    tell(units.values());
  };

  /** Whether its last run had the answer to all that it asked. */
  const isAnswered = (job: Job): boolean =>
    !urgent.has(job) &&
    !settling.has(job) &&
    [...job.used.values()].every(
      (query) => subscriptions.get(query) !== undefined || subscriptions.problem(query) !== null,
    );

  /** With `once`, the code to end with when nothing more can come. */
  const verdict = (): number | undefined => {
    const all = [...jobs.values()];
    const isOver = (job: Job): boolean =>
      job.placed !== undefined || job.problem !== undefined || (options.answered === true && isAnswered(job));
    if (!once || working.size + syncing.size > 0 || !all.every(isOver)) return undefined;
    const bad = all.filter((job) => job.problem !== undefined);
    if (bad.length === 0) return EXIT.yes;
    return bad.some((job) => job.failedWrites === 0) ? EXIT.usage : EXIT.system;
  };

  return {
    async run(signal) {
      let code: number | undefined;
      schedule.now();
      try {
        while (code === undefined) {
          const settled = await untilStopped(schedule.next(), signal);
          if (settled === undefined || signal.aborted) break;
          // A round that hangs on a disk must not keep us: what it was writing is beside its destination still.
          await untilStopped(round(settled), signal, ROUND_GRACE);
          if (signal.aborted) break;
          code = verdict();
        }
      } finally {
        ending.abort();
        await Promise.race([Promise.all([...working, ...syncing]), delay(ROUND_GRACE)]);
        for (const job of jobs.values()) forget(job);
        for (const unit of units.values()) unit.forget();
        subscriptions.keep(new Map());
        watch.stop();
      }
      return code ?? EXIT.yes;
    },
    rescan: lookAgain,
    rescanAndTell,
    heard(list) {
      for (const judgement of list) {
        judgements.set(judgement.service, judgement);
        units.get(judgement.service)?.heard(judgement);
      }
    },
  };
}
