/** A Go template, parsed. `at` is an offset in its text. */
export type Expression =
  | { kind: 'string'; value: string; at: number }
  /** As it was written. */
  | { kind: 'number'; value: string; at: number }
  | { kind: 'bool'; value: boolean; at: number }
  | { kind: 'nil'; at: number }
  | { kind: 'dot'; at: number }
  | { kind: 'variable'; name: string; at: number }
  /** Fields of something: `.a.b` are those of the dot. */
  | { kind: 'fields'; of: Expression; names: readonly string[]; at: number }
  | { kind: 'call'; name: string; args: readonly Expression[]; at: number }
  /** A field or a variable with arguments: Go calls a method. */
  | { kind: 'method'; words: string; at: number };

/** `expression`, `$x := expression`, `$i, $e := expression`, `$x = expression`. */
export interface Pipeline {
  names: readonly string[];
  /** Declares the names, or gives them another value. */
  declares: boolean;
  value: Expression;
  at: number;
}

export type Node =
  | { kind: 'text'; value: string; at: number }
  | { kind: 'comment'; value: string; at: number }
  | { kind: 'action'; pipeline: Pipeline; at: number }
  | Control
  | { kind: 'template'; name: string; value: Expression | undefined; at: number }
  /** What cannot be turned at all: `break`, `continue`. */
  | { kind: 'jump'; word: string; at: number };

export interface Control {
  kind: 'if' | 'range' | 'with';
  pipeline: Pipeline;
  body: readonly Node[];
  otherwise: readonly Node[] | undefined;
  at: number;
}

export interface Define {
  name: string;
  body: readonly Node[];
  at: number;
}

export interface Parsed {
  body: readonly Node[];
  defines: readonly Define[];
}
