import { type Helper, inShort, MANY } from './helper.ts';
import { isSame } from './logic.ts';
import { asList } from './value.ts';

/** What a list holds. The other values are given one by one, as a list, or both. */
export const SETS = {
  contains: {
    usage: 'contains Tags "prod"',
    meaning: 'whether a list has the value, or text has it in it',
    examples: [
      ['{{#each (service "web")}}{{#if (contains Tags "blue")}}{{Node}}{{/if}}{{/each}}', 'n1'],
      ['{{contains "foobar" "oba"}}', 'true'],
    ],
    values: [2, 2],
    options: [],
    run: (_, [list, value]) => has(list, value),
  },
  in: {
    usage: 'in Tags "prod"',
    meaning: 'the same as contains',
    examples: [['{{in (split "a,b" ",") "b"}}', 'true']],
    values: [2, 2],
    options: [],
    run: (_, [list, value]) => has(list, value),
  },
  containsAll: {
    usage: 'containsAll Tags "a" "b"',
    meaning: 'whether it has all of the others',
    examples: [['{{containsAll (split "a,b,c" ",") "a" "c"}}', 'true']],
    values: [1, MANY],
    options: [],
    run: (_, [list, ...values]) => values.flat().every((each) => has(list, each)),
  },
  containsAny: {
    usage: 'containsAny Tags "a" "b"',
    meaning: 'whether it has one of the others',
    examples: [['{{containsAny (split "a,b,c" ",") (split "c,d" ",")}}', 'true']],
    values: [1, MANY],
    options: [],
    run: (_, [list, ...values]) => values.flat().some((each) => has(list, each)),
  },
  containsNone: {
    usage: 'containsNone Tags "a" "b"',
    meaning: 'whether it has none of the others',
    examples: [['{{containsNone (split "a,b,c" ",") "d"}}', 'true']],
    values: [1, MANY],
    options: [],
    run: (_, [list, ...values]) => !values.flat().some((each) => has(list, each)),
  },
  containsNotAll: {
    usage: 'containsNotAll Tags "a" "b"',
    meaning: 'whether it lacks one of the others',
    examples: [['{{containsNotAll (split "a,b,c" ",") "a" "d"}}', 'true']],
    values: [1, MANY],
    options: [],
    run: (_, [list, ...values]) => !values.flat().every((each) => has(list, each)),
  },
} satisfies Record<string, Helper>;

function has(where: unknown, value: unknown): boolean {
  if (typeof where !== 'string') return asList(where).some((each) => isSame(each, value));
  if (typeof value === 'string') return where.includes(value);
  throw new Error(`expected text to look for in a text, got ${inShort(value)}`);
}
