import { didYouMean } from '../errors.ts';
import type { Helper } from './helpers/helper.ts';

/** The parts of Handlebars' syntax tree that are looked at here. */
export interface Node {
  type: string;
  loc: { start: { line: number } };
  body?: Node[];
  path?: Node;
  params?: Node[];
  hash?: { pairs: { key: string; value: Node }[] };
  program?: Node;
  inverse?: Node;
  blockParams?: string[];
  parts?: string[];
  original?: unknown;
  depth?: number;
  data?: boolean;
  escaped?: boolean;
}

type Signature = Pick<Helper, 'usage' | 'values' | 'options'>;

/** Handlebars' own blocks. `log` is left out: it writes to stdout, which is not ours. */
const BLOCKS: Readonly<Record<string, Signature>> = {
  if: { usage: '#if value', values: [1, 1], options: ['includeZero'] },
  unless: { usage: '#unless value', values: [1, 1], options: ['includeZero'] },
  each: { usage: '#each list', values: [1, 1], options: [] },
  with: { usage: '#with value', values: [1, 1], options: [] },
};

const LOOKUP: Signature = { usage: 'lookup list 0', values: [2, 2], options: [] };

/**
 * Finds what is wrong with a template before there are data: unknown helpers and options, a wrong number of values,
 * names that can mean nothing, and what is not supported.
 * @throws Error that names the line and what was expected
 */
export function checkTemplate(ast: Node, helpers: Readonly<Record<string, Signature>>): void {
  new Checker({ ...helpers, lookup: LOOKUP }).program(ast, { root: true, names: [] });
}

/** What is in sight at some place of a template. */
interface Scope {
  /** Not inside `#each` or `#with`: there is no data of ours here, so a bare name means nothing. */
  root: boolean;
  /** Block parameters: `as |peer|`. */
  names: readonly string[];
}

class Checker {
  readonly #helpers: Readonly<Record<string, Signature>>;

  constructor(helpers: Readonly<Record<string, Signature>>) {
    this.#helpers = helpers;
  }

  program(program: Node | undefined, scope: Scope): void {
    const inside = { ...scope, names: [...scope.names, ...(program?.blockParams ?? [])] };
    for (const node of program?.body ?? []) this.#statement(node, inside);
  }

  #statement(node: Node, scope: Scope): void {
    if (node.type === 'MustacheStatement') this.#call(node, scope);
    else if (node.type === 'BlockStatement') this.#block(node, scope);
    else if (node.type.startsWith('Decorator'))
      fail(node, 'decorators ({{* … }}, {{#* … }}) are not supported');
    else if (node.type.startsWith('Partial')) fail(node, 'partials ({{> … }}) are not supported yet');
  }

  #block(node: Node, scope: Scope): void {
    const name = simpleName(node.path);
    const block = name === undefined ? undefined : BLOCKS[name];
    if (block) this.#arguments(node, `#${name}`, block, scope);
    else if (name !== undefined && !scope.names.includes(name) && Object.hasOwn(this.#helpers, name))
      fail(node, `${name} is not a block (write {{#each (${name} …)}} or {{#if (${name} …)}})`);
    else if (node.params?.length || node.hash)
      fail(
        node,
        `unknown block "#${name ?? String(node.path?.original)}"${meant(name ?? '', Object.keys(BLOCKS))}`,
      );
    else this.#path(node.path, scope);
    const keepsContext = name === 'if' || name === 'unless';
    this.program(node.program, { ...scope, root: scope.root && keepsContext });
    this.program(node.inverse, scope);
  }

  /** `{{name …}}` or `(name …)`: a helper where it has values, else a helper or a field. */
  #call(node: Node, scope: Scope): void {
    const name = simpleName(node.path);
    const hasValues = node.type === 'SubExpression' || Boolean(node.params?.length) || Boolean(node.hash);
    const helper =
      name !== undefined && Object.hasOwn(this.#helpers, name) && !scope.names.includes(name)
        ? this.#helpers[name]
        : undefined;
    if (helper) this.#arguments(node, name ?? '', helper, scope);
    else if (hasValues) {
      const word = String(node.path?.original);
      fail(
        node,
        `unknown helper "${word}"${meant(word, [...Object.keys(this.#helpers), ...Object.keys(BLOCKS)])}`,
      );
    } else this.#path(node.path, scope);
  }

  #arguments(
    node: Node,
    name: string,
    { usage, values: [least, most], options }: Signature,
    scope: Scope,
  ): void {
    const count = node.params?.length ?? 0;
    if (count < least || count > most) {
      const expected = least === most ? `${least}` : `${least} to ${most}`;
      fail(
        node,
        `${name} takes ${expected} value${most === 1 ? '' : 's'}, got ${count} (such as {{${usage}}})`,
      );
    }
    for (const { key } of node.hash?.pairs ?? []) {
      if (!options.includes(key)) fail(node, `${name} has no option "${key}="${meant(key, options)}`);
    }
    for (const value of [...(node.params ?? []), ...(node.hash?.pairs ?? []).map((pair) => pair.value)]) {
      if (value.type === 'SubExpression') this.#call(value, scope);
      else this.#path(value, scope);
    }
  }

  #path(node: Node | undefined, scope: Scope): void {
    if (node?.type !== 'PathExpression' || !scope.root || node.data || (node.depth ?? 0) > 0) return;
    const [first] = node.parts ?? [];
    if (first !== undefined && scope.names.includes(first)) return;
    const word = String(node.original);
    fail(node, `nothing is called "${word}" here${meant(word, Object.keys(this.#helpers))}`);
  }
}

/** The name, where a path is nothing but one: not `this.name`, `../name`, `@name` or `a.b`. */
function simpleName(path: Node | undefined): string | undefined {
  if (path?.type !== 'PathExpression' || path.data || path.depth || path.parts?.length !== 1)
    return undefined;
  return path.original === path.parts[0] ? path.parts[0] : undefined;
}

function meant(word: string, candidates: readonly string[]): string {
  const near = didYouMean(word, candidates);
  return near === undefined ? '' : ` (did you mean "${near}"?)`;
}

function fail(node: Node, problem: string): never {
  throw new Error(`line ${node.loc.start.line}: ${problem}`);
}
