import { compare, sortedMap } from '../source/records.ts';
import { type Helper, inShort, textValue } from './helper.ts';
import { asCount, asDict, asList, asText, BY_NUMBER, type Dict, dict, isDict } from './value.ts';

/** Lists of pairs and instances, rearranged. Keys always come in order. */
export const GROUPS = {
  byKey: {
    usage: 'byKey (tree "app/groups")',
    meaning: 'object of objects: the keys of a tree by their first part, then by the rest',
    examples: [
      [
        '{{#each (byKey (tree "app/groups"))}}{{@key}}:{{#each this}} {{Key}}={{Value}}{{/each}};{{/each}}',
        'blue: a=1 b=2;green: a=3;',
      ],
    ],
    values: [1, 1],
    options: [],
    run(_, [pairs]) {
      const groups = new Map<string, [string, unknown][]>();
      for (const pair of asList(pairs)) {
        const path = field(pair, 'Key');
        const end = path.includes('/') ? path.indexOf('/') : path.length;
        const rest = path.slice(end + 1);
        put(groups, path.slice(0, end), [rest, withKey(pair, rest)]);
      }
      return dict([...groups].map(([name, entries]) => [name, dict(entries)]));
    },
  },
  byTag: {
    usage: 'byTag (service "web")',
    meaning: 'object of lists: instances, or services, by each of their tags',
    examples: [
      [
        '{{#each (byTag (service "web"))}}{{@key}}:{{#each this}} {{Node}}{{/each}};{{/each}}',
        'blue: n1;main: n1 n2;',
      ],
    ],
    values: [1, 1],
    options: [],
    run: (_, [list]) =>
      grouped(list, (each) => asList(own(each, 'Tags', 'a list with Tags')).map((tag) => asText(tag))),
  },
  byMeta: {
    usage: 'byMeta (service "web") "zone"',
    meaning:
      'object of lists: instances by metadata; "a,b" by several, joined by "_"; "a|int" has numbers in order',
    examples: [
      [
        '{{#each (byMeta (service "web") "zone")}}{{@key}}:{{#each this}} {{Node}}{{/each}};{{/each}}',
        'eu: n1;us: n2;',
      ],
    ],
    values: [2, 2],
    options: [],
    run(_, [list, wanted]) {
      const names = textValue(wanted, 'names of metadata such as "zone"')
        .split(',')
        .map((each) => each.trim().split('|'));
      return grouped(list, (each) => {
        const meta = asDict(own(each, 'ServiceMeta', 'a list of service instances'));
        return [names.map(([name = '', type]) => metaKey(meta, name, type)).join('_')];
      });
    },
  },
  byPort: {
    usage: 'byPort (service "web")',
    meaning: 'object of lists: instances by their port, the least first',
    examples: [
      [
        '{{#each (byPort (service "web"))}}{{@key}}:{{#each this}} {{Node}}{{/each}};{{/each}}',
        '80: n1;8080: n2;',
      ],
    ],
    values: [1, 1],
    options: [],
    run(_, [list]) {
      const groups = grouped(list, (each) => [asText(own(each, 'Port', 'a list of service instances'))]);
      return Object.assign(groups, { [BY_NUMBER]: true });
    },
  },
  explode: {
    usage: 'explode (tree "app")',
    meaning: 'nested objects: the keys of a tree by the parts of their paths',
    examples: [
      ['{{toUnescapedJSON (explode (tree "app/groups"))}}', '{"blue":{"a":"1","b":"2"},"green":{"a":"3"}}'],
    ],
    values: [1, 1],
    options: [],
    run: (_, [pairs]) =>
      nested(asList(pairs).map((pair) => [field(pair, 'Key'), own(pair, 'Value', 'a list of keys')])),
  },
  explodeMap: {
    usage: 'explodeMap (parseJSON (key "app/flat"))',
    meaning: 'nested objects: the keys of an object by the parts of their paths',
    examples: [['{{toUnescapedJSON (explodeMap (parseJSON \'{"a/b":1,"a/c":2}\'))}}', '{"a":{"b":1,"c":2}}']],
    values: [1, 1],
    options: [],
    run: (_, [map]) => nested(Object.entries(asDict(map))),
  },
  mergeMap: {
    usage: 'mergeMap (explode (tree "app")) (explode (tree "base"))',
    meaning: 'both objects in one, at every depth; where both have a value, that of the first',
    examples: [
      [
        '{{toUnescapedJSON (mergeMap (parseJSON \'{"a":1}\') (parseJSON \'{"a":2,"b":3}\'))}}',
        '{"a":1,"b":3}',
      ],
    ],
    values: [2, 2],
    options: [],
    run: (_, [first, second]) => merged(asDict(second), asDict(first)),
  },
  mergeMapWithOverride: {
    usage: 'mergeMapWithOverride (explode (tree "base")) (explode (tree "app"))',
    meaning: 'both objects in one, at every depth; where both have a value, that of the second',
    examples: [
      [
        '{{toUnescapedJSON (mergeMapWithOverride (parseJSON \'{"a":1}\') (parseJSON \'{"a":2,"b":3}\'))}}',
        '{"a":2,"b":3}',
      ],
    ],
    values: [2, 2],
    options: [],
    run: (_, [first, second]) => merged(asDict(first), asDict(second)),
  },
} satisfies Record<string, Helper>;

