import { inOrder, orderedEntries } from './value.ts';

/** A value as JSON in one line, the keys of objects in order; whole numbers of any size keep their digits. */
export function toJson(value: unknown): string {
  return write(value, undefined);
}

/** The same on several lines, indented by two. */
export function toPrettyJson(value: unknown): string {
  return write(value, 2);
}

function write(value: unknown, space: number | undefined): string {
  // JSON.stringify has integer-like keys first whatever it is given, so objects are written here.
  return node(inOrder(value ?? null), space === undefined ? undefined : '\n', space ?? 0);
}

function node(value: unknown, line: string | undefined, space: number): string {
  const inner = line === undefined ? undefined : line + ' '.repeat(space);
  const wrap = (open: string, parts: string[], close: string): string =>
    parts.length === 0
      ? open + close
      : `${open}${inner ?? ''}${parts.join(`,${inner ?? ''}`)}${line ?? ''}${close}`;
  if (Array.isArray(value))
    return wrap(
      '[',
      value.map((each) => node(each, inner, space)),
      ']',
    );
  if (typeof value === 'object' && value !== null) {
    const colon = line === undefined ? ':' : ': ';
    const pairs = orderedEntries(value).map(
      ([key, each]) => `${JSON.stringify(key)}${colon}${node(each, inner, space)}`,
    );
    return wrap('{', pairs, '}');
  }
  return scalar(value);
}

/** A value that is neither a list nor an object, as JSON. */
export function scalar(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Error('a number in it is not finite');
  if (typeof value === 'function' || typeof value === 'symbol')
    throw new Error(`a ${typeof value} has no text`);
  return JSON.stringify(value ?? null);
}
