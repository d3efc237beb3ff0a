import { blockName, type Complain, createExpressions, type Expressions, quote, risky } from './expression.ts';
import { type Branch, type Piece, tidy } from './piece.ts';
import { Scope } from './scope.ts';
import type { Control, Define, Expression, Node, Parsed, Pipeline } from './tree.ts';

export interface Translated {
  body: Piece[];
  /** The templates that it defines, by their names in Go. */
  partials: { name: string; body: Piece[] }[];
}

/** The names under which values are put aside, in all of a template and what it defines. */
type Names = Set<string>;

/**
 * Turns a Go template into pieces of Handlebars.
 * @param partialName what the partial of a defined template is called
 * @param complain told what cannot be turned; something that Handlebars refuses then stands in its place
 */
export function translate(
  { body, defines }: Parsed,
  partialName: (name: string) => string,
  complain: Complain,
): Translated {
  const names: Names = new Set();
  const defined = new Set(defines.map(({ name }) => name));
  const expressions = createExpressions(complain);
  const translator = (): Translator => new Translator({ expressions, names, defined, partialName, complain });
  const recursive = recursiveOnes(defines);
  return {
    body: translator().all(body, new Scope(false)),
    partials: defines.map((define) => {
      const one = translator();
      const partial = one.partial(define);
      if (recursive.has(define.name) && one.putsAside) {
        complain(
          define.at,
          `the template "${define.name}" calls itself and has variables`,
          'a variable here is one for all calls: pass values on as arguments',
        );
        partial.unshift({ kind: 'print', source: expressions.byHand(define.name) });
      }
      return { name: define.name, body: partial };
    }),
  };
}

interface Context {
  expressions: Expressions;
  names: Names;
  defined: ReadonlySet<string>;
  partialName: (name: string) => string;
  complain: Complain;
}

