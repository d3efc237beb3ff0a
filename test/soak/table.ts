import { quantile } from './measure.ts';
import type { SoakReport } from './run.ts';

export interface Limits {
  rss: number;
  latency: number;
}

/** After by before: what is more than this is a leak, or a growing list. */
export const LIMITS: Limits = { rss: 1.1, latency: 1.2 };

/** The report as one table, and what in it is beyond its limit. */
export function table(report: SoakReport, limits: Limits = LIMITS): { text: string; broken: string[] } {
  const rows: string[][] = [['', 'BEFORE', 'AFTER', 'RATIO', 'LIMIT', '']];
  const broken: string[] = [];
  const lines: string[] = [];
  const row = (
    what: string,
    [before, after]: readonly [number, number],
    { limit, digits = 1 }: { limit?: number | 'equal'; digits?: number } = {},
  ): void => {
    const isWell = limit === undefined || (limit === 'equal' ? after === before : after <= before * limit);
    if (!isWell) broken.push(what);
    rows.push([
      what,
      before.toFixed(digits),
      after.toFixed(digits),
      (after / before).toFixed(2),
      String(limit ?? ''),
      limit === undefined ? '' : isWell ? 'pass' : 'FAIL',
    ]);
  };
  for (const { name, before, after, slope } of report.subjects) {
    row(`${name}, RSS, MB`, [before.rss / 1e6, after.rss / 1e6], { limit: limits.rss });
    row(`${name}, PSS at rest, MB`, [before.pss / 1e6, after.pss / 1e6]);
    row(`${name}, JavaScript heap at rest, MB`, [before.heap / 1e6, after.heap / 1e6]);
    const counted = { limit: 'equal', digits: 0 } as const;
    row(`${name}, descriptors`, [before.descriptors, after.descriptors], counted);
    row(`${name}, threads`, [before.threads, after.threads], counted);
    row(`${name}, handles of its loop`, [before.handles, after.handles], counted);
    lines.push(`${name}: RSS changes by ${(slope / 1024).toFixed(0)} KiB a round`);
  }
  for (const { name, operations, seconds, first, last } of report.loads) {
    row(`${name}, median, ms`, [quantile(first, 0.5), quantile(last, 0.5)], {
      limit: limits.latency,
      digits: 2,
    });
    row(`${name}, 95th percentile, ms`, [quantile(first, 0.95), quantile(last, 0.95)], { digits: 2 });
    lines.push(
      `${operations} × ${name} in ${seconds.toFixed(0)} s; latencies: the first ${first.length} and the last ${last.length}`,
    );
  }
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((cells) => cells[i]?.length ?? 0))) ?? [];
  const text = rows.map((cells) =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  return { text: [...text, '', ...lines].join('\n'), broken };
}
