import type { RenderedFile } from '../core/link.ts';
import { describe, UserError } from '../errors.ts';
import type { Log } from '../log.ts';
import { fail, type Job } from './job.ts';
import { makePrivateCopy } from './private-copy.ts';
import { isExposed } from './strangers.ts';
import { type Refusal, verify } from './verify.ts';
import { type Staged, stage } from './write.ts';

/** A file that was rendered, and lies beside its destination. */
export interface Ready {
  job: Job;
  staged: Staged;
  file: RenderedFile;
  bytes: number;
  content: Uint8Array;
}

export interface StagingOptions {
  log: Log;
  /** Ends checks that run. */
  signal: AbortSignal;
}

/**
 * Stages what was rendered.
 * @param failed told of each job that cannot be staged; the others are
 */
export async function stageAll(
  rendered: ReadonlyMap<Job, Uint8Array>,
  files: ReadonlyMap<Job, RenderedFile>,
  log: Log,
  failed: (job: Job) => void,
): Promise<Ready[]> {
  const ready: Ready[] = [];
  for (const [job, file] of files) {
    const { settings } = job.template;
    const bytes = rendered.get(job);
    if (!settings || !bytes) continue;
    try {
      ready.push({ job, file, bytes: bytes.length, content: bytes, staged: await stage(settings, bytes) });
    } catch (error) {
      fail(job, log, 'could not write', describe(error));
      failed(job);
    }
  }
  return ready;
}

/**
 * Runs the check of a staged file, if it has one. Content that was refused is not asked about again.
 * @param failed told of a job whose check could not be run to its end
 */
export async function isRefused(
  { job, staged, file, content }: Ready,
  { log, signal }: StagingOptions,
  failed: (job: Job) => void,
): Promise<boolean> {
  const { settings, directory } = job.template;
  const check = settings?.check;
  if (check === undefined || !staged.changed) return false;
  if (job.refused === file.digest) return true;
  const refusal =
    staged.file === undefined
      ? { cause: 'there is no place for a staged file', isVerdict: false }
      : await verifyUnchanged(check, staged.file, content, directory, signal);
  job.refused = refusal?.isVerdict ? file.digest : undefined;
  if (!refusal) return false;
  // A check that was cut short by our own end is nothing to tell of.
  if (signal.aborted) return true;
  if (!refusal.isVerdict) failed(job);
  const error = new UserError(`cannot use ${job.template.file}: check failed: ${refusal.cause}`);
  fail(job, log, 'check failed', describe(error));
  return true;
}

/**
 * Has the check read what was rendered. It runs with our rights, and the file that lies beside the destination may be somebody's to
 * write or to replace, such as the service's own: it is given a copy then.
 */
async function verifyUnchanged(
  check: string,
  file: string,
  content: Uint8Array,
  directory: string,
  signal: AbortSignal,
): Promise<Refusal | undefined> {
  if (!mayChange(file)) return verify(check, file, directory, signal);
  const copy = makePrivateCopy(content);
  if (!copy) return { cause: 'there is no place for a copy that only we can change', isVerdict: false };
  try {
    return await verify(check, copy.file, directory, signal);
  } finally {
    copy.remove();
  }
}

/** What cannot be looked at counts as what others can change. */
function mayChange(file: string): boolean {
  try {
    return isExposed(file);
  } catch {
    return true;
  }
}