class Translator {
  readonly #context: Context;
  /** Whether it puts values aside, which last to the end of the whole run. */
  putsAside = false;
  /** Under which name the argument of a partial is put aside, once something needs it. */
  #root: string | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  all(nodes: readonly Node[], scope: Scope): Piece[] {
    return tidy(nodes.flatMap((node) => this.#node(node, scope)));
  }

  /** A defined template: its dot and its `$` are what it is called with. */
  partial({ name, body }: Define): Piece[] {
    const scope = new RootScope(() => {
      this.#root ??= this.#newName(`$.${this.#context.partialName(name)}`);
      return this.#root;
    });
    const pieces = this.all(body, scope);
    if (this.#root === undefined) return pieces;
    return [{ kind: 'print', source: `{{set ${quote(this.#root)} this}}` }, ...pieces];
  }

  #node(node: Node, scope: Scope): Piece[] {
    const { complain, expressions } = this.#context;
    switch (node.kind) {
      case 'text':
        return [{ kind: 'text', value: node.value }];
      case 'comment':
        return [
          { kind: 'note', source: `{{!--${node.value.replaceAll('--', '- -').replace(/-$/, '- ')}--}}` },
        ];
      case 'jump':
        complain(node.at, `{{${node.word}}} has no counterpart`, 'put the rest of the loop into an {{if}}');
        return [{ kind: 'print', source: expressions.byHand(node.word) }];
      case 'template':
        return [this.#call(node.name, node.value, node.at, scope)];
      case 'action':
        return this.#action(node.pipeline, scope);
      case 'if':
        return this.#if(node, scope);
      case 'range':
        return this.#range(node, scope);
      case 'with':
        return this.#with(node, scope);
    }
  }

  #action(pipeline: Pipeline, scope: Scope): Piece[] {
    const { complain, expressions } = this.#context;
    const { names, declares, value, at } = pipeline;
    const [name] = names;
    if (name !== undefined) {
      const before = declares ? scope.own(name) : scope.find(name);
      if (!declares && !before) complain(at, `the variable ${name} is not declared here`);
      if (!declares && before?.kind === 'block') complain(at, `the variable ${name} is given another value`);
      const source = expressions.value(value, scope);
      const aside = before?.kind === 'aside' ? before.name : this.#declare(name, scope);
      return [{ kind: 'print', source: `{{set ${quote(aside)} ${source}}}` }];
    }
    if (value.kind === 'call' && value.name === 'executeTemplate') {
      const [template, argument, ...more] = value.args;
      if (template?.kind === 'string' && more.length === 0)
        return [this.#call(template.value, argument, value.at, scope)];
    }
    const otherwise = split('or', value, scope);
    if (otherwise) {
      const [first, rest] = otherwise;
      const head = `{{#with ${expressions.value(first, scope)}}}`;
      const branches: Branch[] = [
        { source: head, body: [{ kind: 'print', source: '{{this}}' }] },
        { source: '{{else}}', body: this.#action({ ...pipeline, value: rest }, scope) },
      ];
      return [{ kind: 'block', name: 'with', branches }];
    }
    const printed = expressions.print(value, scope);
    return 'text' in printed ? [{ kind: 'text', value: printed.text }] : [{ kind: 'print', ...printed }];
  }

  /** `{{template "name" value}}`. */
  #call(name: string, value: Expression | undefined, at: number, scope: Scope): Piece {
    const { complain, defined, expressions, partialName } = this.#context;
    if (!defined.has(name)) {
      complain(
        at,
        `the template "${name}" is not defined in this file`,
        'convert the file that defines it with it',
      );
      return { kind: 'print', source: expressions.byHand(`template ${name}`) };
    }
    const passesDot = value === undefined || value.kind === 'dot';
    const argument = passesDot ? '' : ` ${expressions.value(value, scope)}`;
    return { kind: 'partial', source: `{{> ${partialName(name)}${argument}}}` };
  }

  #if(node: Control, scope: Scope): Piece[] {
    const { pipeline, body, otherwise } = node;
    const inner = scope.inner();
    // `and` of what must not be evaluated too soon is an if inside of an if.
    const parts = otherwise === undefined ? apart(pipeline, inner) : undefined;
    if (parts) {
      const [first, rest] = parts;
      const nested: Control = { ...node, pipeline: { ...pipeline, value: rest } };
      const branch = {
        source: `{{#if ${this.#context.expressions.value(first, inner)}}}`,
        body: this.#if(nested, inner),
      };
      return [{ kind: 'block', name: 'if', branches: [branch] }];
    }
    const { before, condition } = this.#condition(pipeline, inner);
    const branches: Branch[] = [{ source: `{{#if ${condition}}}`, body: this.all(body, inner.inner()) }];
    if (otherwise) branches.push(...this.#else('if', otherwise, inner.inner()));
    return [...before, { kind: 'block', name: 'if', branches }];
  }

  /** The other branches; those of a single block of the same kind are chained, as `{{else if}}`. */
  #else(name: string, nodes: readonly Node[], scope: Scope): Branch[] {
    const pieces = this.all(nodes, scope);
    const [only] = pieces;
    if (pieces.length !== 1 || only?.kind !== 'block' || only.name !== name)
      return [{ source: '{{else}}', body: pieces }];
    const [first, ...rest] = only.branches;
    if (!first) return [];
    return [{ ...first, source: first.source.replace('{{#', '{{else ') }, ...rest];
  }

  /** A condition, and what declares its variable before it. */
  #condition({ names, declares, value, at }: Pipeline, scope: Scope): { before: Piece[]; condition: string } {
    const { expressions } = this.#context;
    const [name] = names;
    if (name === undefined) return { before: [], condition: expressions.value(value, scope) };
    const before = this.#action({ names, declares, value, at }, scope);
    return { before, condition: expressions.value({ kind: 'variable', name, at }, scope) };
  }

