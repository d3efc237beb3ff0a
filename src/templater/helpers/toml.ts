import { scalar } from './json.ts';
import { inOrder, isDict, orderedEntries } from './value.ts';

/**
 * An object as a TOML document: its simple values first, then its tables.
 * @throws Error for what TOML has no form for: null, and anything but an object at the top
 */
export function toToml(value: unknown): string {
  const root = inOrder(value);
  if (!isDict(root)) throw new Error('expected an object, since a TOML document is one');
  return table(root, []).join('\n').replace(/^\n+/, '');
}

/** A value as it stands behind the `=`, in one line. */
export function toTomlValue(value: unknown): string {
  if (value === null || value === undefined) throw new Error('TOML has no null');
  if (Array.isArray(value)) return `[${value.map(toTomlValue).join(', ')}]`;
  if (isDict(value))
    return `{${orderedEntries(value)
      .map(([key, each]) => ` ${tomlKey(key)} = ${toTomlValue(each)}`)
      .join(',')}${Object.keys(value).length > 0 ? ' ' : ''}}`;
  // TOML's integers are of 64 bits, and a float needs its point.
  if (typeof value === 'bigint' && (value >= 2n ** 63n || value < -(2n ** 63n)))
    throw new Error('a number in it has more than the 64 bits of TOML');
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value))
    return `${value.toExponential().replace('e+', 'e')}`;
  return typeof value === 'string' ? text(value) : scalar(value);
}

function table(value: Readonly<Record<string, unknown>>, path: readonly string[]): string[] {
  const entries = orderedEntries(value).filter(([, each]) => each !== null && each !== undefined);
  const isTables = (each: unknown): each is readonly Readonly<Record<string, unknown>>[] =>
    Array.isArray(each) && each.length > 0 && each.every(isDict);
  const lines = entries
    .filter(([, each]) => !isDict(each) && !isTables(each))
    .map(([key, each]) => `${tomlKey(key)} = ${toTomlValue(each)}`);
  for (const [key, each] of entries) {
    const inner = [...path, tomlKey(key)];
    if (isDict(each)) lines.push('', `[${inner.join('.')}]`, ...table(each, inner));
    else if (isTables(each))
      for (const one of each) lines.push('', `[[${inner.join('.')}]]`, ...table(one, inner));
  }
  return lines;
}

function tomlKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : text(key);
}

/** JSON's escapes are TOML's, which asks for one more. */
function text(value: string): string {
  return JSON.stringify(value.toWellFormed()).replaceAll('\x7f', '\\u007F');
}
