import { layOut, settle } from './layout.ts';
import type { Delimiters } from './lex.ts';
import { parse } from './parse.ts';
import type { Piece } from './piece.ts';
import { type Problem, placeOf, SyntaxProblem } from './problem.ts';
import { translate } from './translate.ts';
import { means } from './verify.ts';

/** A Go template as Handlebars. */
export interface Converted {
  /** Undefined where the template cannot be read at all. */
  text: string | undefined;
  /** What it defines, as partials: name of the file without `.hbs` → text. */
  partials: ReadonlyMap<string, string>;
  /** What could not be turned. A helper that nobody has, `by-hand`, stands in its place. */
  problems: Problem[];
}

export const GO_DELIMITERS: Delimiters = { left: '{{', right: '}}' };

/**
 * Turns a template of consul-template's into one of ours that renders the same bytes.
 * @param settings lines of the first comment; none: there is no such comment
 */
export function convert(
  source: string,
  {
    settings = [],
    delimiters = GO_DELIMITERS,
  }: { settings?: readonly string[]; delimiters?: Delimiters } = {},
): Converted {
  const problems: Problem[] = [];
  const complain = (at: number, what: string, hint?: string): void => {
    problems.push({ ...placeOf(source, at), what, hint });
  };
  const partials = new Map<string, string>();
  try {
    const parsed = parse(source, delimiters);
    const partialNames = namePartials(parsed.defines.map(({ name }) => name));
    const translated = translate(parsed, (name) => partialNames.get(name) ?? name, complain);
    const head: Piece[] =
      settings.length === 0 ? [] : [{ kind: 'note', source: `{{!--\n${settings.join('\n')}\n--}}` }];
    for (const { name, body } of translated.partials)
      partials.set(partialNames.get(name) ?? name, write(body));
    return { text: write([...head, ...translated.body]), partials, problems: problems.sort(byPlace) };
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    complain(error.at, error.message, 'Go does not read this either');
    return { text: undefined, partials, problems };
  }
}

/** The pretty layout where it is right, which is always; if it ever were not, the plain one. */
function write(pieces: readonly Piece[]): string {
  const settled = settle(pieces);
  const pretty = layOut(settled);
  if (means(pretty, settled)) return pretty;
  const plain = layOut(pieces, true);
  if (means(plain, pieces)) return plain;
  throw new Error('the layout of this template is beyond us');
}

/** Names of partials are names of files. */
function namePartials(names: readonly string[]): Map<string, string> {
  const taken = new Set<string>();
  return new Map(
    names.map((name) => {
      const word = name.replace(/[^\p{L}\p{N}_-]+/gu, '-').replace(/^-+|-+$/g, '') || 'partial';
      const base = /^(\d.*|true|false|null|undefined|this|else|as)$/.test(word) ? `t-${word}` : word;
      let unique = base;
      for (let i = 2; taken.has(unique); i++) unique = `${base}-${i}`;
      taken.add(unique);
      return [name, unique];
    }),
  );
}

function byPlace(a: Problem, b: Problem): number {
  return a.line - b.line || a.column - b.column;
}
