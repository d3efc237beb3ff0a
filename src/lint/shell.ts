/**
 * As much of the shell's grammar as it takes to say how a script ends. Whatever is not understood is no finding: a
 * complaint about a script that is right costs more trust than one that is missed.
 */

/** How a `run` ends that should have ended in `exec`. */
export interface Ending {
  /** `waits`: its last command runs while the shell waits; `leaves`: it is put into the background, and the shell ends. */
  how: 'waits' | 'leaves';
  /** The command as it is written, on one line, without redirections. */
  command: string;
  /** The same with exec in its place: behind the variables that are set for it. */
  better: string;
  /** The word that exec belongs in front of. */
  program: string;
  /** Where it begins, from 1. */
  line: number;
  /** One of a pipeline: exec alone would not do. */
  piped: boolean;
}

/**
 * Finds the commands that a shell script ends in without `exec`, one for each branch of a last `if` or `case`. A script
 * that traps signals or waits for children knows what it does, and a loop at the end is the service itself.
 */
export function endings(script: string): Ending[] {
  let tokens: Token[];
  try {
    tokens = tokenize(script);
    if (tokens.some(({ word }) => word === 'trap' || word === 'wait')) return [];
    const parser = new Parser(tokens);
    const list = parser.list([]);
    return endsOf(list, parser.functions, 0);
  } catch (error) {
    if (error instanceof Puzzled) return [];
    throw error;
  }
}

/** Something that this small a grammar does not know. */
class Puzzled extends Error {}

interface Token {
  /** The word as written; undefined for an operator. */
  word: string | undefined;
  /** `;`, `&`, `&&`, `|`, `(`, `\n` …; undefined for a word. */
  op: string | undefined;
  line: number;
  /** A number with a redirection right behind it: its descriptor. */
  isDescriptor: boolean;
}

const OPERATORS = [
  ...['&&', '||', ';;&', ';&', ';;', '|&', '&>>', '&>', '<<<', '<<-', '<<', '<&', '<>', '>>', '>&', '>|'],
  ...['\n', ';', '&', '|', '(', ')', '<', '>'],
];
const REDIRECTIONS = ['&>>', '&>', '<<<', '<<-', '<<', '<&', '<>', '>>', '>&', '>|', '<', '>'];
const BLANK = /[ \t\r]/;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const heredocs: { end: string; tabs: boolean }[] = [];
  let line = 1;
  let at = 0;
  let awaitsHeredoc: '<<' | '<<-' | undefined;
  while (at < text.length) {
    const char = text[at] ?? '';
    if (BLANK.test(char)) at++;
    else if (text.startsWith('\\\n', at)) [at, line] = [at + 2, line + 1];
    else if (char === '#') while (at < text.length && text[at] !== '\n') at++;
    else {
      const isSubstitution = /^[<>]\(/.test(text.slice(at, at + 2));
      const op = isSubstitution ? undefined : OPERATORS.find((each) => text.startsWith(each, at));
      if (op === undefined) {
        const end = wordEnd(text, at);
        const word = text.slice(at, end);
        tokens.push({
          word,
          op: undefined,
          line,
          isDescriptor: /^\d+$/.test(word) && /[<>]/.test(text[end] ?? ''),
        });
        if (awaitsHeredoc)
          heredocs.push({ end: word.replaceAll(/["'\\]/g, ''), tabs: awaitsHeredoc === '<<-' });
        awaitsHeredoc = undefined;
        line += lineBreaks(word);
        at = end;
      } else {
        tokens.push({ word: undefined, op, line, isDescriptor: false });
        if (op === '<<' || op === '<<-') awaitsHeredoc = op;
        at += op.length;
        if (op !== '\n') continue;
        line++;
        for (const { end, tabs } of heredocs.splice(0)) {
          let content: string;
          do {
            if (at >= text.length) break;
            const stop = text.indexOf('\n', at);
            content = text.slice(at, stop < 0 ? text.length : stop);
            at = stop < 0 ? text.length : stop + 1;
            line++;
          } while ((tabs ? content.replace(/^\t+/, '') : content) !== end);
        }
      }
    }
  }
  return tokens;
}

function lineBreaks(text: string): number {
  return text.split('\n').length - 1;
}

/** Where the word that begins here ends: quotes, `$(…)`, `${…}` and backquotes are parts of it, whatever they hold. */
function wordEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length) {
    const char = text[at] ?? '';
    if (char === '\\') at += 2;
    else if (char === "'") at = after(text, "'", at + 1);
    else if (char === '"') at = quoteEnd(text, at + 1);
    else if (char === '`') at = backquoteEnd(text, at + 1);
    else if (/^[$<>=]\(/.test(text.slice(at, at + 2))) at = closing(text, at + 2, ')');
    else if (text.startsWith('${', at)) at = closing(text, at + 2, '}');
    else if (BLANK.test(char) || /[\n;&|()<>]/.test(char)) break;
    else at++;
  }
  return Math.min(at, text.length);
}

function after(text: string, char: string, from: number): number {
  const found = text.indexOf(char, from);
  if (found < 0) throw new Puzzled();
  return found + 1;
}

function quoteEnd(text: string, from: number): number {
  for (let at = from; at < text.length; ) {
    const char = text[at] ?? '';
    if (char === '"') return at + 1;
    if (char === '\\') at += 2;
    else if (char === '`') at = backquoteEnd(text, at + 1);
    else if (text.startsWith('$(', at)) at = closing(text, at + 2, ')');
    else if (text.startsWith('${', at)) at = closing(text, at + 2, '}');
    else at++;
  }
  throw new Puzzled();
}

function backquoteEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '`') return at + 1;
  }
  throw new Puzzled();
}

