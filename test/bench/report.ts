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

/** The bars that these measures tell of; nothing where they tell of none. */
export function barTable(results: Results, measures: readonly string[]): string {
  const rows = judge(results)
    .filter(({ of }) => measures.includes(of))
    .map(({ what, bar, measured, met }) => [
      what,
      bar,
      measured,
      met === undefined ? '-' : met ? 'met' : 'not met',
    ]);
  return rows.length === 0 ? '' : `\n${table([['', 'bar', 'measured', ''], ...rows], 2)}\n`;
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
