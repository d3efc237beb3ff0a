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
      const places = precision === undefined ? undefined : Number(precision);
      if (Number(width ?? 0) > MOST_WIDTH || (places ?? 0) > 100)
        throw new Error(`expected a smaller width than that of ${directive}`);
      const converted = convert({ text: directive, verb, flags, precision: places }, values[next++]);
      // As in Go, zeros fill up no whole number whose digits are counted.
      const filling = places !== undefined && /[dobxX]/.test(verb) ? flags.replaceAll('0', '') : flags;
      const piece = pad(converted, filling, Number(width ?? 0));
      length += piece.length;
      return bounded(Math.min(length, MOST_TEXT + 1), () => piece);
    },
  );
  if (next < values.length) throw new Error(`expected ${next} values for the format, got ${values.length}`);
  return text;
}

interface Directive {
  text: string;
  verb: string;
  flags: string;
  precision: number | undefined;
}

function convert({ text, verb, flags, precision }: Directive, value: unknown): string {
  const cut = (whole: string): string =>
    precision === undefined ? whole : Array.from(whole).slice(0, precision).join('');
  const base = (radix: number): string =>
    signed(digits(asWhole(value).toString(radix), precision ?? 1), flags);
  const hexadecimal = (): string =>
    typeof value === 'string' ? Buffer.from(value).toString('hex') : base(16);
  switch (verb) {
    case 's':
      return cut(asText(value));
    case 'v':
      if (typeof value === 'number' && !Number.isInteger(value)) return general(value, precision, 21);
      return typeof value === 'object' && value !== null ? toJson(value) : asText(value);
    case 'q':
      return scalar(cut(asText(value)));
    case 't':
      if (typeof value === 'boolean') return String(value);
      throw new Error(`expected true or false for ${text}, got ${inShort(value)}`);
    case 'd':
      return base(10);
    case 'o':
      return base(8);
    case 'b':
      return base(2);
    case 'x':
      return hexadecimal();
    case 'X':
      return hexadecimal().toUpperCase();
    case 'c':
      return character(Number(asWhole(value)));
    case 'U':
      return `U+${asWhole(value).toString(16).toUpperCase().padStart(4, '0')}`;
    case 'f':
    case 'F':
      return signed(Number(asNumber(value)).toFixed(precision ?? 6), flags);
    case 'e':
      return signed(exponent(Number(asNumber(value)).toExponential(precision ?? 6)), flags);
    case 'g':
      return signed(general(Number(asNumber(value)), precision, 6), flags);
    case 'E':
    case 'G':
      return convert({ text, verb: verb.toLowerCase(), flags, precision }, value).toUpperCase();
    default:
      throw new Error(`no verb of printf is written ${text} (write %% for a percent sign)`);
  }
}

/**
 * A number in the shorter of two forms: with an exponent where that is less than -4, or not less than the digits.
 * @param most how many digits there may be without an exponent where no precision is given
 */
function general(value: number, precision: number | undefined, most: number): string {
  const rounded = precision === undefined ? value : Number(value.toPrecision(precision || 1));
  const [mantissa = '', power = ''] = rounded.toExponential().split('e');
  const count = mantissa.replace(/\D/g, '').length;
  const wanted = precision || 1;
  const limit = precision === undefined ? most : wanted > count && count > Number(power) ? count : wanted;
  const isShort = Number(power) >= -4 && Number(power) < limit;
  return isShort ? String(rounded) : exponent(`${mantissa}e${power}`);
}

/** What is no character's number is U+FFFD, as in Go. */
function character(number: number): string {
  const isOne = number >= 0 && number <= 0x10_ffff && !(number >= 0xd800 && number <= 0xdfff);
  return isOne ? String.fromCodePoint(number) : '\ufffd';
}

/** At least so many digits. */
function digits(text: string, least: number): string {
  const [sign = ''] = /^-/.exec(text) ?? [];
  return sign + text.slice(sign.length).padStart(least, '0');
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
