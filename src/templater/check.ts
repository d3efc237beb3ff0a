import { didYouMean } from '../errors.ts';
import { BLOCKS } from './blocks.ts';
import { countWords, type Helper } from './helpers/helper.ts';

/** The parts of Handlebars' syntax tree that are looked at here. */
export interface Node {
  type: string;
  loc: { start: { line: number } };
  body?: Node[];
  path?: Node;
  /** Of a partial. */
  name?: Node;
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

export interface Vocabulary {
  helpers: Readonly<Record<string, Signature>>;
  /** Why helpers of the user's own are not there. */
  problem: string | undefined;
  /** The syntax tree of a partial; undefined where there is none of that name. */
  partial(name: string): Node | undefined;
}

/** What a template makes use of. */
export interface Uses {
  helpers: Set<string>;
  /** By name; also those that partials include. */
  partials: Map<string, Node>;
}

const LOOKUP: Signature = { usage: 'lookup list 0', values: [2, 2], options: [] };

/** Functions of consul-template that there are none of, and why. */
const ABSENT: Readonly<Record<string, string>> = {
  ...each('secret secrets pkiCert', 'supervise does not read Vault'),
  ...each(
    'nomadServices nomadService nomadVarList nomadVarListSafe nomadVar nomadVarExists',
    'supervise does not read Nomad',
  ),
  ...each('peerings partitions exportedServices importedServices', 'it is not supported'),
  plugin: 'templates run no programs (helpers of your own: --helpers FILE)',
  writeToFile: 'a template writes its own file only',
  executeTemplate: 'write {{> name}}, with templates/partials/name.hbs',
  scratch: 'write {{set "name" value}} and (get "name")',
  log: 'templates have no log',
};

/**
 * Finds what is wrong with a template before there are data: unknown helpers and options, a wrong number of values,
 * names that can mean nothing, and what is not supported. Partials are looked at where they are included, since what a
 * name means depends on that.
 *
 * What has the name of a helper and is none, a field or `@key`, is made `./name`, since Handlebars would call the helper.
 * @throws Error that names the line and what was expected
 */
export function checkTemplate(ast: Node, vocabulary: Vocabulary): Uses {
  const checker = new Checker(vocabulary);
  checker.program(ast, { root: true, names: [], fields: [] });
  return checker.uses;
}

/** What is in sight at some place of a template. */
interface Scope {
  /** Not inside `#each` or `#with`: there is no data of ours here, so a bare name means nothing. */
  root: boolean;
  /** Block parameters: `as |peer|`. */
  names: readonly string[];
  /** Options that a partial was included with. */
  fields: readonly string[];
}

class Checker {
  readonly uses: Uses = { helpers: new Set(), partials: new Map() };
  readonly #vocabulary: Vocabulary;
  readonly #helpers: Readonly<Record<string, Signature>>;
  /** Partials with the scope that they were looked at in; also what ends a recursion. */
  readonly #seen = new Set<string>();

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
    this.#helpers = { ...vocabulary.helpers, lookup: LOOKUP };
  }

  program(program: Node | undefined, scope: Scope): void {
    const inside = { ...scope, names: [...scope.names, ...(program?.blockParams ?? [])] };
    for (const node of program?.body ?? []) this.#statement(node, inside);
  }

