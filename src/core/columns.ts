import { printable } from '../core/printable.ts';

/** What fits on most terminals. */
const WIDTH = 120;
/** A column that would be narrower than this is not folded: it would be read down, not along. */
const LEAST = 36;

/** How the tables of `help` stand: indented, and no wider than a terminal. */
export const WIDE = { indent: '  ', fold: true } as const;

/** Rows of cells as lines in columns, fit for a terminal whatever is in them. The last cell of a row takes what it needs, or is folded where it is long. */
export function columns(
  cells: readonly (readonly string[])[],
  options: { indent?: string; fold?: boolean } = {},
): string[] {
  const { indent = '', fold = false } = options;
  const rows = cells.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of rows)
    for (const [i, cell] of row.entries())
      if (i < row.length - 1) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows.flatMap((row) => {
    const head = row.slice(0, -1).map((cell, i) => `${cell.padEnd(widths[i] ?? 0)}  `);
    const start = `${indent}${head.join('')}`;
    const last = row.at(-1) ?? '';
    const [first = '', ...more] = fold ? folded(last, Math.max(LEAST, WIDTH - start.length)) : [last];
    return [`${start}${first}`.trimEnd(), ...more.map((line) => `${' '.repeat(start.length)}${line}`)];
  });
}

/** Text in lines of at most `width`, broken at blanks. */
export function folded(text: string, width: number = WIDTH): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
