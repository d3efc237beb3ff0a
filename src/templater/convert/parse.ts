import { type Delimiters, lex, type Token, type TokenKind } from './lex.ts';
import { SyntaxProblem } from './problem.ts';
import type { Control, Define, Expression, Node, Parsed, Pipeline } from './tree.ts';

/**
 * Reads a template of Go's text/template.
 * @throws SyntaxProblem where Go would not read it either
 */
export function parse(source: string, delimiters: Delimiters): Parsed {
  const parser = new Parser(lex(source, delimiters), source.length);
  const { nodes, ended } = parser.list();
  if (ended) throw new SyntaxProblem(ended.at, `an {{${ended.word}}} that ends nothing`);
  return { body: nodes, defines: parser.defines };
}

/** What a list of nodes stopped at: `end` or `else`, its keyword already read. */
interface Ended {
  word: 'end' | 'else';
  at: number;
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #length: number;
  readonly defines: Define[] = [];
  #next = 0;
  /** Nesting, as names of blocks; where `define` is not allowed. */
  #depth = 0;

  constructor(tokens: readonly Token[], length: number) {
    this.#tokens = tokens;
    this.#length = length;
  }

  list(): { nodes: Node[]; ended: Ended | undefined } {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#tokens[this.#next];
      if (!token) return { nodes, ended: undefined };
      this.#next++;
      if (token.kind === 'text' || token.kind === 'comment')
        nodes.push({ kind: token.kind, value: token.value, at: token.at });
      else {
        const found = this.#action(token);
        if (found && 'word' in found && found.kind === undefined) return { nodes, ended: found };
        if (found) nodes.push(found as Node);
      }
    }
  }

  /** What stands behind `{{`. */
  #action(open: Token): Node | (Ended & { kind?: undefined }) | undefined {
    const { at } = open;
    const word = this.#peek('keyword')?.value;
    switch (word) {
      case 'end':
        this.#next++;
        this.#close('end');
        return { word, at };
      case 'else':
        // Its action is read on by the block that it belongs to: it may be an `else if`.
        this.#next++;
        return { word, at };
      case 'if':
      case 'range':
      case 'with':
        this.#next++;
        return this.#control(word, at);
      case 'define':
        this.#next++;
        this.#define(at);
        return undefined;
      case 'block': {
        this.#next++;
        const name = this.#name('block');
        const value = this.#pipeline('block').value;
        this.#close('block');
        this.defines.push({ name, body: this.#body(at, 'block'), at });
        return { kind: 'template', name, value, at };
      }
      case 'template': {
        this.#next++;
        const name = this.#name('template');
        const value = this.#peek('close') ? undefined : this.#pipeline('template').value;
        this.#close('template');
        return { kind: 'template', name, value, at };
      }
      case 'break':
      case 'continue':
        this.#next++;
        this.#close(word);
        return { kind: 'jump', word, at };
      default: {
        const pipeline = this.#pipeline('action');
        this.#close('action');
        return { kind: 'action', pipeline, at };
      }
    }
  }

  #control(kind: Control['kind'], at: number): Control {
    const pipeline = this.#pipeline(kind);
    this.#close(kind);
    this.#depth++;
    const { nodes: body, ended } = this.list();
    this.#depth--;
    if (!ended) throw new SyntaxProblem(at, `an {{${kind}}} that has no {{end}}`);
    const node: Control = { kind, pipeline, body, otherwise: undefined, at };
    return ended.word === 'end' ? node : { ...node, otherwise: this.#otherwise(kind, at) };
  }

  /** Behind `{{else`. `else if` is an `if` in the else, which ends with it. */
  #otherwise(kind: Control['kind'], at: number): readonly Node[] {
    const chained = this.#peek('keyword');
    if (chained && (chained.value === 'if' || chained.value === 'with') && chained.value === kind) {
      this.#next++;
      return [this.#control(chained.value, chained.at)];
    }
    this.#close('else');
    this.#depth++;
    const { nodes, ended } = this.list();
    this.#depth--;
    if (ended?.word !== 'end') throw new SyntaxProblem(ended?.at ?? at, `an {{${kind}}} that has no {{end}}`);
    return nodes;
  }

  #define(at: number): void {
    if (this.#depth > 0) throw new SyntaxProblem(at, 'a {{define}} inside of a block');
    const name = this.#name('define');
    this.#close('define');
    this.defines.push({ name, body: this.#body(at, 'define'), at });
  }

  #body(at: number, kind: string): readonly Node[] {
    this.#depth++;
    const { nodes, ended } = this.list();
    this.#depth--;
    if (ended?.word !== 'end') throw new SyntaxProblem(ended?.at ?? at, `a {{${kind}}} that has no {{end}}`);
    return nodes;
  }

  #name(kind: string): string {
    const token = this.#peek('string');
    if (!token) throw new SyntaxProblem(this.#at(), `a {{${kind}}} without a name`);
    this.#next++;
    return token.value;
  }

  #pipeline(context: string): Pipeline {
    const at = this.#at();
    const { names, declares } = this.#names();
    if (this.#peek('close'))
      throw new SyntaxProblem(at, `an empty {{${context === 'action' ? '' : context}}}`);
    return { names, declares, value: this.#value(), at };
  }

  /** `$x :=`, `$x =`, `$i, $e :=`; nothing where a variable is only read. */
  #names(): { names: string[]; declares: boolean } {
    const names: string[] = [];
    let ahead = this.#next;
    for (;;) {
      const variable = this.#tokens[ahead];
      const sign = this.#tokens[ahead + 1];
      if (variable?.kind !== 'variable' || sign?.kind !== 'sign') break;
      if (sign.value === ',') names.push(variable.value);
      else if (sign.value === ':=' || sign.value === '=') {
        this.#next = ahead + 2;
        return { names: [...names, variable.value], declares: sign.value === ':=' };
      } else break;
      ahead += 2;
    }
    return { names: [], declares: true };
  }

  /** Commands joined by `|`: each is given the one before as its last argument. */
  #value(): Expression {
    let value = this.#command();
    while (this.#sign('|')) {
      const at = this.#at();
      const command = this.#command();
      if (command.kind === 'call') value = { ...command, args: [...command.args, value] };
      else if (command.kind === 'method' || command.kind === 'fields' || command.kind === 'variable')
        value = { kind: 'method', words: 'a value is piped into', at };
      else throw new SyntaxProblem(at, 'a value piped into what is no function');
    }
    return value;
  }

  #command(): Expression {
    const at = this.#at();
    const operands: Expression[] = [];
    for (;;) {
      const operand = this.#operand();
      if (!operand) break;
      operands.push(operand);
      const next = this.#tokens[this.#next];
      if (
        next &&
        !next.spaced &&
        next.kind !== 'close' &&
        !(next.kind === 'sign' && /^[|)]$/.test(next.value))
      )
        throw new SyntaxProblem(next.at, 'two operands without a blank between them');
    }
    const [head, ...args] = operands;
    const first = head && scratchCall(head);
    if (!first) throw new SyntaxProblem(at, 'a command that is missing');
    if (args.length === 0) return first;
    if (first.kind === 'call' && first.args.length === 0) return { ...first, args };
    if (first.kind === 'fields' || first.kind === 'variable')
      return { kind: 'method', words: 'arguments are given to', at };
    throw new SyntaxProblem(at, 'arguments given to what is no function');
  }

  #operand(): Expression | undefined {
    const term = this.#term();
    if (!term) return undefined;
    const names: string[] = [];
    for (;;) {
      const token = this.#tokens[this.#next];
      if (token?.kind !== 'field' || token.spaced) break;
      this.#next++;
      names.push(token.value);
    }
    if (names.length === 0) return term;
    if (term.kind === 'fields' && term.of.kind === 'dot')
      return { ...term, names: [...term.names, ...names] };
    if (term.kind === 'string' || term.kind === 'number' || term.kind === 'bool' || term.kind === 'nil')
      throw new SyntaxProblem(term.at, 'a field of a constant');
    return { kind: 'fields', of: term, names, at: term.at };
  }

  #term(): Expression | undefined {
    const token = this.#tokens[this.#next];
    if (!token) throw new SyntaxProblem(this.#length, 'the end of the file inside of an action');
    const { at, value } = token;
    this.#next++;
    switch (token.kind) {
      case 'string':
      case 'number':
        return { kind: token.kind, value, at };
      case 'field':
        return { kind: 'fields', of: { kind: 'dot', at }, names: [value], at };
      case 'variable':
        return { kind: 'variable', name: value, at };
      case 'word':
        if (value === 'true' || value === 'false') return { kind: 'bool', value: value === 'true', at };
        return value === 'nil' ? { kind: 'nil', at } : { kind: 'call', name: value, args: [], at };
      case 'sign':
        if (value === '.') return { kind: 'dot', at };
        if (value === '(') {
          const inner = this.#value();
          if (!this.#sign(')')) throw new SyntaxProblem(at, 'a "(" that is not closed');
          return inner;
        }
        break;
      default:
    }
    this.#next--;
    return undefined;
  }

  #close(context: string): void {
    const token = this.#tokens[this.#next];
    if (token?.kind !== 'close') {
      const what = context === 'action' ? 'the action' : `{{${context}}}`;
      throw new SyntaxProblem(this.#at(), `${what} goes on where it should end`);
    }
    this.#next++;
  }

  #peek(kind: TokenKind): Token | undefined {
    const token = this.#tokens[this.#next];
    return token?.kind === kind ? token : undefined;
  }

  #sign(value: string): boolean {
    const token = this.#tokens[this.#next];
    const found = token?.kind === 'sign' && token.value === value;
    if (found) this.#next++;
    return found;
  }

  #at(): number {
    return this.#tokens[this.#next]?.at ?? this.#length;
  }
}

/** `scratch.Set` is a function with a dot in its name, as far as we are concerned. */
function scratchCall(expression: Expression): Expression {
  const { kind, at } = expression;
  if (kind !== 'fields' || expression.names.length !== 1 || expression.of.kind !== 'call') return expression;
  return expression.of.name === 'scratch'
    ? { kind: 'call', name: `scratch.${expression.names[0]}`, args: [], at }
    : expression;
}
