import { SyntaxProblem } from './problem.ts';

/** Where actions begin and end: `{{` and `}}`, unless told otherwise. */
export interface Delimiters {
  left: string;
  right: string;
}

export type TokenKind =
  /** Text between actions, white space trimmed as `{{-` and `-}}` say. */
  | 'text'
  | 'comment'
  | 'open'
  | 'close'
  /** A name that is no keyword: a function. */
  | 'word'
  | 'keyword'
  /** `.Name`; its value has no dot. */
  | 'field'
  /** `$` or `$name`. */
  | 'variable'
  /** Decoded. */
  | 'string'
  /** As it was written. */
  | 'number'
  /** `.` `(` `)` `|` `,` `:=` `=` */
  | 'sign';

export interface Token {
  kind: TokenKind;
  value: string;
  at: number;
  /** Whether white space stands before it, which parts one operand from the next. */
  spaced: boolean;
}

const KEYWORDS = new Set([
  'if',
  'else',
  'end',
  'range',
  'with',
  'define',
  'template',
  'block',
  'break',
  'continue',
]);
const COMMENT_START = '/*';
const COMMENT_END = '*/';

/**
 * Cuts a template into tokens, as Go's text/template does it.
 * @throws SyntaxProblem
 */
export function lex(source: string, { left, right }: Delimiters): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  while (at <= source.length) {
    const open = source.indexOf(left, at);
    const end = open < 0 ? source.length : open;
    const inside = end + left.length;
    const trimsLeft = open >= 0 && source[inside] === '-' && isSpace(source[inside + 1]);
    let text = source.slice(at, end);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, '');
    if (trimsLeft) text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') tokens.push({ kind: 'text', value: text, at, spaced: false });
    if (open < 0) break;
    const start = trimsLeft ? inside + 1 : inside;
    const skipped = start + (/^[ \t\r\n]*/.exec(source.slice(start))?.[0].length ?? 0);
    // A comment stands directly behind the delimiter, or behind its trim marker and one blank.
    const comment = trimsLeft ? skipped : start;
    const scan = source.startsWith(COMMENT_START, comment)
      ? lexComment(source, comment, right)
      : lexAction(source, open, start, right);
    tokens.push(...scan.tokens);
    ({ end: at, trimNext } = scan);
  }
  return tokens;
}

interface Scan {
  tokens: Token[];
  end: number;
  trimNext: boolean;
}

function lexComment(source: string, start: number, right: string): Scan {
  const end = source.indexOf(COMMENT_END, start);
  if (end < 0) throw new SyntaxProblem(start, 'a comment that has no end');
  const behind = end + COMMENT_END.length;
  const close = closing(source, behind, right);
  if (!close) throw new SyntaxProblem(start, `a comment must be followed by ${right} at once`);
  const value = source.slice(start + COMMENT_START.length, end);
  return { tokens: [{ kind: 'comment', value, at: start, spaced: false }], ...close };
}

/** The right delimiter at this place, with or without its trim marker. */
function closing(source: string, at: number, right: string): { end: number; trimNext: boolean } | undefined {
  if (isSpace(source[at]) && source[at + 1] === '-' && source.startsWith(right, at + 2))
    return { end: at + 2 + right.length, trimNext: true };
  return source.startsWith(right, at) ? { end: at + right.length, trimNext: false } : undefined;
}

function lexAction(source: string, open: number, start: number, right: string): Scan {
  const tokens: Token[] = [{ kind: 'open', value: '', at: open, spaced: false }];
  let at = start;
  let spaced = false;
  for (;;) {
    const close = closing(source, at, right);
    if (close) return { tokens: [...tokens, { kind: 'close', value: '', at, spaced }], ...close };
    if (at >= source.length) throw new SyntaxProblem(open, 'an action that has no end');
    if (isSpace(source[at])) {
      at++;
      spaced = true;
      continue;
    }
    const token = lexToken(source, at);
    tokens.push({ kind: token.kind, value: token.value, at, spaced });
    at = token.end;
    spaced = false;
  }
}

