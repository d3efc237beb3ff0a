/** A run as tables to read and as JSON to compute with. */
import { cpus, release } from 'node:os';
import { judge } from './bars.ts';
import { type Results, share } from './results.ts';
import { quantityTable, table } from './table.ts';

/** A table for each thing that this measure found. */
export function measureTables(results: Results, measure: string): string {
  const quantities = new Map(
    results.series.filter((one) => one.measure === measure).map((one) => [one.what, one]),
  );
  return [...quantities.values()].map((quantity) => `${quantityTable(results, quantity)}\n`).join('\n');
}

export function barTable(results: Results): string {
  const rows = judge(results).map(({ measure, bar, measured, met }) => [
    measure,
    bar,
    measured,
    met === undefined ? '-' : met ? 'met' : 'not met',
  ]);
  return table([['measure', 'bar', 'measured', ''], ...rows]);
}

export function report(results: Results) {
  return {
    at: new Date().toISOString(),
    node: process.version,
    kernel: release(),
    cpus: cpus().length,
    bars: judge(results),
    unrun: results.unrun,
    series: results.series.map(({ samples, ...series }) => ({
      ...series,
      n: samples.length,
      median: share(samples, 0.5),
      p95: share(samples, 0.95),
      samples,
    })),
  };
}
