import type { Helper } from './helper.ts';
import { asText, bounded } from './value.ts';

/**
 * Regular expressions in Go's syntax. Those that take time without end, which Go's cannot, are ended by the time limit
 * of the render.
 */
export const REGEX = {
  regexMatch: {
    usage: 'regexMatch Node "^web[0-9]+$"',
    meaning: 'whether the expression, in Go’s syntax, is found in the text',
    examples: [['{{regexMatch "foo.bar" "(?i)^FOO[.[:alpha:]]+$"}}', 'true']],
    values: [2, 2],
    options: [],
    run: (_, [text, expression]) => compile(asText(expression)).test(asText(text)),
  },
  regexReplaceAll: {
    usage: 'regexReplaceAll Node "web([0-9]+)" "n${1}"',
    meaning: 'with each place that it is found at replaced; $1 and ${name} are its groups',
    examples: [['{{regexReplaceAll "web12 web3" "web(?P<n>[0-9]+)" "n${n}"}}', 'n12 n3']],
    values: [3, 3],
    options: [],
    run(_, [value, expression, replacement]) {
      const [text, put] = [asText(value), asText(replacement)];
      let length = text.length;
      let end = -1;
      return text.replace(compile(asText(expression)), (...found: unknown[]) => {
        const groups = typeof found.at(-1) === 'object' ? (found.pop() as Record<string, string>) : {};
        const [match, at] = [String(found[0]), Number(found.at(-2))];
        // To Go, nothing right behind a match is none.
        if (match === '' && at === end) return '';
        end = at + match.length;
        const piece = expand(put, found.slice(0, -2) as string[], groups);
        length += piece.length;
        return bounded(length, () => piece);
      });
    },
  },
} satisfies Record<string, Helper>;

const CLASSES: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t\\x20',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: '\\x20-~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r\\x20',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

/** Go's perl classes know only ASCII; JavaScript's `\s` is wider. */
const PERL: Readonly<Record<string, string>> = { s: '[\\t\\n\\f\\r\\x20]', S: '[^\\t\\n\\f\\r\\x20]' };

/** What Go's syntax has and JavaScript's has not, piece by piece. The order matters. */
const PIECES = new RegExp(
  [
    '(?<quoted>\\\\Q(?<literal>[\\s\\S]*?)(?:\\\\E|$))',
    '(?<named>\\(\\?P<)',
    '(?<flags>\\(\\?(?<on>[a-zA-Z]*)(?:-[a-zA-Z]+)?\\))',
    '(?<posix>\\[:(?<not>\\^?)(?<name>[a-z]+):\\])',
    '(?<braces>\\\\x\\{(?<hex>[0-9A-Fa-f]+)\\})',
    '(?<property>\\\\(?<p>[pP])(?:(?<letter>[A-Z])|\\{(?<class>\\w+)\\}))',
    '(?<escape>\\\\(?<sign>[\\s\\S]))',
    '(?<repeat>\\{\\d+(?:,\\d*)?\\})',
    '(?<brace>[{}])',
    '(?<dot>\\.)',
    '(?<edge>[$^])',
    '(?<open>\\[\\^?\\]?)',
    '(?<close>\\])',
  ].join('|'),
  'g',
);

/** @throws Error that says what is wrong with the expression */
export function compile(expression: string): RegExp {
  const flags = new Set<string>();
  let inClass = false;
  const source = expression.replace(PIECES, (piece: string, ...rest: unknown[]) => {
    const at = rest.at(-3) as number;
    const found = rest.at(-1) as Record<string, string | undefined>;
    if (found['quoted'] !== undefined)
      return (found['literal'] ?? '').replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
    if (found['posix'] !== undefined) {
      const name = found['name'] ?? '';
      const set = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
      if (set === undefined || !inClass || found['not'])
        throw new Error(`cannot read ${piece} in the expression`);
      return set;
    }
    if (found['braces'] !== undefined) return `\\u{${found['hex']}}`;
    if (found['property'] !== undefined) {
      const name = found['letter'] ?? found['class'] ?? '';
      return `\\${found['p']}{${name.length > 2 ? `Script=${name}` : name}}`;
    }
    if (found['escape'] !== undefined) return escaped(found['sign'] ?? '', inClass);
    if (found['close'] !== undefined) {
      const closes = inClass;
      inClass = false;
      return closes ? piece : '\\]';
    }
    if (found['open'] !== undefined) {
      if (inClass) {
        inClass = !piece.endsWith(']');
        return piece.replace('[', '\\[');
      }
      inClass = true;
      // A "]" that comes first stands for itself.
      return piece.replace(/\]$/, '\\]');
    }
    if (inClass || found['repeat'] !== undefined) return piece;
    if (found['dot'] !== undefined) return flags.has('s') ? '[\\s\\S]' : '[^\\n]';
    if (found['edge'] !== undefined) return edge(piece, flags.has('m'));
    if (found['brace'] !== undefined) return `\\${piece}`;
    if (found['named'] !== undefined) return '(?<';
    if (at !== 0 || piece.includes('-') || /[^ims]/.test(found['on'] ?? ''))
      throw new Error(`cannot read ${piece} in the expression (only (?i), (?m) and (?s) at its start)`);
    for (const flag of found['on'] ?? '') flags.add(flag);
    return '';
  });
  try {
    return new RegExp(source, flags.has('i') ? 'giu' : 'gu');
  } catch (error) {
    const cause = (error as Error).message.split(': ').at(-1) ?? '';
    throw new Error(`cannot read the expression: ${cause.charAt(0).toLowerCase()}${cause.slice(1)}`, {
      cause: error,
    });
  }
}

/** JavaScript has more line breaks than the one of Go, so that its own flag for lines is of no use. */
function edge(sign: string, ofLines: boolean): string {
  if (!ofLines) return sign;
  return sign === '^' ? '(?<=^|\\n)' : '(?=\\n|$)';
}

function escaped(sign: string, inClass: boolean): string {
  if (sign === 'A' && !inClass) return '^';
  if (sign === 'z' && !inClass) return '$';
  if (/[1-9k]/.test(sign)) throw new Error(`cannot read \\${sign} in the expression: nothing can refer back`);
  if (sign === 'a') return '\\x07';
  if (PERL[sign] !== undefined && !inClass) return PERL[sign];
  if (sign === 's' && inClass) return '\\t\\n\\f\\r\\x20';
  if (sign === 'S' && inClass) return '\\x00-\\x08\\x0B\\x0E-\\x1F\\x21-\\u{10FFFF}';
  // Signs without a meaning may be escaped in Go, and may not in JavaScript.
  if (/[^A-Za-z0-9\s]/.test(sign) && !/[\^$\\.*+?()[\]{}|/-]/.test(sign)) return sign;
  return sign === '-' && !inClass ? '-' : `\\${sign}`;
}

/** `$1`, `$name` (the longest name there is), `${1}`, `${name}`, `$$`; what names no group is nothing. */
function expand(
  template: string,
  found: readonly string[],
  groups: Readonly<Record<string, string>>,
): string {
  return template.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (sign, bare?: string, braced?: string) => {
    const name = bare ?? braced;
    if (name === undefined) return sign === '$$' ? '$' : sign;
    return (/^\d+$/.test(name) ? found[Number(name)] : groups[name]) ?? '';
  });
}
