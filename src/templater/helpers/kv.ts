import { describeQuery, type Pair } from '../source/query.ts';
import { type Helper, leastEntries, type Pass, readRequired } from './helper.ts';
import { listOf } from './list.ts';
import { keyQuery, LOCATION_OPTIONS, prefixQuery } from './subject.ts';

/** The value of a key. Without a default the template waits for it; a key that is deleted keeps its last value. */
const key: Helper = {
  usage: 'key "app/rate" default="10"',
  values: [1, 1],
  options: ['default', 'required', ...LOCATION_OPTIONS],
  run(pass, [path], options) {
    const query = keyQuery(path, options);
    const memory = pass.ask(query);
    if (!memory) return '';
    const fallback = fallbackOf(options);
    // An empty value counts as none where there is a default, as with consul-template's keyOrDefault.
    if (memory.now) return memory.now.Value === '' ? (fallback ?? '') : memory.now.Value;
    if (fallback !== undefined) return fallback;
    if (!memory.last) {
      pass.lack(describeQuery(query));
      return '';
    }
    pass.keep(query);
    return memory.last.Value;
  },
};

/** Whether a key is there. Never waits for it, and tells the truth about one that was deleted. */
const keyExists: Helper = {
  usage: 'keyExists "app/rate"',
  values: [1, 1],
  options: LOCATION_OPTIONS,
  run: (pass, [path], options) => pass.ask(keyQuery(path, options))?.now != null,
};

/** All keys below a folder, with `Key` relative to it. Folder entries themselves are left out. */
const tree: Helper = {
  usage: 'tree "app/peers"',
  values: [1, 1],
  options: ['min', 'required', ...LOCATION_OPTIONS],
  run: (pass, [path], options) => pairs(pass, path, options, () => true),
};

/** The keys directly in a folder. */
const ls: Helper = {
  ...tree,
  usage: 'ls "app/peers"',
  run: (pass, [path], options) => pairs(pass, path, options, ({ Key }) => !Key.includes('/')),
};

export const KV = { key, keyExists, ls, tree };

function pairs(
  pass: Pass,
  path: unknown,
  options: Readonly<Record<string, unknown>>,
  wanted: (pair: Pair) => boolean,
): readonly Pair[] {
  const isKey = ({ Key }: Pair): boolean => Key !== '' && !Key.endsWith('/');
  return listOf(
    pass,
    prefixQuery(path, options),
    leastEntries(options),
    (pair) => isKey(pair) && wanted(pair),
  );
}

function fallbackOf(options: Readonly<Record<string, unknown>>): string | undefined {
  const required = readRequired(options['required']);
  // Text, as a value from the store would be: `{{json (key "n" default=10)}}` must not change its type.
  if (options['default'] != null) return String(options['default']);
  return required === false ? '' : undefined;
}
