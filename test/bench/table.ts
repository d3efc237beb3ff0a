/** Text tables: words to the left, figures to the right. */
import { FLOOR, OURS, type Quantity, type Results, share } from './results.ts';

/** Rows of one quantity, in the order in which the peers came. */
export function quantityTable(results: Results, quantity: Quantity): string {
  const floor = results.median(quantity, FLOOR);
  const ours = results.median(quantity, OURS);
  const rows = results.all(quantity).map(({ peer, samples }) => {
    const median = share(samples, 0.5);
    return [
      peer,
      String(samples.length),
      figure(median),
      // The 95th part of a hundred of a few is the greatest.
      figure(share(samples, quantity.greater ? 0.05 : 0.95)),
      ...(floor === undefined ? [] : [ratio(median, floor)]),
      ratio(median, ours),
    ];
  });
  const head = [
    `${quantity.what}, ${quantity.unit}`,
    'n',
    'median',
    quantity.greater ? 'p5' : 'p95',
    ...(floor === undefined ? [] : ['× floor']),
    '× ours',
  ];
  return table([head, ...rows]);
}

/** @param words how many columns of words there are ahead of those of figures */
export function table(rows: readonly (readonly string[])[], words = 1): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const padded = (cell: string, column: number): string =>
    column < words ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(padded).join('  ').trimEnd()).join('\n');
}

/** Three digits that count, more for what is large. */
export function figure(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2);
}

function ratio(value: number, base: number | undefined): string {
  return base === undefined || base === 0 ? '-' : figure(value / base);
}
