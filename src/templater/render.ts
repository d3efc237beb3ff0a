import Handlebars from 'handlebars';
import { checkTemplate, type Node } from './check.ts';
import type { Environment, Helper, Pass } from './helpers/helper.ts';
import { HELPERS } from './helpers/index.ts';
import type { Memory } from './memory.ts';
import { describeQuery, type Query } from './source/query.ts';

/** What a template is rendered from. */
export interface World {
  get: (query: Query) => Memory | undefined;
  /** Why a query has no answer, where that is known. */
  problem: (query: Query) => string | null;
  env: Environment;
}

/** What one run of a template came to. */
export interface Outcome {
  /** The text, when nothing is missing and nothing went wrong. */
  text: string | undefined;
  /** Every query that the run asked, by its words. */
  used: Map<string, Query>;
  /** What it cannot be rendered without, in words. */
  missing: string[];
  /** Queries whose last value was used though it is gone. */
  kept: string[];
  /** What went wrong; undefined while something is missing, since stand-ins may well break a template. */
  error: string | undefined;
}

export type Compiled = (world: World) => Outcome;

const handlebars = Handlebars.create();
/** The run under way: rendering is synchronous, so there is never more than one. */
let pass: Pass | undefined;
for (const [name, helper] of Object.entries(HELPERS)) handlebars.registerHelper(name, adapt(name, helper));
handlebars.unregisterHelper('log');

// Config files are not HTML. `noEscape: true` would do, but adds adjacent numbers ({{a}}{{b}} of 1 and 2 is 3), and an
// instance has no escape function of its own: the compiled code takes it from this shared object.
Object.assign(Handlebars.Utils, { escapeExpression: print });

/**
 * Compiles the text of a template file.
 * @param source only ever what was read from disk: compiled templates are code
 * @throws Error in one line that names the line and what was expected
 */
export function compileTemplate(source: string): Compiled {
  if (typeof source !== 'string') throw new TypeError('expected the text of a template');
  let ast: Node;
  try {
    ast = handlebars.parseWithoutProcessing(source) as unknown as Node;
  } catch (error) {
    throw new Error(parseProblem(error), { cause: error });
  }
  checkTemplate(ast, HELPERS);
  printAll(ast);
  const run = handlebars.compile(ast, {
    knownHelpers: Object.fromEntries(Object.keys(HELPERS).map((name) => [name, true])),
    knownHelpersOnly: true,
  });
  return (world) => runOnce(() => run({}, CLOSED), world);
}

/** Nothing inherited can be reached from a template; said aloud, so that Handlebars does not log each refusal. */
const CLOSED = { allowProtoPropertiesByDefault: false, allowProtoMethodsByDefault: false };

function runOnce(run: () => string, { get, problem, env }: World): Outcome {
  const used = new Map<string, Query>();
  const missing = new Set<string>();
  const kept = new Set<string>();
  const outcome = { used, text: undefined, error: undefined };
  pass = {
    env,
    ask(query) {
      const words = describeQuery(query);
      used.set(words, query);
      const memory = get(query);
      const cause = memory ? null : problem(query);
      if (!memory) missing.add(cause === null ? words : `${words}: ${cause}`);
      return memory as Memory<typeof query.kind> | undefined;
    },
    lack: (words) => missing.add(words),
    keep: (query) => kept.add(describeQuery(query)),
  };
  try {
    const text = run();
    const found = { missing: [...missing], kept: [...kept] };
    return missing.size > 0 ? { ...outcome, ...found } : { ...outcome, ...found, text };
  } catch (error) {
    const found = { missing: [...missing], kept: [...kept] };
    return missing.size > 0 ? { ...outcome, ...found } : { ...outcome, ...found, error: oneLine(error) };
  } finally {
    pass = undefined;
  }
}

/** A helper of ours as Handlebars calls it: values first, then an object that holds the options. */
function adapt(name: string, helper: Helper): (...all: unknown[]) => unknown {
  return (...all) => {
    const { hash } = all.pop() as { hash: Record<string, unknown> };
    if (!pass) throw new Error(`${name} was called outside of a render`);
    try {
      return helper.run(pass, all, hash);
    } catch (error) {
      throw new Error(`${name}: ${oneLine(error)}`, { cause: error });
    }
  };
}

/** A value as text. What has no text of its own is an error: nobody wants `[object Object]` in a config file. */
function print(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value) && !value.some((each) => typeof each === 'object' && each !== null))
    return value.join(',');
  if (typeof value === 'object' || typeof value === 'function')
    throw new Error(
      `${Array.isArray(value) ? 'a list' : 'an object'} is not text (write {{json …}} or name a field)`,
    );
  return String(value);
}

/** Makes `{{{x}}}` the same as `{{x}}`: there is nothing to escape, and only the latter goes through print(). */
function printAll(node: Node | undefined): void {
  for (const each of node?.body ?? []) {
    if (each.type === 'MustacheStatement') each.escaped = true;
    printAll(each.program);
    printAll(each.inverse);
  }
}

/** Tokens of Handlebars' grammar as people know them. */
const TOKENS: Readonly<Record<string, string>> = {
  EOF: 'the end of the file',
  CLOSE: '}}',
  CLOSE_UNESCAPED: '}}}',
  OPEN_ENDBLOCK: '{{/',
  OPEN_INVERSE: '{{^',
  INVERSE: '{{else}}',
  CLOSE_SEXPR: ')',
  OPEN_SEXPR: '(',
  INVALID: 'a character that cannot stand there',
};

/** Handlebars' own message has four lines: the line number, an excerpt, an arrow, and the names of its tokens. */
function parseProblem(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const [, line] = /^(?:Parse|Lexical) error on line (\d+)/.exec(text) ?? [];
  const [, got] = /, got '(\w+)'/.exec(text) ?? [];
  if (line !== undefined && got !== undefined)
    return `line ${line}: did not expect ${TOKENS[got] ?? got.toLowerCase()}`;
  if (line !== undefined) return `line ${line}: ${text.split('\n').at(-1) ?? text}`;
  const [, cause, at] = /^(.*?) - (\d+):\d+$/s.exec(text) ?? [];
  return at === undefined ? oneLine(error) : `line ${at}: ${cause}`;
}

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
}
