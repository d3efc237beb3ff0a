/** Lines around a change that are shown with it. */
const CONTEXT = 3;
/** More changes than this are shown as everything removed and everything added: to find the fewest would take too long. */
const MOST_CHANGES = 2000;

/** A line of a comparison: in both, or only in the old or the new text. */
interface Line {
  mark: ' ' | '-' | '+';
  text: string;
}

/**
 * The hunks of a unified diff, without the two lines that name the files; empty where the texts are the same.
 * Lines keep no newline; the mark of a missing one at the end of a text is a line of its own.
 */
export function unifiedDiff(before: string, after: string): string[] {
  if (before === after) return [];
  const lines = compare(split(before), split(after));
  return hunksOf(lines).flatMap(({ from, to }) => hunk(lines, from, to));
}

/** Each line with its newline, so that the same words with and without one at the end differ. */
function split(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Myers' algorithm: the shortest way from one list of lines to the other. */
function compare(before: readonly string[], after: readonly string[]): Line[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let [endA, endB] = [before.length, after.length];
  while (endA > start && endB > start && before[endA - 1] === after[endB - 1])
    [endA, endB] = [endA - 1, endB - 1];
  const same = (lines: readonly string[]): Line[] => lines.map((text) => ({ mark: ' ', text }));
  return [
    ...same(before.slice(0, start)),
    ...shortest(before.slice(start, endA), after.slice(start, endB)),
    ...same(before.slice(endA)),
  ];
}

function shortest(a: readonly string[], b: readonly string[]): Line[] {
  const replaced = (): Line[] => [
    ...a.map((text): Line => ({ mark: '-', text })),
    ...b.map((text): Line => ({ mark: '+', text })),
  ];
  if (a.length === 0 || b.length === 0) return replaced();
  const most = Math.min(a.length + b.length, MOST_CHANGES);
  // furthest[k]: how far into `a` one gets on the diagonal k (= place in a − place in b) with so many changes.
  const furthest = new Int32Array(2 * most + 3);
  const at = (k: number): number => furthest[most + 1 + k] ?? 0;
  const trace: Int32Array[] = [];
  for (let changes = 0; changes <= most; changes++) {
    trace.push(furthest.slice());
    for (let k = -changes; k <= changes; k += 2) {
      const down = k === -changes || (k !== changes && at(k - 1) < at(k + 1));
      let x = down ? at(k + 1) : at(k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      furthest[most + 1 + k] = x;
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, trace, most);
    }
  }
  return replaced();
}

function walkBack(
  a: readonly string[],
  b: readonly string[],
  trace: readonly Int32Array[],
  most: number,
): Line[] {
  const lines: Line[] = [];
  let [x, y] = [a.length, b.length];
  for (let changes = trace.length - 1; changes > 0; changes--) {
    const at = (k: number): number => trace[changes]?.[most + 1 + k] ?? 0;
    const k = x - y;
    const down = k === -changes || (k !== changes && at(k - 1) < at(k + 1));
    const fromX = down ? at(k + 1) : at(k - 1);
    const fromY = fromX - (down ? k + 1 : k - 1);
    for (; x > fromX && y > fromY; x--, y--) lines.push({ mark: ' ', text: a[x - 1] ?? '' });
    if (down) lines.push({ mark: '+', text: b[--y] ?? '' });
    else lines.push({ mark: '-', text: a[--x] ?? '' });
  }
  for (; x > 0; x--) lines.push({ mark: ' ', text: a[x - 1] ?? '' });
  return lines.reverse();
}

/** Changes that are near each other share a hunk. */
function hunksOf(lines: readonly Line[]): { from: number; to: number }[] {
  const hunks: { from: number; to: number }[] = [];
  for (const [i, { mark }] of lines.entries()) {
    if (mark === ' ') continue;
    const last = hunks.at(-1);
    if (last && i - CONTEXT <= last.to) last.to = Math.min(lines.length, i + 1 + CONTEXT);
    else hunks.push({ from: Math.max(0, i - CONTEXT), to: Math.min(lines.length, i + 1 + CONTEXT) });
  }
  return hunks;
}

function hunk(lines: readonly Line[], from: number, to: number): string[] {
  const count = (part: readonly Line[], mark: '-' | '+'): number =>
    part.filter((line) => line.mark === ' ' || line.mark === mark).length;
  const range = (mark: '-' | '+'): string => {
    const length = count(lines.slice(from, to), mark);
    const start = count(lines.slice(0, from), mark) + (length === 0 ? 0 : 1);
    return length === 1 ? `${start}` : `${start},${length}`;
  };
  return [
    `@@ -${range('-')} +${range('+')} @@`,
    ...lines.slice(from, to).flatMap(({ mark, text }) => {
      if (text.endsWith('\n')) return [`${mark}${text.slice(0, -1)}`];
      return [`${mark}${text}`, '\\ No newline at end of file'];
    }),
  ];
}