  #range({ pipeline, body, otherwise }: Control, scope: Scope): Piece[] {
    const { expressions } = this.#context;
    const { names, declares, value } = pipeline;
    const list = expressions.value(value, scope);
    const inside = scope.inner(true);
    const [first, second] = names;
    const entry = second ?? first;
    const place = second === undefined ? undefined : first;
    if (!declares && names.length > 0)
      this.#context.complain(
        pipeline.at,
        'range gives values to variables of outside',
        'declare them with :=',
      );
    const aside: Piece[] = [];
    const param = (name: string | undefined): string | undefined => {
      if (name === undefined) return undefined;
      const given = blockName(name, inside);
      inside.declare(name, { kind: 'block', name: given });
      if (!isAssigned(name, body)) return given;
      aside.push({ kind: 'print', source: `{{set ${quote(this.#declare(name, inside))} ${given}}}` });
      return given;
    };
    const params = [param(entry), param(place)].filter((each) => each !== undefined);
    const head = `{{#each ${list}${params.length > 0 ? ` as |${params.join(' ')}|` : ''}}}`;
    const branches: Branch[] = [{ source: head, body: tidy([...aside, ...this.all(body, inside)]) }];
    if (otherwise) branches.push({ source: '{{else}}', body: this.all(otherwise, scope.inner()) });
    return [{ kind: 'block', name: 'each', branches }];
  }

  #with({ pipeline, body, otherwise }: Control, scope: Scope): Piece[] {
    const { expressions } = this.#context;
    const [name] = pipeline.names;
    const outside = scope.inner();
    const isBlockParam = name !== undefined && pipeline.declares && !isAssigned(name, body) && !otherwise;
    if (!isBlockParam) {
      const { before, condition } = this.#condition(pipeline, outside);
      const branches: Branch[] = [
        { source: `{{#with ${condition}}}`, body: this.all(body, outside.inner(true)) },
      ];
      if (otherwise) branches.push(...this.#else('with', otherwise, outside.inner()));
      return [...before, { kind: 'block', name: 'with', branches }];
    }
    const inside = scope.inner(true);
    const given = blockName(name, inside);
    const head = `{{#with ${expressions.value(pipeline.value, scope)} as |${given}|}}`;
    inside.declare(name, { kind: 'block', name: given });
    return [{ kind: 'block', name: 'with', branches: [{ source: head, body: this.all(body, inside) }] }];
  }

  #declare(name: string, scope: Scope): string {
    const aside = this.#newName(name);
    scope.declare(name, { kind: 'aside', name: aside });
    return aside;
  }

  /** Values are put aside for the whole run: two variables of one name are kept apart by a number. */
  #newName(name: string): string {
    this.putsAside = true;
    const { names } = this.#context;
    let unique = name;
    for (let i = 2; names.has(unique); i++) unique = `${name}${i}`;
    names.add(unique);
    return unique;
  }
}

/** The scope of a defined template, where `$` is its argument: the dot as long as nothing has changed that. */
class RootScope extends Scope {
  readonly #aside: () => string;

  constructor(aside: () => string) {
    super(true);
    this.#aside = aside;
  }

  override find(name: string): ReturnType<Scope['find']> {
    return super.find(name) ?? (name === '$' ? { kind: 'aside', name: this.#aside() } : undefined);
  }
}

/** Splits an `and` whose later parts must not be evaluated unless the first holds. */
function apart({ names, value }: Pipeline, scope: Scope): [Expression, Expression] | undefined {
  return names.length > 0 ? undefined : split('and', value, scope);
}

/** The first part and the rest, where something in the rest had better not be evaluated too soon. */
function split(name: 'and' | 'or', value: Expression, scope: Scope): [Expression, Expression] | undefined {
  if (value.kind !== 'call' || value.name !== name || value.args.length < 2) return undefined;
  const [first, ...rest] = value.args;
  if (!first || !rest.some((each) => risky(each, scope))) return undefined;
  const [only] = rest;
  return [first, rest.length === 1 && only ? only : { ...value, args: rest }];
}

/** Whether a variable is given another value somewhere in there. */
function isAssigned(name: string, nodes: readonly Node[]): boolean {
  return nodes.some((node) => {
    if (node.kind === 'action') return !node.pipeline.declares && node.pipeline.names.includes(name);
    if (node.kind !== 'if' && node.kind !== 'range' && node.kind !== 'with') return false;
    const own = !node.pipeline.declares && node.pipeline.names.includes(name);
    return own || isAssigned(name, node.body) || isAssigned(name, node.otherwise ?? []);
  });
}

/** Names of the templates that, sooner or later, call themselves. */
function recursiveOnes(defines: readonly Define[]): Set<string> {
  const calls = new Map(defines.map(({ name, body }) => [name, new Set(calledBy(body))]));
  const reaches = (from: string, to: string, seen: Set<string>): boolean =>
    [...(calls.get(from) ?? [])].some((next) => {
      if (next === to) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return reaches(next, to, seen);
    });
  return new Set([...calls.keys()].filter((name) => reaches(name, name, new Set())));
}

function calledBy(nodes: readonly Node[]): string[] {
  return nodes.flatMap((node) => {
    if (node.kind === 'template') return [node.name];
    if (
      node.kind === 'action' &&
      node.pipeline.value.kind === 'call' &&
      node.pipeline.value.name === 'executeTemplate'
    ) {
      const [name] = node.pipeline.value.args;
      return name?.kind === 'string' ? [name.value] : [];
    }
    if (node.kind === 'if' || node.kind === 'range' || node.kind === 'with')
      return [...calledBy(node.body), ...calledBy(node.otherwise ?? [])];
    return [];
  });
}
