import { didYouMean } from '../../errors.ts';
import { BLOCKS } from '../blocks.ts';
import { countWords } from '../helpers/helper.ts';
import { HELPERS } from '../helpers/index.ts';
import { RISKY, turnable, turnOf } from './functions.ts';
import type { Scope } from './scope.ts';
import type { Expression } from './tree.ts';

/** Told what cannot be turned. */
export type Complain = (at: number, what: string, hint?: string) => void;

/** Names that mean something to Handlebars wherever they stand. */
const RESERVED = new Set(['true', 'false', 'null', 'undefined', 'this', 'else', 'as']);
/** A bare name of these is not a field. */
const TAKEN = new Set([...Object.keys(HELPERS), ...Object.keys(BLOCKS), 'lookup']);

/** Stands where something could not be turned: a helper that nobody has, so that the template is refused as long as it is there. */
const BY_HAND = 'by-hand';

export interface Expressions {
  /** As the argument of a helper or block: `Address`, `(key "a")`, `"text"`. */
  value(expression: Expression, scope: Scope): string;
  /** Between braces: `{{key "a"}}`; or text, where it is a constant. */
  print(expression: Expression, scope: Scope): { text: string } | { source: string };
  /** What could not be turned, between braces. */
  byHand(words: string): string;
}

/** Turns Go's expressions into those of Handlebars. */
export function createExpressions(complain: Complain): Expressions {
  const byHand = (words: string): string => `{{${BY_HAND} ${quote(words)}}}`;
  const byHandValue = (words: string): string => `(${BY_HAND} ${quote(words)})`;

  const value = (expression: Expression, scope: Scope): string => {
    switch (expression.kind) {
      case 'string':
        return quote(expression.value);
      case 'number':
        return number(expression, complain) ?? byHandValue(expression.value);
      case 'bool':
        return String(expression.value);
      case 'nil':
        return 'null';
      case 'dot':
      case 'variable':
        return reference(expression, scope) ?? byHandValue('.');
      case 'fields':
        return fields(expression, scope);
      case 'call': {
        const inner = call(expression, scope);
        return inner === undefined ? byHandValue(expression.name) : `(${inner})`;
      }
      case 'method':
        complain(
          expression.at,
          `${expression.words} a field or a variable: Go calls a method`,
          'write a helper of your own for it (--helpers FILE)',
        );
        return byHandValue('a method');
    }
  };

  const reference = (
    expression: Expression & { kind: 'dot' | 'variable' },
    scope: Scope,
  ): string | undefined => {
    if (expression.kind === 'dot') {
      if (scope.hasDot) return 'this';
      complain(
        expression.at,
        'a dot outside of range and with',
        'there are no data at the top of a template',
      );
      return undefined;
    }
    const found = scope.find(expression.name);
    if (found !== undefined) return found.kind === 'block' ? found.name : `(get ${quote(found.name)})`;
    if (expression.name === '$')
      complain(expression.at, 'a $ at the top of a template', 'there are no data at the top of a template');
    else complain(expression.at, `the variable ${expression.name} is not declared here`);
    return undefined;
  };

  const fields = ({ of, names }: Expression & { kind: 'fields' }, scope: Scope): string => {
    const [first = ''] = names;
    if (of.kind === 'dot') {
      if (reference(of, scope) === undefined) return byHandValue(`.${names.join('.')}`);
      const path = names.map(segment).join('.');
      return TAKEN.has(first) || RESERVED.has(first) || scope.isBlockName(first) ? `this.${path}` : path;
    }
    const base = value(of, scope);
    if (of.kind === 'variable' && !base.startsWith('(')) return [base, ...names.map(segment)].join('.');
    return names.reduce((inner, name) => `(lookup ${inner} ${quote(name)})`, base);
  };

  /** A call without its parentheses; undefined where it cannot be turned. */
  const call = (expression: Expression & { kind: 'call' }, scope: Scope): string | undefined => {
    const { name, args, at } = expression;
    const turn = turnOf(name);
    if (!turn) {
      const near = didYouMean(name, turnable());
      complain(at, `no function of consul-template is called ${name}`, near && `did you mean ${near}?`);
      return undefined;
    }
    if ('instead' in turn) {
      complain(at, `${name} is not carried over`, turn.instead);
      return undefined;
    }
    const [least, most] = turn.args;
    if (args.length < least || args.length > most) {
      const expected = countWords(least, most);
      complain(at, `${name} takes ${expected} argument${expected === '1' ? '' : 's'}, got ${args.length}`);
      return undefined;
    }
    const written =
      name === 'and' || name === 'or' ? decided(expression, scope) : args.map((each) => value(each, scope));
    const options = turn.options ?? (isGuarded(expression, scope) ? 'required=false' : undefined);
    const subject = turn.subjectLast ? [written.at(-1) ?? '', ...written.slice(0, -1)] : written;
    const values =
      turn.joined === undefined || args.length < 2 ? subject : [joined(args, written, turn.joined)];
    return [turn.name ?? name, ...values, ...(options === undefined ? [] : [options])].join(' ');
  };

  /** Arguments of `and` and `or`: Go stops at the first that decides, here all are evaluated. */
  const decided = ({ name, args }: Expression & { kind: 'call' }, scope: Scope): string[] => {
    const guarded: string[] = [];
    return args.map((each, i) => {
      const inner = name === 'and' ? scope.guard(guarded) : scope;
      const risk = i === 0 ? undefined : risky(each, inner);
      if (risk)
        complain(
          risk.at,
          `${risk.name} behind "${name}": here it is evaluated whatever stands before it`,
          'write one {{if}} inside of the other',
        );
      if (risk) return byHandValue(risk.name);
      const [path] = each.kind === 'call' && each.name === 'keyExists' ? each.args : [];
      if (path?.kind === 'string') guarded.push(path.value);
      return value(each, inner);
    });
  };

  return {
    value,
    print(expression, scope) {
      if (expression.kind === 'string') return { text: expression.value };
      if (expression.kind === 'bool') return { text: String(expression.value) };
      if (expression.kind === 'number') {
        const text = number(expression, complain);
        return text === undefined
          ? { source: `{{${BY_HAND} ${quote(expression.value)}}}` }
          : { text: text.replace(/^\(parseInt "(.*)"\)$/, '$1') };
      }
      if (expression.kind === 'nil') {
        complain(expression.at, 'nil is printed');
        return { source: byHand('nil') };
      }
      const printed = expression.kind === 'call' ? turnOf(expression.name) : undefined;
      if (expression.kind === 'call' && printed && 'returns' in printed) {
        complain(
          expression.at,
          `${expression.name} is printed as a whole, in Go's own notation`,
          `print it with ${printed.returns === 'list' ? 'join' : 'toJSON'}, or range over it`,
        );
        return { source: byHand(expression.name) };
      }
      const source = value(expression, scope);
      return { source: source.startsWith('(') ? `{{${source.slice(1, -1)}}}` : `{{${source}}}` };
    },
    byHand,
  };
}

