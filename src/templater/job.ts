import type { Ms } from '../core/duration.ts';
import type { RenderedFile } from '../core/link.ts';
import type { Log } from '../log.ts';
import type { Query } from './source/query.ts';
import type { Template } from './templates.ts';

/** A template and how it stands. */
export interface Job {
  template: Template;
  /** What its last run asked, and the last that succeeded, by its words. */
  used: ReadonlyMap<string, Query>;
  usedWell: ReadonlyMap<string, Query>;
  /** The file in place; undefined until it has been written, or found to be right, by this process. */
  placed: RenderedFile | undefined;
  /** What its destination held when it was first looked at, and nothing had been rendered yet. */
  found: RenderedFile | undefined;
  /** The digest of the content that its check refused: it is not asked again. */
  refused: string | undefined;
  /** What it cannot be rendered without, in words. */
  missing: string[];
  /** What is gone from the source and still has its last value here, in words. */
  kept: string[];
  /** Why it cannot be rendered or written, hint included. */
  problem: string | undefined;
  /** In a row. */
  failedWrites: number;
  retry: NodeJS.Timeout | undefined;
}

/** A failed write is tried again after this long, doubled each time: a disk has room again without telling anybody. */
const RETRY: { min: Ms; max: Ms } = { min: 1000, max: 30_000 };

/** What describe() puts between an error and its hint. */
const HINT = '\n  hint: ';

export function newJob(template: Template): Job {
  return {
    template,
    used: new Map(),
    usedWell: new Map(),
    placed: undefined,
    found: undefined,
    refused: undefined,
    missing: [],
    kept: [],
    problem: undefined,
    failedWrites: 0,
    retry: undefined,
  };
}

/** Notes what went wrong. It is said once, however often it is tried again. */
export function fail(job: Job, log: Log, event: string, problem: string): void {
  if (job.problem !== problem) {
    const [cause, hint] = problem.split(HINT);
    log.error(event, { template: job.template.file, cause, hint });
  }
  job.problem = problem;
}

/** Notes that nothing is wrong any more. */
export function mend(job: Job, log: Log): void {
  clearTimeout(job.retry);
  if (job.problem !== undefined) log.info('mended', { template: job.template.file });
  job.problem = undefined;
  job.failedWrites = 0;
}

/** Has a failed write tried again after a while. */
export function retryLater(job: Job, again: (job: Job) => void): void {
  const delay = Math.min(RETRY.max, RETRY.min * 2 ** job.failedWrites);
  job.failedWrites++;
  clearTimeout(job.retry);
  job.retry = setTimeout(again, delay, job);
}

/** All that a job lacks, in words and without hints: a report has room for no more. */
export function lacks(job: Job): string[] {
  return [...job.missing, ...(job.problem?.split(HINT, 1) ?? [])];
}
