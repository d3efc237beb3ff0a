import Handlebars from 'handlebars';
import type { Ms } from '../core/duration.ts';
import { UserError } from '../errors.ts';
import { BLOCKS, checkLength } from './blocks.ts';
import { checkTemplate, type Node, type Uses } from './check.ts';
import type { Environment, Helper, Pass } from './helpers/helper.ts';
import { BRIEF, HELPERS } from './helpers/index.ts';
import { PATIENT, runLimited, step, TimeoutError } from './limit.ts';
import type { Memory } from './memory.ts';
import { describeQuery, type Query } from './source/query.ts';
import { record } from './source/records.ts';
import { goProblem, parseProblem } from './syntax.ts';

/** What a template is rendered from. */
export interface World {
  get: (query: Query) => Memory | undefined;
  /** Why a query has no answer, where that is known. */
  problem: (query: Query) => string | null;
  env: Environment;
  now?: () => Date;
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

export interface Compiled {
  (world: World): Outcome;
  /** Loads what its helpers need; to be called once ahead of the first run. */
  load(): Promise<void>;
}

/** What templates can say. */
export interface Language {
  helpers: Readonly<Record<string, Helper>>;
  /** Why helpers of the user's own are not among them. */
  problem: string | undefined;
  /** How long one run of a template may take. */
  timeout: Ms;
}

export const LANGUAGE: Language = { helpers: HELPERS, problem: undefined, timeout: 5000 };

/** What a template has beside its own text. */
export interface Surroundings {
  language?: Language;
  /** Texts of partials by name; an Error for one that cannot be read. */
  partials?: ReadonlyMap<string, string | Error>;
  /** What the paths that it names are relative to. */
  directory?: string;
}

/** Deeper, partials that include themselves have no end. */
const MOST_DEPTH = 50;

const handlebars = Handlebars.create();
for (const name of Object.keys(handlebars.helpers)) {
  if (name !== 'lookup') handlebars.unregisterHelper(name);
}
for (const [name, { run }] of Object.entries(BLOCKS)) handlebars.registerHelper(name, run);

interface Run extends Pass {
  missing: Set<string>;
  /** Partials that are being rendered, one within the other. */
  depth: number;
}

/** The run under way: rendering is synchronous, so there is never more than one. */
let pass: Run | undefined;

// Config files are not HTML. `noEscape: true` would do, but adds adjacent numbers ({{a}}{{b}} of 1 and 2 is 3), and an
// instance has no escape function of its own: the compiled code takes it from this shared object.
Object.assign(Handlebars.Utils, { escapeExpression: print });

/**
 * Compiles the text of a template file.
 * @param source only ever what was read from disk: compiled templates are code
 * @throws Error in one line that names the line and what was expected
 */
export function compileTemplate(source: string, surroundings: Surroundings = {}): Compiled {
  if (typeof source !== 'string') throw new TypeError('expected the text of a template');
  const { language = LANGUAGE, partials: texts = new Map(), directory = '/' } = surroundings;
  const { helpers, problem } = language;
  const known = { ...helpers, ...BLOCKS, lookup: true };
  const options = {
    knownHelpers: { ...NOT_KNOWN, ...Object.fromEntries(Object.keys(known).map((name) => [name, true])) },
    knownHelpersOnly: true,
  };
  const parsed = new Map<string, Node>();
  const partial = (name: string): Node | undefined => {
    const text = texts.get(name);
    if (text === undefined) return undefined;
    if (text instanceof Error) throw new Error(`partial "${name}": ${text.message}`);
    const ast = parsed.get(name) ?? within(`partial "${name}", `, () => parse(text));
    parsed.set(name, ast);
    return ast;
  };
  const ast = parse(source);
  let uses: Uses;
  try {
    uses = checkTemplate(ast, { helpers, problem, partial });
  } catch (error) {
    throw goProblem(source) ?? error;
  }
  const compile = (tree: Node): HandlebarsTemplateDelegate => {
    printAll(tree);
    return handlebars.compile(tree, options);
  };
  const main = compile(ast);
  const runtime = {
    ...CLOSED,
    helpers: Object.fromEntries(
      [...uses.helpers].flatMap((name) => {
        const helper = Object.hasOwn(helpers, name) ? helpers[name] : undefined;
        return helper ? [[name, adapt(name, helper)]] : [];
      }),
    ),
    partials: Object.fromEntries(
      [...uses.partials].map(([name, tree]) => [name, include(name, compile(tree))]),
    ),
  };
  const bySteps = [...uses.helpers].every((name) => {
    const helper = Object.hasOwn(helpers, name) ? helpers[name] : undefined;
    return helper === undefined || BRIEF.has(helper);
  });
  const load = async (): Promise<void> => {
    for (const name of uses.helpers) await helpers[name]?.load?.();
  };
  return Object.assign(
    (world: World) =>
      runOnce(() => main({}, runtime), { world, directory, timeout: language.timeout, bySteps }),
    { load },
  );
}

/** Handlebars takes these for helpers unless it is told otherwise. */
const NOT_KNOWN = { helperMissing: false, blockHelperMissing: false, log: false };

/** Nothing inherited can be reached from a template; said aloud, so that Handlebars does not log each refusal. */
const CLOSED = { allowProtoPropertiesByDefault: false, allowProtoMethodsByDefault: false };

function parse(source: string): Node {
  try {
    return handlebars.parseWithoutProcessing(source) as unknown as Node;
  } catch (error) {
    throw goProblem(source) ?? new Error(parseProblem(error, source), { cause: error });
  }
}

interface Limits {
  world: World;
  directory: string;
  timeout: Ms;
  /** All that it calls is over soon. */
  bySteps: boolean;
}

function runOnce(run: () => string, { world, directory, timeout, bySteps }: Limits): Outcome {
  const { get, problem, env, now = () => new Date() } = world;
  const used = new Map<string, Query>();
  const missing = new Set<string>();
  const kept = new Set<string>();
  const start = (): string => {
    pass = {
      env,
      directory,
      now,
      missing,
      depth: 0,
      scratch: new Map(),
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
    const text = run();
    checkLength(text);
    return text;
  };
  let text: string | undefined;
  let error: string | undefined;
  try {
    text = runLimited(timeout, start, { tries: PATIENT, bySteps });
  } catch (thrown) {
    // What has no end is worth a word whatever else is missing: it takes its time again with every change.
    if (missing.size === 0 || thrown instanceof TimeoutError) error = oneLine(thrown);
  } finally {
    pass = undefined;
  }
  const isWhole = missing.size === 0 && error === undefined;
  return { used, missing: [...missing], kept: [...kept], error, text: isWhole ? text : undefined };
}

/** A helper of ours as Handlebars calls it: values first, then an object that holds the options. */
function adapt(name: string, helper: Helper): (...all: unknown[]) => unknown {
  return (...all) => {
    const { hash } = all.pop() as { hash: Record<string, unknown> };
    const current = pass;
    if (!current) throw new Error(`${name} was called outside of a render`);
    step();
    try {
      return plain(helper.run(current, all, hash));
    } catch (error) {
      // Stand-ins of what is missing may be what it cannot use; going on finds what else is.
      if (current.missing.size > 0) return undefined;
      throw new Error(`${name}: ${oneLine(error)}`, { cause: error });
    }
  };
}

/** Refuses what a template could do nothing with, or would call. */
function plain(value: unknown): unknown {
  if (typeof value === 'function') throw new Error('expected a value, got a function');
  if (value instanceof Promise) throw new Error('expected a value, got a promise: helpers cannot wait');
  if (typeof value === 'string') checkLength(value);
  return value;
}

/** A partial as Handlebars calls it. Called with options, it has a copy of the data: what they lack is a mistake there. */
function include(name: string, run: HandlebarsTemplateDelegate): HandlebarsTemplateDelegate {
  return (context: unknown, options?: Handlebars.RuntimeOptions) => {
    const hash = (options as { hash?: object } | undefined)?.hash;
    if (!pass || ++pass.depth > MOST_DEPTH)
      throw new Error(`partial "${name}" includes itself, and is now ${MOST_DEPTH} deep`);
    step();
    const data =
      hash && typeof context === 'object' && context !== null
        ? record(`partial "${name}"`, context)
        : context;
    const text = run(data, options);
    pass.depth--;
    checkLength(text);
    return text;
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

function within<T>(prefix: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const { message } = error as Error;
    throw error instanceof UserError && error.hint !== undefined
      ? new UserError(prefix + message, { hint: error.hint })
      : new Error(prefix + message, { cause: error });
  }
}

function oneLine(error: unknown): string {
  if (error instanceof RangeError && /call stack/.test(error.message)) return 'it is nested too deep';
  if (error instanceof RangeError && /string length/.test(error.message)) return 'its result is too long';
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
}
