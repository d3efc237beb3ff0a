import { type Block, type Piece, tidy } from './piece.ts';

/**
 * Writes pieces as the text of a template that comes to exactly the same bytes.
 *
 * Handlebars takes away the line of a block's tag, a comment or a partial that stands alone on it; Go does not. So tags are
 * written on lines of their own wherever that can be had, and the text around them gets the line breaks that are taken
 * away. Where it cannot, a tag stands within the text, and an empty comment `{{!}}` before it keeps Handlebars from
 * taking it for one that stands alone.
 * @param plain puts nothing on lines of its own: longer to read, and always right
 */
export function layOut(pieces: readonly Piece[], plain = false): string {
  const writer = new Writer(plain);
  writer.list(pieces, true, true);
  return writer.source;
}

/** An empty comment: nothing, but something that stands there. */
const GUARD = '{{!}}';

class Writer {
  source = '';
  readonly #plain: boolean;
  /** What was written since the last tag. */
  #content = '';
  /** Whether there was a tag yet: the start of the file counts as the start of a line only ahead of the first. */
  #isStart = true;

  constructor(plain: boolean) {
    this.#plain = plain;
  }

  /** @param atLine whether the list begins on a line of its own */
  list(pieces: readonly Piece[], isRoot: boolean, atLine: boolean): void {
    let onLine = atLine;
    for (const [i, piece] of pieces.entries()) {
      const next = pieces[i + 1];
      if (piece.kind === 'text') {
        this.#text(piece.value, next !== undefined || !isRoot);
        onLine = piece.value.endsWith('\n');
      } else if (piece.kind === 'print') {
        this.#tag(piece.source);
        onLine = false;
      } else if (piece.kind === 'block') {
        const lined = onLine && !this.#plain && isLined(piece);
        this.#block(piece, lined, startsLine(pieces, i + 1, isRoot));
        onLine = lined;
      } else {
        if (onLine && !this.#plain) this.#line(piece.source);
        else this.#inline(piece.source, startsLine(pieces, i + 1, isRoot));
        onLine &&= !this.#plain;
      }
    }
  }

  #block({ branches }: Block, lined: boolean, followedByLine: boolean): void {
    const close = `{{/${/^\{\{#(\w+)/.exec(branches[0]?.source ?? '')?.[1]}}}`;
    let open = 0;
    for (const [i, { source, body }] of branches.entries()) {
      const isChained = i > 0 && source !== '{{else}}';
      if (lined) this.#line(source);
      else if (isChained) {
        // Handlebars looks at the wrong branch of a chain to decide whether its end stands alone: no chain, no question.
        this.#inline('{{else}}', false);
        this.#tag(source.replace('{{else ', '{{#'));
        this.#content = '';
        open++;
      } else this.#inline(source, startsLine(body, 0, false));
      this.list(body, false, lined);
    }
    if (lined) this.#line(close);
    else {
      for (; open > 0; open--) this.#inline(close, false);
      this.#inline(close, followedByLine);
    }
  }

