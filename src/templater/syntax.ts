import { UserError } from '../errors.ts';

/** Tokens of Handlebars' grammar as people know them, the likelier to be meant first. */
const TOKENS: Readonly<Record<string, string>> = {
  CLOSE: '"}}"',
  CLOSE_UNESCAPED: '"}}}"',
  CLOSE_SEXPR: '")"',
  OPEN_ENDBLOCK: 'the end of a block such as "{{/if}}"',
  EOF: 'the end of the file',
  ID: 'a name',
  STRING: 'text in quotes',
  NUMBER: 'a number',
  EQUALS: '"="',
  OPEN: '"{{"',
  OPEN_BLOCK: 'the start of a block',
  OPEN_INVERSE: '"{{^"',
  INVERSE: '"{{else}}"',
  OPEN_INVERSE_CHAIN: '"{{else if"',
  OPEN_SEXPR: '"("',
  OPEN_BLOCK_PARAMS: '"as |"',
  CLOSE_BLOCK_PARAMS: '"|"',
  OPEN_PARTIAL: '"{{>"',
  OPEN_PARTIAL_BLOCK: '"{{#>"',
  SEP: '"." or "/"',
  DATA: '"@"',
  INVALID: 'a character that cannot stand there',
};

/** What is named when it was expected; the rest could stand nearly everywhere. */
const TELLING = ['CLOSE', 'CLOSE_UNESCAPED', 'CLOSE_SEXPR', 'OPEN_ENDBLOCK', 'EOF', 'ID'];

/** Handlebars' own message has four lines: the line number, an excerpt, an arrow, and the names of its tokens. */
export function parseProblem(error: unknown, source: string): string {
  const text = error instanceof Error ? error.message : String(error);
  const [, line] = /^(?:Parse|Lexical) error on line (\d+)/.exec(text) ?? [];
  if (line !== undefined) {
    const [, got] = /, got '(\w+)'/.exec(text) ?? [];
    if (got === undefined) return `line ${line}: ${unclosed(text)}`;
    const open = got === 'EOF' ? openBlock(source) : undefined;
    if (open !== undefined) return open;
    const expected = [...text.matchAll(/'(\w+)'/g)].map(([, name = '']) => name);
    if (got === 'OPEN_ENDBLOCK') return `line ${line}: the end of a block that was not begun`;
    // One that closes what is open says more than all that might come in between.
    const [telling] = TELLING.filter((name) => expected.slice(0, -1).includes(name) && name !== got);
    const wanted = telling === undefined ? '' : `expected ${TOKENS[telling]}, `;
    return `line ${line}: ${wanted}got ${TOKENS[got] ?? got.toLowerCase()}`;
  }
  const [, open, close, at] = /^(.*?) doesn't match (.*?) - (\d+):\d+$/s.exec(text) ?? [];
  if (at !== undefined) return `line ${at}: "{{#${open}" is ended by "{{/${close}"`;
  const [, cause, place] = /^(.*?) - (\d+):\d+$/s.exec(text) ?? [];
  return place === undefined ? (text.split('\n', 1)[0] ?? '') : `line ${place}: ${cause}`;
}

/** The innermost block that has no end, by a look at the text alone. */
function openBlock(source: string): string | undefined {
  const open: { tag: string; line: number }[] = [];
  for (const { 1: sign, 2: tag = '', index } of withoutComments(source).matchAll(
    /(?<!\\)\{\{~?([#^/])\s*(\w+)/g,
  )) {
    if (sign === '/') open.pop();
    else open.push({ tag, line: source.slice(0, index).split('\n').length });
  }
  const last = open.at(-1);
  return last && `line ${last.line}: "{{#${last.tag}" has no end (expected "{{/${last.tag}}}")`;
}

function unclosed(text: string): string {
  return /\{\{!--/.test(text)
    ? 'a comment has no end (expected "--}}")'
    : 'a character that cannot stand there';
}

interface GoPhrase {
  /** Also what one writes who forgets a sign; it needs company. */
  weak?: true;
  /** Matches the inside of a tag. */
  pattern: RegExp;
  /** What to write here. */
  here: string;
}

/** What nobody writes in Handlebars, and everybody in Go's templates. */
const GO: readonly GoPhrase[] = [
  { pattern: /^range\b/, here: '{{#each …}}…{{/each}}' },
  { weak: true, pattern: /^(?:if|with)\b/, here: '{{#if …}}…{{/if}} and {{#with …}}…{{/with}}' },
  { pattern: /^end$/, here: '{{/each}}, {{/if}} or {{/with}}' },
  { pattern: /^(?:define|template|block)\b/, here: '{{> name}}, with templates/partials/name.hbs' },
  { pattern: /^\/\*/, here: '{{!-- … --}}' },
  { pattern: /^\$\w*\s*:?=/, here: '{{#with … as |name|}}…{{/with}}, or {{set "name" …}} and (get "name")' },
  {
    pattern: /^[^"'`]*(?:(?:"[^"]*"|'[^']*'|`[^`]*`)[^"'`|]*)*\|(?![^|]*\|)/,
    here: 'a helper around a helper: {{join (split (key "a") ",") " "}}',
  },
  { pattern: /(?:^|\s|\()\$\w*/, here: 'a name given by "as |name|"' },
  { pattern: /(?:^|\s|\()\.[A-Za-z]/, here: 'the field without its dot: {{Key}}' },
];

/**
 * Recognizes a template of consul-template's.
 * @returns an error that says what to write instead, or undefined where nothing of Go's language is in it
 */
export function goProblem(source: string): UserError | undefined {
  let first: UserError | undefined;
  for (const match of withoutComments(source).matchAll(/(?<!\\)\{\{(-\s)?\s*([^{}]*?)(\s-)?\}\}/g)) {
    const [tag, before, inside = '', after] = match;
    const phrase = GO.find(({ pattern }) => pattern.test(inside));
    const here = phrase?.here ?? (before || after ? '{{~ … ~}}' : undefined);
    if (here === undefined) continue;
    const line = source.slice(0, match.index).split('\n').length;
    const sample = (tag.length > 40 ? `${tag.slice(0, 37)}…` : tag).replaceAll('\n', ' ');
    first ??= new UserError(`line ${line}: ${sample} is of Go's templates; here it is ${here}`, {
      hint: 'supervise template convert FILE turns templates of consul-template into ours',
    });
    if (!phrase?.weak) return first;
  }
  return undefined;
}

/** The same text, in the same lines, with blanks where comments are. */
function withoutComments(source: string): string {
  return source.replace(/\{\{~?!--[\s\S]*?--~?\}\}|\{\{~?![\s\S]*?\}\}/g, (comment) =>
    comment.replace(/[^\n]/g, ' '),
  );
}