/** Behind the bracket that closes the one before `from`. */
function closing(text: string, from: number, close: ')' | '}'): number {
  for (let at = from; at < text.length; ) {
    const char = text[at] ?? '';
    if (char === close) return at + 1;
    if (char === '\\') at += 2;
    else if (char === "'" && close === ')') at = after(text, "'", at + 1);
    else if (char === '"') at = quoteEnd(text, at + 1);
    else if (char === '`') at = backquoteEnd(text, at + 1);
    else if (text.startsWith('${', at)) at = closing(text, at + 2, '}');
    else if (char === '(' && close === ')') at = closing(text, at + 1, ')');
    else at++;
  }
  throw new Puzzled();
}

/** What ends with the script: a command, or one of the branches of something. */
type Command =
  | { is: 'simple'; words: readonly string[]; line: number }
  | { is: 'branches'; lists: readonly Item[][] }
  | { is: 'other' };

/** One `a && b | c` of a list; the command is its last. */
interface Item {
  command: Command;
  piped: boolean;
  background: boolean;
}

const OPENERS = ['if', 'case', 'while', 'until', 'for', 'select', '{', '(', 'function', '[[', '((', 'coproc'];
const CLOSERS = ['then', 'else', 'elif', 'fi', 'do', 'done', 'esac', '}', ')', 'in'];

class Parser {
  readonly functions = new Map<string, Item[]>();
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** Commands up to one of these words or operators, which is taken too; up to the end where there is none. */
  list(ends: readonly string[]): Item[] {
    const items: Item[] = [];
    for (;;) {
      while (this.#isOp('\n', ';')) this.#at++;
      const text = this.#text;
      if (text === undefined && ends.length === 0) return items;
      if (text === undefined) throw new Puzzled();
      if (ends.includes(text)) return items;
      if (CLOSERS.includes(text)) throw new Puzzled();
      items.push(this.#andOr());
    }
  }

  /** The token that list() stopped at. */
  #take(): string {
    const text = this.#text;
    if (text === undefined) throw new Puzzled();
    this.#at++;
    return text;
  }

  get #token(): Token | undefined {
    return this.#tokens[this.#at];
  }

