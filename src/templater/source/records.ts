import { didYouMean } from '../../errors.ts';

/**
 * Data as templates see it: reading a field that it does not have is an error instead of nothing. Handlebars prints
 * nothing for `{{Adress}}`, and a config file with a hole in it is the worst that a typing error can do.
 * @param what named in the error, with its article: `a key`
 */
export function record<T extends object>(what: string, fields: T): T {
  return new Proxy(fields, {
    get(target, name) {
      if (typeof name === 'string' && !Object.hasOwn(target, name) && !isProbed(name)) {
        const near = didYouMean(name, Object.keys(target));
        throw new Error(`${what} has no field "${name}"${near ? ` (did you mean "${near}"?)` : ''}`);
      }
      return Reflect.get(target, name);
    },
  });
}

/** Names that JavaScript itself looks for: JSON.stringify for toJSON, await for then, Handlebars for constructor. */
function isProbed(name: string): boolean {
  return name === 'toJSON' || name === 'then' || name in Object.prototype;
}

/** A map without a prototype, its keys in order: what `{{#each}}` and `{{json}}` show of it is always the same. */
export function sortedMap<T>(map: Readonly<Record<string, T>> | null | undefined): Record<string, T> {
  const sorted: Record<string, T> = Object.create(null);
  for (const [key, value] of Object.entries(map ?? {}).sort(byFirst)) sorted[key] = value;
  return sorted;
}

/** Compares strings by code unit: the same order on every machine, whatever its locale. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byFirst([a]: [string, unknown], [b]: [string, unknown]): number {
  return compare(a, b);
}
