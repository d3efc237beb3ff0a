/** White space: what is moved changes nothing, and Handlebars reads what was meant. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { layOut, settle } from '../../../src/templater/convert/layout.ts';
import { type Piece, tidy } from '../../../src/templater/convert/piece.ts';
import { means } from '../../../src/templater/convert/verify.ts';

/** Pieces as the translation makes them: `if` with all its branches, loops, tags of each kind, texts that touch them. */
const { pieces } = fc.letrec<{ pieces: Piece[]; piece: Piece }>((tie) => ({
  pieces: fc.array(tie('piece'), { maxLength: 5 }).map(tidy),
  piece: fc.oneof(
    { maxDepth: 4, depthSize: 'medium' },
    fc.record({
      kind: fc.constant('text' as const),
      value: fc
        .array(fc.constantFrom('a', '\n', '\n', '\r\n', ' ', '  ', '\t', '{', '}', '{{', '\\'), {
          minLength: 1,
          maxLength: 6,
        })
        .map((parts) => parts.join('')),
    }),
    fc.constant({ kind: 'print' as const, source: '{{x}}' }),
    fc.constant({ kind: 'note' as const, source: '{{!-- note --}}' }),
    fc.constant({ kind: 'partial' as const, source: '{{> part}}' }),
    fc
      .tuple(
        tie('pieces'),
        fc.array(tie('pieces'), { maxLength: 2 }),
        fc.option(tie('pieces'), { nil: undefined }),
      )
      .map(([body, chained, otherwise]) => ({
        kind: 'block' as const,
        name: 'if',
        branches: [
          { source: '{{#if x}}', body },
          ...chained.map((each) => ({ source: '{{else if x}}', body: each })),
          ...(otherwise ? [{ source: '{{else}}', body: otherwise }] : []),
        ],
      })),
    tie('pieces').map((body) => ({
      kind: 'block' as const,
      name: 'each',
      branches: [{ source: '{{#each x}}', body }],
    })),
  ),
}));

/** What the pieces come to, as the choices say: which branch, and how often a loop goes round. */
function come(list: readonly Piece[], choose: () => number): string {
  return list
    .map((piece) => {
      if (piece.kind === 'text') return piece.value;
      if (piece.kind === 'note') return '';
      if (piece.kind !== 'block') return piece.source;
      if (piece.name === 'each') {
        const rounds = choose() % 3;
        return Array.from({ length: rounds }, () => come(piece.branches[0]?.body ?? [], choose)).join('');
      }
      const hasElse = piece.branches.at(-1)?.source === '{{else}}';
      const branch = choose() % (piece.branches.length + (hasElse ? 0 : 1));
      return come(piece.branches[branch]?.body ?? [], choose);
    })
    .join('');
}

/** The same choices again and again. */
function chooser(choices: readonly number[]): () => number {
  let i = 0;
  return () => choices[i++ % choices.length] ?? 0;
}

test('what is moved across a tag comes to the same bytes', () => {
  const choices = fc.array(fc.nat(11), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(pieces, choices, (list, chosen) => {
      assert.equal(come(settle(list), chooser(chosen)), come(list, chooser(chosen)));
    }),
    { numRuns: 2000 },
  );
});

test('the text means what the pieces mean, pretty and plain', () => {
  fc.assert(
    fc.property(pieces, (list) => {
      const settled = settle(list);
      const pretty = layOut(settled);
      assert.ok(means(pretty, settled), pretty);
      const plain = layOut(list, true);
      assert.ok(means(plain, list), plain);
    }),
    { numRuns: 1000 },
  );
});

test('a template that means something else is told from it', () => {
  const text = (value: string): Piece => ({ kind: 'text', value });
  const block = (body: Piece[]): Piece => ({
    kind: 'block',
    name: 'if',
    branches: [{ source: '{{#if x}}', body }],
  });
  const list = [text('a\n'), block([text('\nb\n')]), text('\nc')];
  assert.ok(means('a\n{{#if x}}\n\nb\n{{/if}}\n\nc', list));
  assert.ok(!means('a\n{{#if x}}\nb\n{{/if}}\nc', list), 'Handlebars takes line breaks away');
  assert.ok(!means('a\n{{#if x}}\n\nb\n\n\nc', list), 'it does not parse');
});