function grouped(list: unknown, keysOf: (each: Dict) => readonly string[]): Record<string, unknown[]> {
  const groups = new Map<string, unknown[]>();
  for (const each of asList(list)) {
    if (!isDict(each)) throw new Error(`expected a list of objects, got one of ${inShort(each)}`);
    for (const key of new Set(keysOf(each))) put(groups, key, each);
  }
  return dict(groups);
}

function put<T>(groups: Map<string, T[]>, key: string, entry: T): void {
  const group = groups.get(key);
  if (group) group.push(entry);
  else groups.set(key, [entry]);
}

function own(each: unknown, name: string, what: string): unknown {
  if (isDict(each) && Object.hasOwn(each, name)) return each[name];
  throw new Error(`expected ${what}, got one without "${name}"`);
}

function field(pair: unknown, name: string): string {
  return asText(own(pair, name, 'a list of keys'));
}

/** The pair under another key; its value is still read only when it is used. */
function withKey(pair: unknown, Key: string): unknown {
  return Object.defineProperties(
    {},
    { ...Object.getOwnPropertyDescriptors(pair), Key: { value: Key, enumerable: true } },
  );
}

/** A part of a group's name. What an instance does not have is told apart from what is empty, as consul-template does. */
function metaKey(meta: Dict, name: string, type: string | undefined): string {
  const value = asText(meta[name]);
  if (type === undefined) return value === '' ? `_no_${name}_` : value.replace(/[^\w-]/g, '_');
  if (type !== 'int') throw new Error(`expected "|int" behind "${name}", got "|${type}"`);
  return String(asCount(value === '' ? 0 : value)).padStart(5, '0');
}

interface Node {
  [name: string]: Node | unknown;
}

function nested(entries: readonly (readonly [string, unknown])[]): unknown {
  const root: Node = Object.create(null);
  const made = new Set<unknown>([root]);
  for (const [path, value] of [...entries].sort(([a], [b]) => compare(a, b))) {
    const steps = path.split('/').filter((step) => step !== '');
    const last = steps.pop();
    if (last === undefined) continue;
    let node = root;
    for (const step of steps) {
      node[step] ??= newNode(made);
      if (!made.has(node[step]))
        throw new Error(
          `${JSON.stringify(path)} cannot be below ${JSON.stringify(step)}, which has a value itself`,
        );
      node = node[step] as Node;
    }
    if (made.has(node[last])) throw new Error(`${JSON.stringify(path)} has a value, and others below it`);
    node[last] = value;
  }
  return ordered(root, made);
}

function newNode(made: Set<unknown>): Node {
  const node: Node = Object.create(null);
  made.add(node);
  return node;
}

function ordered(node: unknown, made: Set<unknown>): unknown {
  if (!made.has(node)) return node;
  return dict(Object.entries(node as Node).map(([key, value]) => [key, ordered(value, made)]));
}

function merged(base: Dict, over: Dict): Dict {
  const result = sortedMap(base);
  for (const [key, value] of Object.entries(over)) {
    const below = result[key];
    result[key] = isDict(below) && isDict(value) ? merged(below, value) : value;
  }
  return sortedMap(result);
}
