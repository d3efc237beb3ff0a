/** A Handlebars template in pieces, before white space is laid out. Sources have their braces. */
export type Piece =
  | { kind: 'text'; value: string }
  /** `{{x}}`: prints, and leaves the white space around it alone. */
  | { kind: 'print'; source: string }
  /** A comment or a partial: alone on a line, Handlebars takes the line away. */
  | { kind: 'note' | 'partial'; source: string }
  | Block;

export interface Block {
  kind: 'block';
  /** `if`, `each` or `with`. */
  name: string;
  branches: Branch[];
}

export interface Branch {
  /** The tag that it begins with: `{{#if x}}`, `{{else}}`, `{{else if y}}`. */
  source: string;
  body: Piece[];
}

/** Puts neighbouring texts together, and drops empty ones. */
export function tidy(pieces: readonly Piece[]): Piece[] {
  const tidied: Piece[] = [];
  for (const piece of pieces) {
    const last = tidied.at(-1);
    if (piece.kind === 'text' && piece.value === '') continue;
    if (piece.kind === 'text' && last?.kind === 'text')
      tidied[tidied.length - 1] = { kind: 'text', value: last.value + piece.value };
    else tidied.push(piece);
  }
  return tidied;
}
