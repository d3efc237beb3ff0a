import Handlebars from 'handlebars';
import type { Piece } from './piece.ts';

/** The parts of Handlebars' syntax tree that are looked at here. */
interface Node {
  type: string;
  value?: string;
  body?: Node[];
  program?: Node;
  inverse?: Node;
  path?: { original?: unknown };
  params?: Node[];
  original?: unknown;
}

/** Where the text of a template and its tags are, without what neither prints nor decides. */
type Shape = string[];

/**
 * Whether the text of a template means what was meant: Handlebars itself reads it, takes away what it takes away, and what
 * is left is held against the pieces.
 */
export function means(source: string, pieces: readonly Piece[]): boolean {
  try {
    const ast = Handlebars.parse(source) as unknown as Node;
    return shapeOfNodes(ast).join('\0') === shapeOfPieces(pieces).join('\0');
  } catch {
    return false;
  }
}

function shapeOfNodes(program: Node | undefined): Shape {
  const shape: Shape = [];
  for (const node of program?.body ?? []) {
    if (node.type === 'ContentStatement') addText(shape, node.value ?? '');
    else if (bracesOf(node) !== undefined) addText(shape, bracesOf(node) ?? '');
    else if (node.type === 'BlockStatement')
      add(
        shape,
        'open',
        shapeOfNodes(node.program),
        ...(node.inverse ? ['else', shapeOfNodes(node.inverse)] : []),
        'close',
      );
    else if (node.type !== 'CommentStatement') add(shape, 'tag');
  }
  return shape;
}

/** Braces that are text are printed (layout.ts). */
function bracesOf({ type, path, params }: Node): string | undefined {
  const [text, ...more] = params ?? [];
  const isBraces = type === 'MustacheStatement' && path?.original === 'print' && more.length === 0;
  return isBraces && /^\{+$/.test(String(text?.value)) ? String(text?.value) : undefined;
}

function shapeOfPieces(pieces: readonly Piece[]): Shape {
  const shape: Shape = [];
  for (const piece of pieces) {
    if (piece.kind === 'text') addText(shape, piece.value);
    else if (piece.kind === 'block') {
      const [first, ...others] = piece.branches;
      add(shape, 'open', shapeOfPieces(first?.body ?? []));
      // `else if` is an if inside of the else.
      for (const [i, { source, body }] of others.entries()) {
        add(shape, 'else', ...(source === '{{else}}' ? [] : ['open']), shapeOfPieces(body));
        if (i === others.length - 1)
          for (const { source } of others) if (source !== '{{else}}') add(shape, 'close');
      }
      add(shape, 'close');
    } else if (piece.kind !== 'note') add(shape, 'tag');
  }
  return shape;
}

function add(shape: Shape, ...parts: (string | Shape)[]): void {
  for (const part of parts) {
    if (typeof part === 'string') shape.push(`<${part}>`);
    else for (const each of part) each.startsWith('=') ? addText(shape, each.slice(1)) : shape.push(each);
  }
}

/** Texts that nothing parts are one; texts are marked, so that none is taken for a tag. */
function addText(shape: Shape, text: string): void {
  if (text === '') return;
  if (shape.at(-1)?.startsWith('=')) shape[shape.length - 1] += text;
  else shape.push(`=${text}`);
}