  #statement(node: Node, scope: Scope): void {
    if (node.type === 'MustacheStatement') this.#call(node, scope);
    else if (node.type === 'BlockStatement') this.#block(node, scope);
    else if (node.type === 'PartialStatement') this.#partial(node, scope);
    else if (node.type === 'PartialBlockStatement')
      fail(node, 'partials with a block ({{#> … }}) are not supported');
    else if (node.type.startsWith('Decorator'))
      fail(node, 'decorators ({{* … }}, {{#* … }}) are not supported');
  }

  #block(node: Node, scope: Scope): void {
    const name = simpleName(node.path);
    const block = name === undefined || scope.names.includes(name) ? undefined : own(BLOCKS, name);
    if (block) this.#arguments(node, `#${name}`, block, scope);
    else if (name !== undefined && !scope.names.includes(name) && own(this.#helpers, name))
      fail(node, `${name} is not a block (write {{#each (${name} …)}} or {{#if (${name} …)}})`);
    else {
      const word = String(node.path?.original);
      const hint =
        node.params?.length || node.hash
          ? meant(word, Object.keys(BLOCKS))
          : ` (write {{#if ${word}}}, {{#with ${word}}} or {{#each ${word}}})`;
      fail(node, `unknown block "#${word}"${hint}`);
    }
    const keepsContext = name === 'if' || name === 'unless' || name === 'raw';
    this.program(node.program, { ...scope, root: scope.root && keepsContext });
    this.program(node.inverse, scope);
  }

  /** `{{> name context option=value}}`. */
  #partial(node: Node, scope: Scope): void {
    const name =
      node.name?.type === 'PathExpression' || node.name?.type === 'StringLiteral'
        ? String(node.name.original)
        : '';
    if (name === '' || name.startsWith('@'))
      fail(node, 'expected the name of a partial such as {{> head}}: no value can name one');
    const ast = this.#vocabulary.partial(name);
    if (!ast) fail(node, `no partial is called "${name}" (expected templates/partials/${name}.hbs)`);
    this.uses.partials.set(name, ast);
    this.#values(node, scope);
    const fields = (node.hash?.pairs ?? []).map(({ key }) => key).sort();
    const inside: Scope = {
      root: scope.root && !node.params?.length,
      names: [],
      fields: [...new Set([...fields, ...(node.params?.length ? [] : scope.fields)])],
    };
    const place = JSON.stringify([name, inside]);
    if (this.#seen.has(place)) return;
    this.#seen.add(place);
    try {
      this.program(ast, inside);
    } catch (error) {
      throw new Error(`partial "${name}", ${(error as Error).message}`, { cause: error });
    }
  }

  /** `{{name …}}` or `(name …)`: a helper where it has values, else a helper or a field. */
  #call(node: Node, scope: Scope): void {
    const name = simpleName(node.path);
    const hasValues = node.type === 'SubExpression' || Boolean(node.params?.length) || Boolean(node.hash);
    if (!hasValues && node.path && (node.path.data || (name !== undefined && this.#isField(name, scope)))) {
      node.path.original = `./${String(node.path.original)}`;
      return;
    }
    const helper = name !== undefined && !scope.names.includes(name) ? own(this.#helpers, name) : undefined;
    if (helper) {
      this.uses.helpers.add(name ?? '');
      this.#arguments(node, name ?? '', helper, scope);
    } else if (hasValues) this.#unknown(node, String(node.path?.original));
    else if (node.path?.type !== 'PathExpression') fail(node, 'expected a helper or a field, got a value');
    else this.#path(node.path, scope);
  }

  /** Whether a name alone, that may be a helper's too, is a field of the data here. */
  #isField(name: string, { root, names, fields }: Scope): boolean {
    if (names.includes(name)) return false;
    if (fields.includes(name)) return true;
    const helper = own(this.#helpers, name);
    return !root && (own(BLOCKS, name) !== undefined || (helper !== undefined && helper.values[0] > 0));
  }

  #unknown(node: Node, word: string): never {
    if (own(BLOCKS, word)) fail(node, `${word} is a block (write {{#${word} …}}…{{/${word}}})`);
    const absent = own(ABSENT, word);
    if (absent !== undefined) fail(node, `there is no helper "${word}": ${absent}`);
    fail(node, `unknown helper "${word}"${this.#reason(word)}`);
  }

  /** Why a word is not known: a typing error, unless it may be one of the user's own. */
  #reason(word: string): string {
    const { problem } = this.#vocabulary;
    return problem === undefined ? meant(word, Object.keys(this.#helpers)) : ` (${problem})`;
  }

  #arguments(
    node: Node,
    name: string,
    { usage, values: [least, most], options }: Signature,
    scope: Scope,
  ): void {
    const count = node.params?.length ?? 0;
    if (count < least || count > most) {
      const expected = countWords(least, most);
      const ending = most === 1 || (most === Number.POSITIVE_INFINITY && least === 1) ? '' : 's';
      fail(node, `${name} takes ${expected} value${ending}, got ${count} (such as {{${usage}}})`);
    }
    for (const { key } of node.hash?.pairs ?? []) {
      if (options && !options.includes(key))
        fail(node, `${name} has no option "${key}="${meant(key, options)}`);
    }
    this.#values(node, scope);
  }

  #values(node: Node, scope: Scope): void {
    for (const value of [...(node.params ?? []), ...(node.hash?.pairs ?? []).map((pair) => pair.value)]) {
      if (value.type === 'SubExpression') this.#call(value, scope);
      else if (value.type === 'NumberLiteral' && !Number.isSafeInteger(Math.trunc(Number(value.original))))
        fail(value, 'a number has too many digits to keep them all (write it in quotes)');
      else this.#path(value, scope);
    }
  }

  #path(node: Node | undefined, scope: Scope): void {
    if (node?.type === 'PathExpression' && String(node.original).startsWith('$'))
      fail(
        node,
        `nothing is called "${String(node.original)}" (a field of that name is [${String(node.original)}])`,
      );
    if (node?.type !== 'PathExpression' || !scope.root || node.data || (node.depth ?? 0) > 0) return;
    const [first] = node.parts ?? [];
    if (first !== undefined && (scope.names.includes(first) || scope.fields.includes(first))) return;
    const word = String(node.original);
    if (own(this.#helpers, word)) fail(node, `${word} is a helper (write it in parentheses, as (${word} …))`);
    fail(node, `nothing is called "${word}" here${this.#reason(word)}`);
  }
}

/** The name, where a path is nothing but one: not `this.name`, `../name`, `@name` or `a.b`. */
function simpleName(path: Node | undefined): string | undefined {
  if (path?.type !== 'PathExpression' || path.data || path.depth || path.parts?.length !== 1)
    return undefined;
  return path.original === path.parts[0] ? path.parts[0] : undefined;
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function each(names: string, why: string): Record<string, string> {
  return Object.fromEntries(names.split(' ').map((name) => [name, why]));
}

function meant(word: string, candidates: readonly string[]): string {
  const near = didYouMean(word, candidates);
  return near === undefined ? '' : ` (did you mean "${near}"?)`;
}

function fail(node: Node, problem: string): never {
  throw new Error(`line ${node.loc.start.line}: ${problem}`);
}
