import type { RenderedFile } from '../core/link.ts';
import { describe } from '../errors.ts';
import type { Log } from '../log.ts';
import { fail, type Job, mend, retryLater } from './job.ts';
import { digestOf, type Staged, stage } from './write.ts';

/**
 * Puts what was rendered together in place together: everything is staged before anything is replaced. A file that
 * cannot be written harms no other, and is tried again later.
 * @param rendered the new bytes of each job
 */
export async function placeAll(
  rendered: ReadonlyMap<Job, Uint8Array>,
  log: Log,
  again: (job: Job) => void,
): Promise<void> {
  const attempt = async (job: Job, act: () => Promise<unknown>): Promise<void> => {
    try {
      await act();
    } catch (error) {
      fail(job, log, 'could not write', describe(error));
      retryLater(job, again);
    }
  };
  const staged: [Job, Staged, RenderedFile][] = [];
  for (const [job, bytes] of rendered) {
    const { settings } = job.template;
    if (!settings) continue;
    const file = { dest: settings.dest, digest: digestOf(bytes), onChange: settings.onChange };
    await attempt(job, async () => staged.push([job, await stage(settings, bytes), file]));
  }
  for (const [job, { changed, commit }, file] of staged) {
    await attempt(job, async () => {
      await commit();
      mend(job, log);
      const fields = { template: job.template.file, dest: file.dest, bytes: rendered.get(job)?.length };
      if (changed) log.info('rendered', fields);
      else if (!job.placed) log.debug('found unchanged', fields);
      job.placed = file;
    });
  }
}
