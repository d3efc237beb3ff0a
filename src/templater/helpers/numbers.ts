import { type Helper, inShort, MANY, readSwitch } from './helper.ts';
import { asNumber, asText, describeValue, isWhole, type Whole, whole } from './value.ts';

const INT64 = [-(2n ** 63n), 2n ** 63n - 1n] as const;
const UINT64 = [0n, 2n ** 64n - 1n] as const;

/** Whole numbers are exact, however large; of others the result is what floating point makes of it. */
export const NUMBERS = {
  add: arithmetic('add', '+', [['{{add (key "app/rate") 2}}', '7']], {
    exact: (a, b) => a + b,
    float: (a, b) => a + b,
  }),
  subtract: arithmetic('subtract', '-', [['{{subtract 5 2}}', '3']], {
    exact: (a, b) => a - b,
    float: (a, b) => a - b,
  }),
  multiply: arithmetic('multiply', '*', [['{{multiply "9007199254740993" 3}}', '27021597764222979']], {
    exact: (a, b) => a * b,
    float: (a, b) => a * b,
  }),
  divide: {
    usage: 'divide 7 2',
    meaning: 'the first divided by the second; of whole numbers a whole one, unless fraction=true',
    examples: [
      ['{{divide 7 2}} {{divide 7 2 fraction=true}} {{divide 7.5 2}}', '3 3.5 3.75'],
      ['{{divide -7 2}}', '-3'],
    ],
    values: [2, 2],
    options: ['fraction'],
    run(_, [dividend, divisor], { fraction }) {
      const [a, b] = [asNumber(dividend), asNumber(divisor)];
      if (Number(b) === 0) throw new Error('expected a divisor other than 0');
      if (isWhole(a) && isWhole(b) && !readSwitch('fraction', fraction)) return whole(BigInt(a) / BigInt(b));
      return Number(a) / Number(b);
    },
  },
  modulo: {
    usage: 'modulo 7 2',
    meaning: 'what is left of the division, with the sign of the first',
    examples: [['{{modulo 7 2}} {{modulo -7 2}}', '1 -1']],
    values: [2, 2],
    options: [],
    run(_, [dividend, divisor]) {
      const [a, b] = [asNumber(dividend), asNumber(divisor)];
      if (!isWhole(a) || !isWhole(b)) throw new Error('expected whole numbers');
      if (Number(b) === 0) throw new Error('expected a divisor other than 0');
      return whole(BigInt(a) % BigInt(b));
    },
  },
  minimum: {
    usage: 'minimum 2 5',
    meaning: 'the least',
    examples: [['{{minimum 2 (key "app/rate")}}', '2']],
    values: [2, MANY],
    options: [],
    run: (_, values) => values.map(asNumber).reduce((a, b) => (b < a ? b : a)),
  },
  maximum: {
    usage: 'maximum 2 5',
    meaning: 'the greatest',
    examples: [['{{maximum 2 (key "app/rate")}}', '5']],
    values: [2, MANY],
    options: [],
    run: (_, values) => values.map(asNumber).reduce((a, b) => (b > a ? b : a)),
  },
  parseBool: {
    usage: 'parseBool (key "app/debug")',
    meaning: 'true for 1, t, true; false for 0, f, false',
    examples: [['{{#if (parseBool (key "app/debug"))}}on{{else}}off{{/if}}', 'off']],
    values: [1, 1],
    options: [],
    run(_, [value]) {
      const text = asText(value);
      if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
      if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
      throw new Error(`expected true or false, got ${describeValue(value)}`);
    },
  },
  parseInt: {
    usage: 'parseInt (key "app/rate")',
    meaning: 'a whole number of 64 bits',
    examples: [['{{json (parseInt "9223372036854775807")}}', '9223372036854775807']],
    values: [1, 1],
    options: [],
    run: (_, [value]) => parseWhole(value, INT64),
  },
  parseUint: {
    usage: 'parseUint (key "app/rate")',
    meaning: 'a whole number of 64 bits, not below 0',
    examples: [['{{parseUint "18446744073709551615"}}', '18446744073709551615']],
    values: [1, 1],
    options: [],
    run: (_, [value]) => parseWhole(value, UINT64),
  },
  parseFloat: {
    usage: 'parseFloat "1.5"',
    meaning: 'a number',
    examples: [['{{multiply (parseFloat "1.5") 2}}', '3']],
    values: [1, 1],
    options: [],
    run: (_, [value]) => asNumber(value),
  },
} satisfies Record<string, Helper>;

function arithmetic(
  name: string,
  sign: string,
  examples: Helper['examples'],
  work: { exact: (a: bigint, b: bigint) => bigint; float: (a: number, b: number) => number },
): Helper {
  return {
    usage: `${name} 5 2`,
    meaning: `the first ${sign} the second`,
    examples,
    values: [2, 2],
    options: [],
    run(_, [first, second]) {
      const [a, b] = [asNumber(first), asNumber(second)];
      if (isWhole(a) && isWhole(b)) return inReason(whole(work.exact(BigInt(a), BigInt(b))));
      const result = work.float(Number(a), Number(b));
      if (!Number.isFinite(result)) throw new Error('its result is no number');
      return result;
    },
  };
}

/** Numbers that grow with every step would take time and memory without end. */
function inReason(value: Whole): Whole {
  if (typeof value === 'bigint' && (value > 2n ** 1024n || value < -(2n ** 1024n)))
    throw new Error('its result has more than 1024 bits');
  return value;
}

function parseWhole(value: unknown, [least, most]: readonly [bigint, bigint]): Whole {
  const text = asText(value);
  if (!/^[+-]?\d{1,30}$/.test(text))
    throw new Error(
      `expected a whole number, got ${typeof value === 'number' ? inShort(value) : describeValue(value)}`,
    );
  const number = BigInt(text.replace(/^\+/, ''));
  if (number < least || number > most)
    throw new Error(`expected a number from ${least} to ${most}, got one outside of it`);
  return whole(number);
}