  /** A tag on a line of its own, which Handlebars takes away. */
  #line(source: string): void {
    this.#tag(source);
    this.source += '\n';
    this.#content = '\n';
  }

  /** A tag within the text, which Handlebars must not take for one that stands alone. */
  #inline(source: string, followedByLine: boolean): void {
    const precededByLine = this.#isStart
      ? /(^|\r?\n)\s*$/.test(this.#content)
      : /\r?\n\s*$/.test(this.#content);
    if (this.#plain || (precededByLine && followedByLine)) this.#tag(GUARD);
    this.#tag(source);
  }

  #tag(source: string): void {
    this.source += source;
    this.#content = '';
    this.#isStart = false;
  }

  #text(value: string, isBeforeTag: boolean): void {
    // The brace of a text is not to be taken for that of a tag.
    if (value.startsWith('}') && this.source.endsWith('}}')) this.#tag(GUARD);
    const braces = isBeforeTag ? /\{\{+|\{+$/g : /\{\{+/g;
    let from = 0;
    for (const { 0: found, index } of value.matchAll(braces)) {
      this.#plainText(value.slice(from, index), true);
      this.source += `{{print "${found}"}}`;
      from = index + found.length;
      if (value.startsWith('}', from)) this.#tag(GUARD);
    }
    this.#plainText(value.slice(from), isBeforeTag);
    this.#content += value;
  }

  /** A backslash before a tag would make it text; one of two is taken away. */
  #plainText(value: string, isBeforeTag: boolean): void {
    this.source += isBeforeTag ? value.replace(/\\+$/, '$&\\') : value;
  }
}

/** Whether what stands at a place begins with the end of a line, as Handlebars sees it. */
function startsLine(pieces: readonly Piece[], i: number, isRoot: boolean): boolean {
  const next = pieces[i];
  if (!next) return isRoot;
  if (next.kind !== 'text') return false;
  return /^\s*?\r?\n/.test(next.value) || (isRoot && i === pieces.length - 1 && /^\s*$/.test(next.value));
}

/** Whether every tag of a block but the first has a line of its own before it. */
function isLined({ branches }: Block): boolean {
  return branches.every(({ body }) => {
    const last = body.at(-1);
    if (!last) return true;
    if (last.kind === 'text') return last.value.endsWith('\n');
    return last.kind === 'block' ? endsLined(body) : last.kind !== 'print' && endsLined(body);
  });
}

/** Whether the last piece of a body, no text, is on a line of its own, if the body begins on one. */
function endsLined(body: readonly Piece[]): boolean {
  let onLine = true;
  for (const piece of body) {
    if (piece.kind === 'text') onLine = piece.value.endsWith('\n');
    else if (piece.kind === 'print') onLine = false;
    else if (piece.kind === 'block') onLine &&= isLined(piece);
  }
  return onLine;
}

/**
 * Moves white space across the tags of blocks so that they come to stand on lines of their own. Two moves change nothing
 * of what comes out:
 *
 * - a line break at the beginning of every branch and behind the block: `a{{#x}}⏎b{{/x}}⏎c` → `a⏎{{#x}}b⏎{{/x}}c`
 * - blanks at the end of every branch and before the block: `··{{#x}}b⏎··{{/x}}c` → `{{#x}}··b⏎{{/x}}··c`
 */
export function settle(pieces: readonly Piece[]): Piece[] {
  const list = tidy(
    tidy(pieces).map((piece) =>
      piece.kind === 'block'
        ? { ...piece, branches: piece.branches.map((branch) => ({ ...branch, body: settle(branch.body) })) }
        : piece,
    ),
  );
  for (let i = 0; i < list.length; i++) {
    const piece = list[i];
    if (piece?.kind === 'note') {
      // What is before a comment on its line may as well be behind it.
      const blanks = /(?<=^|\n)[ \t]+$/.exec(textAt(list, i - 1))?.[0];
      if (blanks) {
        putText(list, i - 1, textAt(list, i - 1).slice(0, -blanks.length));
        prependText(list, i + 1, blanks);
      }
    }
    if (piece?.kind === 'block') {
      moveBlanks(list, i, piece);
      const before = list[i - 1];
      const onLine = before?.kind === 'text' ? /(^|\n)$/.test(before.value) : before?.kind !== 'print';
      if (!onLine || !isLined(piece)) moveBreak(list, i, piece);
    }
  }
  return tidy(list);
}

function moveBlanks(list: Piece[], i: number, { branches }: Block): void {
  const before = textAt(list, i - 1);
  const blanks = /(?<=^|\n)[ \t]+$/.exec(before)?.[0];
  if (!blanks || !branches.every(({ body }) => textAt(body, body.length - 1).endsWith(blanks))) return;
  putText(list, i - 1, before.slice(0, -blanks.length));
  for (const { body } of branches) {
    putText(body, body.length - 1, textAt(body, body.length - 1).slice(0, -blanks.length));
    prependText(body, 0, blanks);
    body.splice(0, body.length, ...tidy(body));
  }
  prependText(list, i + 1, blanks);
}

function moveBreak(list: Piece[], i: number, { branches }: Block): void {
  const after = textAt(list, i + 1);
  const line = /^\r?\n/.exec(after)?.[0];
  if (!line || !branches.every(({ body }) => textAt(body, 0).startsWith(line))) return;
  putText(list, i + 1, after.slice(line.length));
  for (const { body } of branches) {
    putText(body, 0, textAt(body, 0).slice(line.length));
    body.push({ kind: 'text', value: line });
    body.splice(0, body.length, ...tidy(body));
  }
  if (list[i - 1]?.kind === 'text') putText(list, i - 1, textAt(list, i - 1) + line);
  else list.splice(i, 0, { kind: 'text', value: line });
}

function textAt(list: readonly Piece[], i: number): string {
  const piece = list[i];
  return piece?.kind === 'text' ? piece.value : '';
}

function putText(list: Piece[], i: number, value: string): void {
  list[i] = { kind: 'text', value };
}

function prependText(list: Piece[], i: number, value: string): void {
  const piece = list[i];
  if (piece?.kind === 'text') putText(list, i, value + piece.value);
  else list.splice(i, 0, { kind: 'text', value });
}
