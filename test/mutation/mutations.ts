/** What may be wrong with a source file, one mistake at a time. */
import { SyntaxKind as Kind, type Node, type SourceFile } from 'typescript/unstable/ast';

/** One mistake: what is written instead of a stretch of the text. */
export interface Mutation {
  start: number;
  end: number;
  text: string;
  /** In words: `a < b → a <= b`. */
  what: string;
}

const OPERATORS: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '&&': ['||'],
  '||': ['&&'],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '&': ['|'],
  '+=': ['-='],
  '-=': ['+='],
  in: [],
};
/** Calls that another stands for, and those that may be left out. */
const CALLS: Readonly<Record<string, string>> = {
  every: 'some',
  some: 'every',
  min: 'max',
  max: 'min',
  floor: 'ceil',
  round: 'floor',
  startsWith: 'endsWith',
  endsWith: 'startsWith',
  at: 'indexOf',
};
const LEFT_OUT = ['filter', 'slice', 'sort', 'trim', 'toUpperCase', 'padStart', 'toFixed'];
/** Words for people; other tests hold them. */
const WORDS = ['help', 'default', 'hint', 'message', 'expected', 'takes', 'when', 'args'];
const MOST_WHAT = 90;

/** All of them, in the order of the text. Types and imports are left alone. */
export function mutationsOf(file: SourceFile): Mutation[] {
  const text = file.text;
  const found: Mutation[] = [];
  const put = (node: Node, start: number, end: number, replacement: string): void => {
    const around = { start: node.getStart(file), end: node.end };
    const before = text.slice(around.start, around.end);
    const after = text.slice(around.start, start) + replacement + text.slice(end, around.end);
    found.push({ start, end, text: replacement, what: `${short(before)} → ${short(after)}` });
  };
  const replace = (node: Node, ...replacements: readonly string[]): void => {
    for (const each of replacements) put(node, node.getStart(file), node.end, each);
  };
  const visit = (node: Node): void => {
    if (isType(node) || node.kind === Kind.ImportDeclaration) return;
    for (const mutate of MUTATE[node.kind] ?? []) mutate(node as never, { text, file, put, replace });
    node.forEachChild((child) => {
      visit(child);
    });
  };
  visit(file);
  return found.sort((a, b) => a.start - b.start || a.end - b.end);
}

interface Tools {
  text: string;
  file: SourceFile;
  put: (node: Node, start: number, end: number, text: string) => void;
  replace: (node: Node, ...texts: readonly string[]) => void;
}

/** The parts of nodes that are looked at here. */
interface Parts extends Node {
  left: Node;
  right: Node;
  operatorToken: Node;
  operator: Kind;
  operand: Node;
  expression: Node;
  condition: Node;
  name: Node;
  body: Node;
  initializer: Node;
  properties: readonly Node[];
  statements: readonly Node[];
  arguments: readonly Node[];
}

type Mutate = (node: Parts, tools: Tools) => void;

const condition =
  (part: 'expression' | 'condition'): Mutate =>
  (node, { replace }) => {
    if (node[part]) replace(node[part], 'true', 'false');
  };
const left: Mutate = (node, { replace, file }) =>
  replace(node, node.left.getText(file), node.right.getText(file));
const statement: Mutate = (node, { replace }) => replace(node, ';');

const MUTATE: Partial<Record<Kind, readonly Mutate[]>> = {
  [Kind.BinaryExpression]: [
    (node, tools) => {
      const { left: a, operatorToken, right: b } = node;
      const operator = operatorToken.getText(tools.file);
      if (operator === '??') left(node, tools);
      // Joined words are no sum.
      if (operator === '+' && [a, b].some(isText)) return;
      for (const other of OPERATORS[operator] ?? [])
        tools.put(node, operatorToken.getStart(tools.file), operatorToken.end, other);
    },
  ],
  [Kind.PrefixUnaryExpression]: [
    (node, { put, replace, file }) => {
      const start = node.getStart(file);
      if (node.operator === Kind.ExclamationToken || node.operator === Kind.MinusToken)
        put(node, start, start + 1, '');
      if (node.operator === Kind.PlusPlusToken) replace(node, `--${node.operand.getText(file)}`);
    },
  ],
  [Kind.IfStatement]: [condition('expression')],
  [Kind.WhileStatement]: [condition('expression')],
  [Kind.ForStatement]: [condition('condition')],
  [Kind.ConditionalExpression]: [condition('condition')],
  [Kind.TrueKeyword]: [(node, { replace }) => replace(node, 'false')],
  [Kind.FalseKeyword]: [(node, { replace }) => replace(node, 'true')],
  [Kind.NumericLiteral]: [
    (node, { replace, file }) => replace(node, String(Number(node.getText(file).replaceAll('_', '')) + 1)),
  ],
  [Kind.StringLiteral]: [
    (node, { replace, file }) => {
      const word = node.getText(file);
      if (word.length > 2 && !/\s/.test(word) && !isForPeople(node, file)) replace(node, "''");
    },
  ],
  [Kind.RegularExpressionLiteral]: [
    (node, { put, file, text }) => {
      const start = node.getStart(file);
      const last = text.lastIndexOf('/', node.end);
      if (text[start + 1] === '^') put(node, start + 1, start + 2, '');
      if (text[last - 1] === '$') put(node, last - 1, last, '');
    },
  ],
  [Kind.ReturnStatement]: [
    (node, { replace, file }) => {
      if (node.expression && node.expression.getText(file) !== 'undefined')
        replace(node.expression, 'undefined as never');
    },
  ],
  [Kind.ArrowFunction]: [
    (node, { replace }) => {
      if (node.body.kind !== Kind.Block) replace(node.body, '(undefined as never)');
    },
  ],
  [Kind.ExpressionStatement]: [statement],
  [Kind.ContinueStatement]: [statement],
  [Kind.BreakStatement]: [statement],
  [Kind.ForOfStatement]: [statement],
  [Kind.ObjectLiteralExpression]: [
    (node, { put, text, file }) => {
      // What is changed of something that is copied.
      if (!node.properties.some(({ kind }) => kind === Kind.SpreadAssignment)) return;
      for (const property of node.properties) {
        const end = property.end + (text[property.end] === ',' ? 1 : 0);
        if (!WORDS.includes((property as Parts).name?.getText(file)))
          put(property, property.getStart(file), end, '');
      }
    },
  ],
  [Kind.CallExpression]: [
    (node, { put, replace, file }) => {
      const called = node.expression as Parts;
      if (called.kind !== Kind.PropertyAccessExpression) return;
      const name = called.name.getText(file);
      const other = CALLS[name];
      if (other) put(node, called.name.getStart(file), called.name.end, other);
      if (LEFT_OUT.includes(name)) replace(node, called.expression.getText(file));
    },
  ],
};

function isType(node: Node): boolean {
  return (
    node.kind === Kind.InterfaceDeclaration ||
    node.kind === Kind.TypeAliasDeclaration ||
    (node.kind >= Kind.FirstTypeNode && node.kind <= Kind.LastTypeNode)
  );
}

function isText({ kind }: Node): boolean {
  return kind === Kind.StringLiteral || kind === Kind.TemplateExpression;
}

/** The value of a property that people read, or a name of one. */
function isForPeople(node: Node, file: SourceFile): boolean {
  const parent = node.parent as Parts;
  if (parent.kind !== Kind.PropertyAssignment) return false;
  return parent.name === node || WORDS.includes(parent.name.getText(file));
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > MOST_WHAT ? `${line.slice(0, MOST_WHAT)}…` : line;
}
