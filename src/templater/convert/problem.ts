/** Something in a Go template that cannot be turned; where, and what to do. */
export interface Problem {
  /** From 1. */
  line: number;
  column: number;
  /** `secret is not carried over`. */
  what: string;
  /** What to do instead. */
  hint: string | undefined;
}

/** The text of the template is none that Go would read. */
export class SyntaxProblem extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** Line and column, both from 1, of an offset; columns count characters. */
export function placeOf(source: string, at: number): { line: number; column: number } {
  const before = source.slice(0, at).split('\n');
  return { line: before.length, column: Array.from(before.at(-1) ?? '').length + 1 };
}
