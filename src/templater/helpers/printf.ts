import { type Helper, inShort, MANY } from './helper.ts';
import { scalar, toJson } from './json.ts';
import { asNumber, asText, asWhole, bounded, MOST_TEXT } from './value.ts';

export const PRINTF = {
  printf: {
    usage: 'printf "app/%s/%03d" "web" 7',
    meaning: 'text with values put in for %s %v %d %f %e %g %q %t %x %X %o %b %c %U %%, as Go does',
    examples: [
      [
        '{{key (printf "app/%s" "rate")}} {{printf "%03d|%-5s|%5.2f|%q|%x" 7 "ab" 1.005 "a" 255}}',
        '5 007|ab   | 1.00|"a"|ff',
      ],
    ],
    values: [1, MANY],
    options: [],
    run: (_, [format, ...values]) => printf(asText(format, 'a format'), values),
  },
} satisfies Record<string, Helper>;

/** Too much of either is no layout, but a mistake. */
const MOST_WIDTH = 1_000_000;

/** @throws Error for a verb that is not known, and for too many or too few values */
export function printf(format: string, values: readonly unknown[]): string {
  let next = 0;
  let length = format.length;
  const text = format.replace(
    /%([-+ 0#]*)(\d+)?(?:\.(\d*))?([\s\S]|$)/gu,
    (directive, flags: string, width: string | undefined, precision: string | undefined, verb: string) => {
      if (verb === '%') return '%';
      if (next >= values.length) throw new Error(`expected a value for ${directive}, got none`);
      const digits = precision === undefined ? undefined : Number(precision);
      if (Number(width ?? 0) > MOST_WIDTH || (digits ?? 0) > 100)
        throw new Error(`expected a smaller width than that of ${directive}`);
      const piece = pad(convert(directive, verb, values[next++], flags, digits), flags, Number(width ?? 0));
      length += piece.length;
      return bounded(Math.min(length, MOST_TEXT + 1), () => piece);
    },
  );
  if (next < values.length) throw new Error(`expected ${next} values for the format, got ${values.length}`);
  return text;
}

function convert(
  directive: string,
  verb: string,
  value: unknown,
  flags: string,
  precision: number | undefined,
): string {
  const cut = (text: string): string =>
    precision === undefined ? text : Array.from(text).slice(0, precision).join('');
  const base = (radix: number): string => signed(asWhole(value).toString(radix), flags);
  switch (verb) {
    case 's':
      return cut(asText(value));
    case 'v':
      return typeof value === 'object' && value !== null ? toJson(value) : asText(value);
    case 'q':
      return scalar(cut(asText(value)));
    case 't':
      if (typeof value === 'boolean') return String(value);
      throw new Error(`expected true or false for ${directive}, got ${inShort(value)}`);
    case 'd':
      return base(10);
    case 'o':
      return base(8);
    case 'b':
      return base(2);
    case 'x':
      return typeof value === 'string' ? Buffer.from(value).toString('hex') : base(16);
    case 'X':
      return (typeof value === 'string' ? Buffer.from(value).toString('hex') : base(16)).toUpperCase();
    case 'c':
      return String.fromCodePoint(Number(asWhole(value)));
    case 'U':
      return `U+${asWhole(value).toString(16).toUpperCase().padStart(4, '0')}`;
    case 'f':
    case 'F':
      return signed(Number(asNumber(value)).toFixed(precision ?? 6), flags);
    case 'e':
    case 'E': {
      const text = exponent(Number(asNumber(value)).toExponential(precision ?? 6));
      return signed(verb === 'E' ? text.toUpperCase() : text, flags);
    }
    case 'g':
    case 'G': {
      const number = Number(asNumber(value));
      return signed(
        exponent(precision ? String(Number(number.toPrecision(precision))) : String(number)),
        flags,
      );
    }
    default:
      throw new Error(`no verb of printf is written ${directive} (write %% for a percent sign)`);
  }
}

function signed(text: string, flags: string): string {
  if (text.startsWith('-')) return text;
  return flags.includes('+') ? `+${text}` : flags.includes(' ') ? ` ${text}` : text;
}

/** Go's exponents have at least two digits. */
function exponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

function pad(text: string, flags: string, width: number): string {
  const missing = width - Array.from(text).length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (!flags.includes('0')) return ' '.repeat(missing) + text;
  const [sign = ''] = /^[+-]/.exec(text) ?? [];
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}
