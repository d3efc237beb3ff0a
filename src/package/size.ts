const UNITS: Record<string, number> = { '': 0, k: 1, m: 2, g: 3, t: 4 };

/**
 * Reads a number of bytes: `1000`, `500MB`, `1.5G`. As with dd, `MB` is a million, `M` and `MiB` are 1024 × 1024.
 * @returns undefined for anything else
 */
export function parseSize(text: string): number | undefined {
  const [, number, prefix = '', ending = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?b)?$/i.exec(text.trim()) ?? [];
  if (number === undefined || (prefix === '' && ending.length === 2)) return undefined;
  const base = ending.length === 1 ? 1000 : 1024;
  const bytes = Math.round(Number(number) * base ** (UNITS[prefix.toLowerCase()] ?? 0));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Bytes as people read them: `850 B`, `3.2 MB`. */
export function formatSize(bytes: number): string {
  let [value, unit] = [bytes, 'B'];
  for (const next of ['kB', 'MB', 'GB', 'TB']) {
    if (value < 1000) break;
    [value, unit] = [value / 1000, next];
  }
  return `${unit === 'B' ? value : value.toFixed(1)} ${unit}`;
}
