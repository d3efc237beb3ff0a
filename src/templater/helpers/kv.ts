import type { Pair } from '../source/query.ts';
import { type Helper, leastEntries, type Options, type Pass, readRequired } from './helper.ts';
import { listOf, oneOf } from './list.ts';
import { keyQuery, LOCATION_OPTIONS, prefixQuery } from './subject.ts';
import { asText } from './value.ts';

/** The key-value store. */
export const KV = {
  key: {
    usage: 'key "app/rate" default="10"',
    meaning:
      'value of a key; without a default the template waits for it. A key that is deleted keeps its last value',
    examples: [
      ['{{key "app/rate"}}', '5'],
      ['{{key "app/none" default="10"}} {{key "app/empty" default="10"}}', '10 10'],
    ],
    values: [1, 1],
    options: ['default', 'required', ...LOCATION_OPTIONS],
    run: readKey,
  },
  keyOrDefault: {
    usage: 'keyOrDefault "app/rate" "10"',
    meaning: 'value of a key, or else the second value; the same as default=',
    examples: [['{{keyOrDefault "app/none" "10"}}', '10']],
    values: [2, 2],
    options: LOCATION_OPTIONS,
    run: (pass, [path, fallback], options) =>
      readKey(pass, [path], { ...options, default: asText(fallback) }),
  },
  keyExists: {
    usage: 'keyExists "app/rate"',
    meaning: 'whether the key is there; never waits for it, and sees that one was deleted',
    examples: [['{{keyExists "app/rate"}} {{keyExists "app/none"}}', 'true false']],
    values: [1, 1],
    options: LOCATION_OPTIONS,
    run: (pass, [path], options) => pass.ask(keyQuery(path, options))?.now != null,
  },
  ls: {
    usage: 'ls "app/hosts" required=true',
    meaning: 'list of the keys in a folder, not of those in folders below it; fields Key, Value, Path …',
    examples: [['{{#each (ls "app/peers")}}{{Key}}={{Value}} {{/each}}', 'a=10.0.0.1 b=10.0.0.2 ']],
    values: [1, 1],
    options: ['min', 'required', ...LOCATION_OPTIONS],
    run: (pass, [path], options) => pairs(pass, path, leastEntries(options), options, isDirect),
  },
  safeLs: {
    usage: 'safeLs "app/hosts"',
    meaning: 'the same as ls with required=true: waits until there is one',
    examples: [['{{len (safeLs "app/peers")}}', '2']],
    values: [1, 1],
    options: LOCATION_OPTIONS,
    run: (pass, [path], options) => pairs(pass, path, 1, options, isDirect),
  },
  tree: {
    usage: 'tree "app" min=1',
    meaning: 'list of all keys below a folder, Key relative to it',
    examples: [['{{#each (tree "app/groups")}}{{Key}} {{/each}}', 'blue/a blue/b green/a ']],
    values: [1, 1],
    options: ['min', 'required', ...LOCATION_OPTIONS],
    run: (pass, [path], options) => pairs(pass, path, leastEntries(options), options, () => true),
  },
  safeTree: {
    usage: 'safeTree "app"',
    meaning: 'the same as tree with required=true: waits until there is one',
    examples: [['{{len (safeTree "app/groups")}}', '3']],
    values: [1, 1],
    options: LOCATION_OPTIONS,
    run: (pass, [path], options) => pairs(pass, path, 1, options, () => true),
  },
} satisfies Record<string, Helper>;

/** An empty value counts as none where there is a default, as with consul-template's keyOrDefault. */
function readKey(pass: Pass, [path]: readonly unknown[], options: Options): string {
  const fallback = fallbackOf(options);
  const value = oneOf(pass, keyQuery(path, options), fallback === undefined)?.Value ?? '';
  return value === '' ? (fallback ?? '') : value;
}

function fallbackOf(options: Options): string | undefined {
  const required = readRequired(options['required']);
  // Text, as a value from the store would be: `{{json (key "n" default=10)}}` must not change its type.
  if (options['default'] != null) return asText(options['default'], 'default= to be text');
  return required === false ? '' : undefined;
}

/** Entries that only stand for a folder are left out. */
function pairs(
  pass: Pass,
  path: unknown,
  least: number | undefined,
  options: Options,
  wanted: (pair: Pair) => boolean,
): readonly Pair[] {
  const isKey = ({ Key }: Pair): boolean => Key !== '' && !Key.endsWith('/');
  return listOf(pass, prefixQuery(path, options), least, (pair) => isKey(pair) && wanted(pair));
}

function isDirect({ Key }: Pair): boolean {
  return !Key.includes('/');
}
