/**
 * What a terminal would not show but obey, or what would show a line as another than it is: control characters (C0, DEL, C1),
 * those of format and direction, line separators, and halves of characters.
 */
const ODD = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const ALL_ODD = new RegExp(ODD.source, 'gu');
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text that others have a hand in (a file's name, an answer, a value) as it may be shown on one line of a terminal. Odd
 * characters become what JSON would write for them, so JSON still means the same after it.
 */
export function printable(text: string): string {
  return ODD.test(text) ? text.replaceAll(ALL_ODD, escaped) : text;
}

/** The same for text whose line breaks are meant. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

function escaped(char: string): string {
  const units = Array.from({ length: char.length }, (_, i) => char.charCodeAt(i));
  return SHORT[char] ?? units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}
