import type { Ms } from '../core/duration.ts';
import type { Report } from '../core/link.ts';
import type { Log } from '../log.ts';

/** From then on it is no longer a start that takes its time. */
const PATIENCE: Ms = 5000;

/**
 * Takes the reports where there is no tree to do it: what a service still lacks after a while is said in the log, and
 * again when it changes.
 */
export function createLonelyReporter(log: Log): (report: Report) => void {
  const missing = new Map<string, string[]>();
  let timer: NodeJS.Timeout | undefined;
  const say = (): void => {
    timer = undefined;
    for (const [service, each] of missing) log.warn('still waiting', { of: service, for: each.join(', ') });
    missing.clear();
  };
  return (report) => {
    if (report.type === 'rendered') missing.delete(report.service);
    if (report.type !== 'waiting') return;
    missing.set(report.service, report.missing);
    if (!timer) timer = setTimeout(say, PATIENCE).unref();
  };
}
