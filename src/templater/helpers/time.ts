import { type Helper, textValue } from './helper.ts';

export const TIME = {
  timestamp: {
    usage: 'timestamp "2006-01-02"',
    meaning:
      'when this was rendered, in UTC: a layout of Go’s, or "unix"; a template is not rendered anew for it',
    examples: [
      ['{{timestamp}}', '2026-01-02T03:04:05Z'],
      [
        '{{timestamp "Mon Jan _2 15:04:05 2006"}} {{timestamp "unix"}}',
        'Fri Jan  2 03:04:05 2026 1767323045',
      ],
    ],
    values: [0, 1],
    options: [],
    run(pass, [layout]) {
      const now = pass.now();
      if (layout === undefined) return formatTime(now, '2006-01-02T15:04:05Z07:00');
      if (layout === 'unix') return Math.floor(now.getTime() / 1000);
      return formatTime(now, textValue(layout, 'a layout such as "2006-01-02", or "unix"'));
    },
  },
} satisfies Record<string, Helper>;

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** Every part that a layout can have, the longer before what they begin with. */
const PARTS =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|__2|002|01|02|03|04|05|06|15|-070000|-07:00:00|-0700|-07:00|-07|Z070000|Z07:00:00|Z0700|Z07:00|Z07|[.,](?:0+|9+)(?!\d)|_2(?!006)|PM|pm|1|2|3|4|5/g;

/** A time, in UTC, in a layout of Go's: how the second of January 2006 at 15:04:05 would be written. */
export function formatTime(time: Date, layout: string): string {
  const hour12 = time.getUTCHours() % 12 || 12;
  const yearDay = Math.floor((time.getTime() - Date.UTC(time.getUTCFullYear(), 0, 1)) / 86_400_000) + 1;
  const two = (value: number): string => String(value).padStart(2, '0');
  const month = MONTHS[time.getUTCMonth()] ?? '';
  const day = DAYS[time.getUTCDay()] ?? '';
  const parts: Readonly<Record<string, string>> = {
    January: month,
    Jan: month.slice(0, 3),
    Monday: day,
    Mon: day.slice(0, 3),
    MST: 'UTC',
    '2006': String(time.getUTCFullYear()).padStart(4, '0'),
    '06': two(time.getUTCFullYear() % 100),
    '01': two(time.getUTCMonth() + 1),
    '1': String(time.getUTCMonth() + 1),
    '02': two(time.getUTCDate()),
    _2: String(time.getUTCDate()).padStart(2),
    '2': String(time.getUTCDate()),
    '002': String(yearDay).padStart(3, '0'),
    __2: String(yearDay).padStart(3),
    '15': two(time.getUTCHours()),
    '03': two(hour12),
    '3': String(hour12),
    '04': two(time.getUTCMinutes()),
    '4': String(time.getUTCMinutes()),
    '05': two(time.getUTCSeconds()),
    '5': String(time.getUTCSeconds()),
    PM: time.getUTCHours() < 12 ? 'AM' : 'PM',
    pm: time.getUTCHours() < 12 ? 'am' : 'pm',
    '-070000': '+000000',
    '-07:00:00': '+00:00:00',
    '-07:00': '+00:00',
    '-0700': '+0000',
    '-07': '+00',
    Z070000: 'Z',
    'Z07:00:00': 'Z',
    'Z07:00': 'Z',
    Z0700: 'Z',
    Z07: 'Z',
  };
  return layout.replace(PARTS, (part) => parts[part] ?? fraction(part, time.getUTCMilliseconds()));
}

/** `.000` has as many digits as it has zeros, `.999` no zeros at its end. */
function fraction(part: string, milliseconds: number): string {
  const digits = String(milliseconds)
    .padStart(3, '0')
    .padEnd(9, '0')
    .slice(0, part.length - 1);
  if (part.charAt(1) === '0') return part.charAt(0) + digits.padEnd(part.length - 1, '0');
  const short = digits.replace(/0+$/, '');
  return short === '' ? '' : part.charAt(0) + short;
}
