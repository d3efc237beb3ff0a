import { compare } from '../source/records.ts';
import { type Helper, inShort, MANY } from './helper.ts';
import { asCount, asNumber, asText, asWhole, isDict, isTruthy, MOST_ENTRIES } from './value.ts';

/** Conditions, as Go's templates have them. */
export const LOGIC = {
  eq: {
    usage: 'eq Status "passing"',
    meaning: 'whether the first equals one of the others; text and numbers are never compared',
    examples: [
      ['{{#if (eq (key "app/env") "dev" "prod")}}yes{{/if}}', 'yes'],
      ['{{eq (parseInt (key "app/rate")) 5}}', 'true'],
    ],
    values: [2, MANY],
    options: [],
    run: (_, [first, ...others]) => others.some((other) => order(first, other) === 0),
  },
  ne: {
    usage: 'ne Status "passing"',
    meaning: 'whether they differ',
    examples: [['{{ne (key "app/env") "prod"}}', 'false']],
    values: [2, 2],
    options: [],
    run: (_, [a, b]) => order(a, b) !== 0,
  },
  lt: comparison('lt', 'is less than', '2 10', 'true', (sign) => sign < 0),
  le: comparison('le', 'is at most', '2 2', 'true', (sign) => sign <= 0),
  gt: comparison('gt', 'is more than', '2 10', 'false', (sign) => sign > 0),
  ge: comparison('ge', 'is at least', '2 2', 'true', (sign) => sign >= 0),
  and: {
    usage: 'and a b',
    meaning: 'the first value that is empty, else the last; all are evaluated',
    examples: [['{{#if (and (keyExists "app/rate") (keyExists "app/none"))}}both{{else}}no{{/if}}', 'no']],
    values: [1, MANY],
    options: [],
    run: (_, values) => values.find((each) => !isTruthy(each)) ?? values.at(-1),
  },
  or: {
    usage: 'or a b',
    meaning: 'the first value that is not empty, else the last; all are evaluated',
    examples: [['{{or (env "NONE") (key "app/rate")}}', '5']],
    values: [1, MANY],
    options: [],
    run: (_, values) => values.find(isTruthy) ?? values.at(-1),
  },
  not: {
    usage: 'not a',
    meaning: 'whether it is empty: false, 0, nothing, or a text, list or object with nothing in it',
    examples: [['{{not (ls "app/none")}}', 'true']],
    values: [1, 1],
    options: [],
    run: (_, [value]) => !isTruthy(value),
  },
  len: {
    usage: 'len (service "web")',
    meaning: 'how many entries, or characters',
    examples: [['{{len (service "web")}} {{len "é!"}}', '2 2']],
    values: [1, 1],
    options: [],
    run(_, [value]) {
      if (value === undefined || value === null) return 0;
      if (Array.isArray(value)) return value.length;
      if (typeof value === 'string') return Array.from(value).length;
      if (isDict(value)) return Object.keys(value).length;
      throw new Error(`expected a list, an object or text, got ${inShort(value)}`);
    },
  },
  index: {
    usage: 'index (service "web") 0',
    meaning: 'the entry of a list at a place from 0 on, or of an object under a key; further ones go deeper',
    examples: [
      ['{{#with (index (service "web") 0)}}{{Address}}{{/with}}', '10.0.0.1'],
      ['{{index (parseJSON (key "app/json")) "list" 1}}', '20'],
    ],
    values: [2, MANY],
    options: [],
    run: (_, [value, ...steps]) => steps.reduce(entry, value),
  },
  slice: {
    usage: 'slice "v1.2" 1',
    meaning: 'the part of a list or text from one place up to, not including, another',
    examples: [['{{slice "abcd" 1 3}} {{len (slice (split "a,b,c" ",") 1)}}', 'bc 2']],
    values: [2, 3],
    options: [],
    run(_, [value, from, to]) {
      const entries = typeof value === 'string' ? Array.from(value) : value;
      if (!Array.isArray(entries)) throw new Error(`expected a list or text, got ${inShort(value)}`);
      const start = asCount(from);
      const end = to === undefined ? entries.length : asCount(to);
      if (start > end || end > entries.length)
        throw new Error(`expected a part of ${entries.length} entries, got ${start} to ${end}`);
      const part = entries.slice(start, end);
      return typeof value === 'string' ? part.join('') : part;
    },
  },
  loop: {
    usage: 'loop 3',
    meaning: 'the numbers from 0, or from the first of two, up to, not including, the last',
    examples: [['{{#each (loop 3)}}{{this}}{{/each}} {{#each (loop 5 7)}}{{this}}{{/each}}', '012 56']],
    values: [1, 2],
    options: [],
    run(_, values) {
      const [start, end] = (values.length === 1 ? [0, ...values] : values).map((each) =>
        Number(asWhole(each)),
      );
      const count = Math.max(0, (end ?? 0) - (start ?? 0));
      if (count > MOST_ENTRIES) throw new Error(`expected at most ${MOST_ENTRIES} rounds, got ${count}`);
      return Array.from({ length: count }, (_, i) => (start ?? 0) + i);
    },
  },
} satisfies Record<string, Helper>;

/**
 * How two values stand to each other: less than 0, 0, more than 0.
 * @throws Error where they cannot be compared, such as a number with text
 */
export function order(a: unknown, b: unknown): number {
  const [first, second] = [simple(a), simple(b)];
  if (typeof first === 'string' && typeof second === 'string') return compare(first, second);
  if (typeof first === 'boolean' && typeof second === 'boolean') return Number(first) - Number(second);
  if (isNumber(first) && isNumber(second)) return first < second ? -1 : first > second ? 1 : 0;
  if (typeof first === 'object' || typeof second === 'object')
    throw new Error(`expected simple values, got ${inShort(typeof first === 'object' ? first : second)}`);
  const hint = isNumber(first) || isNumber(second) ? ' (parseInt and parseFloat make a number of text)' : '';
  throw new Error(`cannot compare ${kind(first)} with ${kind(second)}${hint}`);
}

/** Whether two values are the same; values of different kinds are not. */
export function isSame(a: unknown, b: unknown): boolean {
  try {
    return order(a, b) === 0;
  } catch {
    return false;
  }
}

function comparison(
  name: string,
  words: string,
  sample: string,
  output: string,
  holds: (sign: number) => boolean,
): Helper {
  return {
    usage: `${name} 2 10`,
    meaning: `whether the first ${words} the second; two texts go by the alphabet`,
    examples: [[`{{${name} ${sample}}}`, output]],
    values: [2, 2],
    options: [],
    run: (_, [a, b]) => holds(order(a, b)),
  };
}

/** A field that is not there is the empty text, as it is when printed. */
function simple(value: unknown): unknown {
  return value === undefined || value === null ? '' : value;
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

function kind(value: unknown): string {
  return isNumber(value) ? 'a number' : typeof value === 'string' ? 'text' : 'true or false';
}

function entry(value: unknown, step: unknown): unknown {
  if (Array.isArray(value)) {
    const place = asNumber(step);
    if (typeof place !== 'number' || !Number.isInteger(place) || place < 0 || place >= value.length)
      throw new Error(`expected a place below ${value.length}, got ${place}`);
    return value[place];
  }
  if (!isDict(value)) throw new Error(`expected a list or an object, got ${inShort(value)}`);
  const key = asText(step, 'a key of the object');
  // Records of Consul complain themselves about a field that they cannot have.
  return Object.hasOwn(value, key) || !Object.hasOwn(Object.prototype, key) ? value[key] : undefined;
}
