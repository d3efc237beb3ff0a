import type Handlebars from 'handlebars';
import { inShort } from './helpers/helper.ts';
import { isDict, isTruthy, MOST_TEXT, orderedEntries } from './helpers/value.ts';
import { step } from './limit.ts';

type Call = Handlebars.HelperOptions;

export interface Block {
  usage: string;
  meaning: string;
  examples: readonly (readonly [template: string, output: string])[];
  values: readonly [number, number];
  options: readonly string[];
  run(this: unknown, ...all: unknown[]): unknown;
}

/**
 * Handlebars' blocks in our own words: what is empty is what Go's templates take for empty, objects are shown in the
 * order of their keys, and a loop has an end.
 */
export const BLOCKS: Readonly<Record<string, Block>> = {
  if: {
    usage: '#if value',
    meaning: 'the block where the value is not empty, else the part behind {{else}} or {{else if …}}',
    examples: [['{{#if (keyExists "app/none")}}a{{else if (key "app/rate")}}b{{else}}c{{/if}}', 'b']],
    values: [1, 1],
    options: ['includeZero'],
    run(value, options) {
      const { fn, inverse, hash } = options as Call;
      return isTruthy(value) || (hash['includeZero'] && value === 0) ? fn(this) : inverse(this);
    },
  },
  unless: {
    usage: '#unless value',
    meaning:
      'the block where the value is empty: false, 0, nothing, or text, list or object with nothing in it',
    examples: [['{{#unless (ls "app/none")}}none{{/unless}}', 'none']],
    values: [1, 1],
    options: ['includeZero'],
    run(value, options) {
      const { fn, inverse, hash } = options as Call;
      return isTruthy(value) || (hash['includeZero'] && value === 0) ? inverse(this) : fn(this);
    },
  },
  with: {
    usage: '#with value',
    meaning: 'the block inside of the value, as |name| too, where it is not empty',
    examples: [
      ['{{#with (index (service "web") 0) as |web|}}{{Address}} {{web.Port}}{{/with}}', '10.0.0.1 80'],
    ],
    values: [1, 1],
    options: [],
    run(value, options) {
      const { fn, inverse, data } = options as Call;
      return isTruthy(value) ? fn(value, { data, blockParams: [value] }) : inverse(this);
    },
  },
  each: {
    usage: '#each list',
    meaning:
      'the block inside of each entry, as |entry place| too; @index, @key, @first, @last; objects by their keys',
    examples: [
      [
        '{{#each (service "web")}}{{@index}}={{Node}}{{#unless @last}}, {{/unless}}{{else}}none{{/each}}',
        '0=n1, 1=n2',
      ],
      ['{{#each (parseJSON \'{"b":1,"a":2}\') as |value name|}}{{name}}={{value}} {{/each}}', 'a=2 b=1 '],
    ],
    values: [1, 1],
    options: [],
    run(list, options) {
      const { fn, inverse, data } = options as Call;
      const entries = entriesOf(list);
      if (entries.length === 0) return inverse(this);
      let text = '';
      for (const [index, [key, value]] of entries.entries()) {
        const frame = {
          ...data,
          _parent: data,
          key,
          index,
          first: index === 0,
          last: index === entries.length - 1,
        };
        step();
        text += fn(value, { data: frame, blockParams: [value, key] });
        checkLength(text);
      }
      return text;
    },
  },
  raw: {
    usage: '{{raw}}',
    meaning: 'the block as it is, braces and all; a single one is written \\{{',
    examples: [['{{{{raw}}}}{{ not.ours }}{{{{/raw}}}} \\{{nor.this}}', '{{ not.ours }} {{nor.this}}']],
    values: [0, 0],
    options: [],
    run(options) {
      return (options as Call).fn(this);
    },
  },
};

/** @throws Error for a text that no config file has */
export function checkLength(text: string): void {
  if (text.length > MOST_TEXT) throw new Error(`the result is longer than ${MOST_TEXT} characters`);
}

function entriesOf(list: unknown): readonly (readonly [number | string, unknown])[] {
  if (list === undefined || list === null || list === '' || list === false) return [];
  if (Array.isArray(list)) return list.map((value: unknown, i) => [i, value]);
  if (isDict(list)) return orderedEntries(list);
  throw new Error(
    `#each: expected a list or an object, got ${typeof list === 'string' ? 'text' : inShort(list)}`,
  );
}