function lexToken(source: string, at: number): { kind: TokenKind; value: string; end: number } {
  const rest = source.slice(at, at + 4096);
  const is = (pattern: RegExp): string | undefined => pattern.exec(rest)?.[0];
  const first = rest.charAt(0);
  if (first === '"') return lexQuoted(source, at);
  if (first === '`') {
    const end = source.indexOf('`', at + 1);
    if (end < 0) throw new SyntaxProblem(at, 'a raw string that has no end');
    return { kind: 'string', value: source.slice(at + 1, end).replaceAll('\r', ''), end: end + 1 };
  }
  if (first === "'") return lexChar(source, at);
  const number = is(
    /^[+-]?(?:0[xX][\da-fA-F_]+(?:\.[\da-fA-F_]*)?(?:[pP][+-]?\d+)?|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?[\d_]+)?)i?/,
  );
  if (number !== undefined && number !== '') {
    if (/^[\p{L}\p{N}_]/u.test(source.slice(at + number.length)))
      throw new SyntaxProblem(at, 'a number that cannot be read');
    return { kind: 'number', value: number, end: at + number.length };
  }
  const field = is(/^\.[\p{L}_][\p{L}\p{N}_]*/u);
  if (field !== undefined) return { kind: 'field', value: field.slice(1), end: at + field.length };
  const variable = is(/^\$[\p{L}\p{N}_]*/u);
  if (variable !== undefined) return { kind: 'variable', value: variable, end: at + variable.length };
  const word = is(/^[\p{L}_][\p{L}\p{N}_]*/u);
  if (word !== undefined)
    return { kind: KEYWORDS.has(word) ? 'keyword' : 'word', value: word, end: at + word.length };
  const sign = is(/^(?::=|[.()|,=])/);
  if (sign !== undefined) return { kind: 'sign', value: sign, end: at + sign.length };
  throw new SyntaxProblem(at, `a character that cannot stand there: ${JSON.stringify(first)}`);
}

const SIMPLE: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

function lexQuoted(source: string, at: number): { kind: TokenKind; value: string; end: number } {
  const bytes: Buffer[] = [];
  let i = at + 1;
  while (source[i] !== '"') {
    if (i >= source.length || source[i] === '\n') throw new SyntaxProblem(at, 'a string that has no end');
    const unit = lexUnit(source, i);
    bytes.push(unit.bytes);
    i = unit.end;
  }
  return { kind: 'string', value: Buffer.concat(bytes).toString('utf8'), end: i + 1 };
}

/** A rune; in Go it is a number. */
function lexChar(source: string, at: number): { kind: TokenKind; value: string; end: number } {
  const unit = source[at + 1] === undefined ? undefined : lexUnit(source, at + 1);
  if (!unit || source[unit.end] !== "'") throw new SyntaxProblem(at, 'a character constant that has no end');
  const code = unit.bytes.toString('utf8').codePointAt(0) ?? 0;
  return { kind: 'number', value: String(code), end: unit.end + 1 };
}

/** One character of a quoted string, or one escape. Escapes by number stand for bytes, `\u` for a character. */
function lexUnit(source: string, at: number): { bytes: Buffer; end: number } {
  const rest = source.slice(at, at + 12);
  if (!rest.startsWith('\\')) {
    const character = String.fromCodePoint(source.codePointAt(at) ?? 0);
    return { bytes: Buffer.from(character), end: at + character.length };
  }
  const simple = SIMPLE[rest.charAt(1)];
  if (simple !== undefined) return { bytes: Buffer.from(simple), end: at + 2 };
  const [byte, hex, octal] = /^\\(?:x([\da-fA-F]{2})|([0-7]{3}))/.exec(rest) ?? [];
  if (byte !== undefined) {
    const value = hex === undefined ? Number.parseInt(octal ?? '0', 8) : Number.parseInt(hex, 16);
    return { bytes: Buffer.from([value & 0xff]), end: at + byte.length };
  }
  const [code, four, eight] = /^\\(?:u([\da-fA-F]{4})|U([\da-fA-F]{8}))/.exec(rest) ?? [];
  if (code === undefined) throw new SyntaxProblem(at, 'an escape in a string that does not exist');
  const point = Number.parseInt(four ?? eight ?? '0', 16);
  if (point > 0x10ffff) throw new SyntaxProblem(at, 'an escape in a string that is no character');
  return { bytes: Buffer.from(String.fromCodePoint(point)), end: at + code.length };
}

function isSpace(character: string | undefined): boolean {
  return character === ' ' || character === '\t' || character === '\r' || character === '\n';
}