  get #text(): string | undefined {
    return this.#token?.word ?? this.#token?.op;
  }

  #isOp(...ops: string[]): boolean {
    const op = this.#token?.op;
    return op !== undefined && ops.includes(op);
  }

  #andOr(): Item {
    let piped = false;
    for (;;) {
      const command = this.#command();
      if (this.#isOp('|', '|&')) piped = true;
      else if (this.#isOp('&&', '||')) piped = false;
      else {
        const background = this.#isOp('&');
        if (background || this.#isOp(';')) this.#at++;
        return { command, piped, background };
      }
      this.#at++;
      while (this.#isOp('\n')) this.#at++;
    }
  }

  #command(): Command {
    const { word } = this.#token ?? {};
    let command: Command;
    if (word === 'if') command = this.#if();
    else if (word === 'case') command = this.#case();
    else if (word === '{') {
      this.#at++;
      command = { is: 'branches', lists: [this.list(['}'])] };
      this.#at++;
    } else if (this.#isOp('(')) {
      this.#at++;
      this.list([')']);
      this.#at++;
      command = { is: 'other' };
    } else if (word === 'while' || word === 'until' || word === 'for') command = this.#loop(word);
    else if (word === 'function') {
      this.#at++;
      return this.#function(this.#take());
    } else if (word !== undefined && OPENERS.includes(word)) throw new Puzzled();
    else return this.#simple();
    this.#redirections();
    return command;
  }

  #if(): Command {
    const lists: Item[][] = [];
    let word = 'if';
    this.#at++;
    while (word !== 'fi') {
      if (word !== 'else') {
        this.list(['then']);
        this.#at++;
      }
      lists.push(this.list(['elif', 'else', 'fi']));
      word = this.#take();
    }
    return { is: 'branches', lists };
  }

  #case(): Command {
    const lists: Item[][] = [];
    this.#at += 2;
    while (this.#isOp('\n')) this.#at++;
    if (this.#take() !== 'in') throw new Puzzled();
    for (;;) {
      while (this.#isOp('\n')) this.#at++;
      if (this.#text === 'esac') break;
      while (!this.#isOp(')')) this.#take();
      this.#at++;
      lists.push(this.list([';;', ';&', ';;&', 'esac']));
      if (this.#text === 'esac') break;
      this.#at++;
    }
    this.#at++;
    return { is: 'branches', lists };
  }

  #loop(word: string): Command {
    this.#at++;
    if (word === 'for') while (this.#text !== 'do') this.#take();
    else this.list(['do']);
    this.#at++;
    this.list(['done']);
    this.#at++;
    return { is: 'other' };
  }

  /** Its parentheses are still to come. */
  #function(name: string): Command {
    if (this.#isOp('(')) this.#at += 2;
    while (this.#isOp('\n')) this.#at++;
    const body = this.#command();
    this.functions.set(name, [{ command: body, piped: false, background: false }]);
    return { is: 'other' };
  }

  #simple(): Command {
    const { line = 0 } = this.#token ?? {};
    const words: string[] = [];
    for (;;) {
      this.#redirections();
      const { word } = this.#token ?? {};
      if (word === undefined) break;
      words.push(word);
      this.#at++;
      if (this.#isOp('(')) {
        if (words.length === 1 && this.#tokens[this.#at + 1]?.op === ')') return this.#function(word);
        throw new Puzzled();
      }
    }
    if (words.length === 0 && !this.#isOp('\n', ';', '&', '|', '|&', '&&', '||') && this.#token)
      throw new Puzzled();
    return { is: 'simple', words, line };
  }

  #redirections(): void {
    while (this.#token?.isDescriptor || this.#isOp(...REDIRECTIONS)) {
      if (this.#token?.isDescriptor) this.#at++;
      this.#at++;
      if (this.#token?.word === undefined) throw new Puzzled();
      this.#at++;
    }
  }
}

/** What the shell does itself, and what may do anything. */
const OWN = new Set([
  ...['.', ':', '[', '[[', 'alias', 'bg', 'break', 'builtin', 'case', 'cd', 'command', 'continue', 'declare'],
  ...['dirs', 'disown', 'echo', 'enable', 'eval', 'exec', 'exit', 'export', 'false', 'fc', 'fg', 'getopts'],
  ...['hash', 'help', 'history', 'jobs', 'kill', 'let', 'local', 'logout', 'popd', 'printf', 'pushd', 'pwd'],
  ...['read', 'readonly', 'return', 'set', 'shift', 'shopt', 'source', 'suspend', 'test', 'time', 'times'],
  ...['true', 'type', 'typeset', 'ulimit', 'umask', 'unalias', 'unset', '!'],
]);
const MOST_CALLS = 10;

function endsOf(list: readonly Item[], functions: ReadonlyMap<string, Item[]>, depth: number): Ending[] {
  let last = list.at(-1);
  // `exit $?` only hands on what the command before it said.
  if (last && isPlainExit(last.command) && list.length > 1) last = list.at(-2);
  if (!last || depth > MOST_CALLS) return [];
  const { command, piped, background } = last;
  if (command.is === 'branches')
    return background ? [] : command.lists.flatMap((branch) => endsOf(branch, functions, depth));
  if (command.is === 'other') return [];
  const at = command.words.findIndex((word) => !isAssignment(word));
  const program = command.words[at];
  if (program === undefined) return [];
  const called = functions.get(program);
  if (called) return background || piped ? [] : endsOf(called, functions, depth + 1);
  if (!isExternal(program)) return [];
  const words = command.words.map((word) => word.replaceAll(/\\?\s*\n\s*/g, ' '));
  const better = words.toSpliced(at, 0, 'exec').join(' ');
  const how = background ? 'leaves' : 'waits';
  return [{ how, command: words.join(' '), better, program, line: command.line, piped }];
}

function isPlainExit(command: Command): boolean {
  if (command.is !== 'simple' || command.words[0] !== 'exit') return false;
  const [, code, ...more] = command.words;
  return more.length === 0 && (code === undefined || /^"?\$\{?\?\}?"?$/.test(code));
}

/** A word that can only be a program's name. `$cmd` may hold `exec`, or nothing. */
function isExternal(word: string): boolean {
  const bare = word.replaceAll(/["'\\]/g, '');
  if (bare === '' || OWN.has(bare)) return false;
  return /[$`]/.test(bare) ? /\/[\w.-]+$/.test(bare) : true;
}

function isAssignment(word: string): boolean {
  return /^[A-Za-z_]\w*\+?=/.test(word);
}
