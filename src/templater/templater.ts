import { setTimeout as delay } from 'node:timers/promises';
import type { Wait } from '../core/duration.ts';
import type { Report } from '../core/link.ts';
import { causeOf, EXIT } from '../errors.ts';
import type { Log } from '../log.ts';
import { createBoard } from './board.ts';
import type { Environment } from './helpers/helper.ts';
import { fail, type Job, lacks, mend, newJob } from './job.ts';
import { placeAll } from './place.ts';
import { createSchedule } from './schedule.ts';
import type { Source } from './source/source.ts';
import { createSubscriptions } from './subscriptions.ts';
import { isTemplate, readTemplates } from './templates.ts';
import { createWatch } from './watch.ts';
import { removeLeftovers } from './write.ts';

/** What a round under way still gets when we are told to stop, in ms. */
const ROUND_GRACE = 500;

export interface TemplaterOptions {
  scandir: string;
  source: Source;
  wait: Wait;
  /** End once every template has been rendered, or can never be. */
  once: boolean;
  env: Environment;
  log: Log;
  report: (report: Report) => void;
}

export interface Templater {
  /**
   * Renders until the signal.
   * @returns the exit code: 0, or with `once` also 100 for a template that is wrong and 111 for a file that cannot be
   * written
   * @throws UserError when the scandir cannot be read at the start
   */
  run(signal: AbortSignal): Promise<number>;
  /** Reads all templates again, and looks at every file again. */
  rescan(): void;
  /** The same for the tree, which is then told everything again: repeated reports do nothing. */
  rescanAndTell(): void;
}

/**
 * Follows a source, and keeps the files of all services in step with it.
 *
 * Everything happens in one loop: wait for work, render what is due, follow what it asked for, put all of it in place,
 * report. News from outside only marks jobs and wakes the loop, so nothing is ever done twice at once.
 */
export function createTemplater(options: TemplaterOptions): Templater {
  const { scandir, source, once, env, log } = options;
  const schedule = createSchedule(options.wait);
  const board = createBoard(options.report);
  /** By template file. */
  let jobs = new Map<string, Job>();
  let services = new Set<string>();
  /** To be rendered at once, and when changes have settled. */
  const urgent = new Set<Job>();
  const settling = new Set<Job>();
  let mustRead = true;
  let hasRead = false;

  const hurry = (job: Job): void => {
    urgent.add(job);
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
  const rescanAndTell = (): void => {
    board.forget();
    rescan();
  };
  const watch = createWatch(rescan, (directory, error) =>
    log.warn('could not watch', { directory, cause: causeOf(error) }),
  );

  /** Jobs outlive a change of their template: until it renders, the file of the one before is what is in place. */
  const read = async (): Promise<void> => {
    mustRead = false;
    const found = await readTemplates(scandir, env).catch((error: unknown) => {
      if (!hasRead) throw error;
      // A directory that is away for a moment takes nobody's config with it.
      log.error('could not read templates', { cause: causeOf(error) });
    });
    if (!found) return;
    hasRead = true;
    const before = jobs;
    jobs = new Map();
    services = new Set([...found.services, ...found.templates.map((template) => template.service)].sort());
    for (const template of found.templates) {
      const old = before.get(template.file);
      const job = old ?? newJob(template);
      before.delete(template.file);
      jobs.set(template.file, job);
      urgent.add(job);
      job.template = template;
      job.missing = [];
      if (template.problem !== undefined) fail(job, log, 'refused template', template.problem);
      else if (template.settings && !old) await removeLeftovers(template.settings.dest);
    }
    for (const job of before.values()) forget(job);
    if (!once) watch.follow(new Map(found.directories.map((directory) => [directory, isTemplate])));
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
    // Until a run succeeds, what earlier ones asked stays followed: this one may have stopped short.
    job.used = outcome.text === undefined ? new Map([...job.used, ...outcome.used]) : outcome.used;
    job.missing = outcome.missing;
    for (const query of outcome.kept) subscriptions.sayKept(query);
    if (outcome.error !== undefined)
      fail(job, log, 'could not render', `cannot render ${file}: ${outcome.error}`);
    else if (outcome.missing.length > 0) mend(job, log);
    return outcome.text === undefined ? undefined : Buffer.from(outcome.text);
  };

  const tell = (): void => {
    for (const service of services) {
      const own = [...jobs.values()].filter((job) => job.template.service === service);
      const placed = own.flatMap((job) => (job.placed ? [job.placed] : []));
      const missing = [...new Set(own.flatMap(lacks))];
      board.tell(service, { files: placed.length === own.length ? placed : undefined, missing });
    }
  };

  const round = async (settled: boolean): Promise<void> => {
    if (mustRead) await read();
    // A job whose values are settling waits for that, whatever else is asked of it: half a change is worse than a late one.
    const due = [...jobs.values()].filter((job) => (settling.has(job) ? settled : urgent.has(job)));
    const rendered = new Map<Job, Uint8Array>();
    for (const job of due) {
      urgent.delete(job);
      settling.delete(job);
      const bytes = render(job);
      if (bytes) rendered.set(job, bytes);
    }
    subscriptions.keep(new Map([...jobs.values()].flatMap((job) => [...job.used])));
    await placeAll(rendered, log, hurry);
    tell();
  };

  /** With `once`, the code to end with when nothing more can come. */
  const verdict = (): number | undefined => {
    const all = [...jobs.values()];
    if (!once || !all.every((job) => job.placed || job.problem !== undefined)) return undefined;
    const bad = all.filter((job) => job.problem !== undefined);
    if (bad.length === 0) return EXIT.yes;
    return bad.some((job) => job.failedWrites === 0) ? EXIT.usage : EXIT.system;
  };

  return {
    async run(signal) {
      const stopped = new Promise<undefined>((resolve) => {
        if (signal.aborted) resolve(undefined);
        signal.addEventListener('abort', () => resolve(undefined), { once: true });
      });
      let code: number | undefined;
      schedule.now();
      try {
        while (code === undefined) {
          const settled = await Promise.race([schedule.next(), stopped]);
          if (settled === undefined || signal.aborted) break;
          // A round that hangs on a disk must not keep us: what it was writing is beside its destination still.
          await Promise.race([round(settled), stopped.then(() => delay(ROUND_GRACE))]);
          if (signal.aborted) break;
          code = verdict();
        }
      } finally {
        for (const job of jobs.values()) forget(job);
        subscriptions.keep(new Map());
        watch.stop();
      }
      return code ?? EXIT.yes;
    },
    rescan,
    rescanAndTell,
  };
}