/** The first call in an expression that had better not be evaluated where Go would not. */
export function risky(expression: Expression, scope: Scope): (Expression & { kind: 'call' }) | undefined {
  if (expression.kind === 'fields') return risky(expression.of, scope);
  if (expression.kind !== 'call') return undefined;
  if (RISKY.has(expression.name) && !isGuarded(expression, scope)) return expression;
  for (const each of expression.args) {
    const found = risky(each, scope);
    if (found) return found;
  }
  return undefined;
}

/** `and (keyExists "a") (key "a")`: where it is evaluated though it is not there, it must not be waited for. */
function isGuarded({ name, args }: Expression & { kind: 'call' }, scope: Scope): boolean {
  const [path] = args;
  return name === 'key' && path?.kind === 'string' && scope.guarded.has(path.value);
}

/** Several arguments as one: a text where all are, else put together by a helper. */
function joined(args: readonly Expression[], written: readonly string[], between: string): string {
  if (args.every((each) => each.kind === 'string'))
    return quote(args.map(({ value }) => value).join(between));
  const parts = written.flatMap((each, i) => (i === 0 || between === '' ? [each] : [quote(between), each]));
  return `(print ${parts.join(' ')})`;
}

/** Handlebars knows whole and decimal numbers; those that JavaScript would round are written as text. */
function number({ value, at }: Expression & { kind: 'number' }, complain: Complain): string | undefined {
  const text = value.replaceAll('_', '');
  if (/^[+-]?\d+$/.test(text) && !/^[+-]?0\d/.test(text)) return whole(BigInt(text.replace(/^\+/, '')));
  const [, sign = '', prefix = '', digits] = /^([+-]?)(0[xXbBoO]?)([\da-fA-F]+)$/.exec(text) ?? [];
  if (digits !== undefined) {
    const magnitude = BigInt(prefix === '0' ? `0o${digits}` : `${prefix}${digits}`);
    return whole(sign === '-' ? -magnitude : magnitude);
  }
  const float = Number(text);
  const plain = String(float);
  // Go prints others with an exponent.
  if (/^-?\d+\.\d+$/.test(plain) && Math.abs(float) >= 1e-4 && Math.abs(float) < 1e21) return plain;
  complain(at, `the number ${value}`, 'write it as a plain decimal number');
  return undefined;
}

function whole(value: bigint): string {
  return Number.isSafeInteger(Number(value)) ? String(value) : `(parseInt "${value}")`;
}

/** What a block calls a variable of Go's: its name without the `$`, unless that means something already. */
export function blockName(variable: string, scope: Scope): string {
  let name = variable.slice(1).replace(/^\p{N}/u, '_$&');
  while (TAKEN.has(name) || RESERVED.has(name) || scope.isBlockName(name)) name += '_';
  return name;
}

function segment(name: string): string {
  return RESERVED.has(name) ? `[${name}]` : name;
}

/** A text as Handlebars writes it: its one escape is that of the quote. */
export function quote(text: string): string {
  // A backslash at the end would escape the closing quote, and there is no way to escape that.
  const [, rest = text, slashes = ''] = /^(.*[^\\]|)(\\+)$/s.exec(text) ?? [];
  if (slashes !== '')
    return `(printf "%s${'%c'.repeat(slashes.length)}" ${quote(rest)}${' 92'.repeat(slashes.length)})`;
  return text.includes('"') && !text.includes("'") ? `'${text}'` : `"${text.replaceAll('"', '\\"')}"`;
}
