import type { Job } from './job.ts';

/** Which files have new content: since the last time, and at first since we began. */
export interface Changes {
  /** Jobs whose file has been given another content since the last call. */
  since(jobs: readonly Job[]): Job[];
}

export function createChanges(): Changes {
  /** Digests by destination. */
  const known = new Map<string, string>();
  return {
    since(jobs) {
      return jobs.filter(({ placed, found }) => {
        if (!placed) return false;
        const before = known.get(placed.dest) ?? found?.digest;
        known.set(placed.dest, placed.digest);
        return before !== placed.digest;
      });
    },
  };
}
