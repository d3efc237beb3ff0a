/** Milliseconds, as everywhere in this project. */
export type Ms = number;

const UNITS = { '': 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Reads a time such as `500`, `500ms`, `5s`, `1.5m`: milliseconds, or a number with a unit.
 * Returns undefined for anything else, so that the caller can say what it expected, and where.
 */
export function parseDuration(text: string): Ms | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|)$/.exec(text.trim());
  if (!match) return undefined;
  const ms = Math.round(Number(match[1]) * UNITS[match[2] as keyof typeof UNITS]);
  // Node's timers hold 2^31-1 ms (24.8 days) and fire at once beyond it.
  return ms <= 0x7fff_ffff ? ms : undefined;
}

/** How long changes are gathered: `min` after the last one, but no longer than `max` after the first. */
export interface Wait {
  min: Ms;
  max: Ms;
}

/** Reads `100ms:2s`; the second time is four times the first where it is left out, as with consul-template. */
export function parseWait(text: string): Wait | undefined {
  const [least = '', most, ...more] = text.split(':');
  const min = parseDuration(least);
  if (min === undefined || more.length > 0) return undefined;
  const max = most === undefined ? min * 4 : parseDuration(most);
  return max === undefined || max < min ? undefined : { min, max };
}

/** A time as people read it: `850ms`, `3.0s`, `4m10s`, `2h05m`, `3d04h`. */
export function formatDuration(ms: Ms): string {
  if (Math.round(ms) < 1000) return `${Math.round(ms)}ms`;
  if (ms < 1000) return '1.0s';
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)}s`;
  const pad = (n: number): string => String(Math.floor(n)).padStart(2, '0');
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)}m${pad((ms / 1000) % 60)}s`;
  if (ms < 86_400_000) return `${Math.floor(ms / 3_600_000)}h${pad((ms / 60_000) % 60)}m`;
  return `${Math.floor(ms / 86_400_000)}d${pad((ms / 3_600_000) % 24)}h`;
}
