/** Bytes that began as something valid. */
import fc from 'fast-check';

/** What parsers stumble over. */
const WORDS = [
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '..', '../', '/', '\\', '\0'],
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '`',
    ':',
    ',',
    '-',
    '&a',
    '*a',
    '<<',
    '!!',
    '|',
    '>',
    '%',
    '#',
    '@',
    '\n',
  ],
  ...['\r\n', '\t', '\ufeff', '\u2028', 'é', '\ud800', '💥', '0', '-1', '1e999', '9007199254740993', '0x10'],
  ...['{{', '}}', '{{{', '}}}', '{{!--', '--}}', '{{#', '{{/', '{{>', '~', '(', ')', '../', '@key', 'this'],
  ...['null', 'true', '""', '{}', '[]', '${HOME}', '$(id)', '`id`'],
].map((word) => Buffer.from(word));

type Mutation = (bytes: Buffer) => Buffer;

const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const place = (share: number, bytes: Buffer): number => Math.floor(share * (bytes.length + 1));
const splice = (bytes: Buffer, from: number, to: number, put: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(to)]);

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(at, fc.constantFrom(...WORDS)).map(
    ([where, word]): Mutation =>
      (bytes) =>
        splice(bytes, place(where, bytes), place(where, bytes), word),
  ),
  fc.tuple(at, fc.integer({ min: 0, max: 255 })).map(
    ([where, byte]): Mutation =>
      (bytes) =>
        splice(bytes, place(where, bytes), place(where, bytes) + 1, Buffer.from([byte])),
  ),
  // One bit.
  fc.tuple(at, fc.integer({ min: 0, max: 7 })).map(
    ([where, bit]): Mutation =>
      (bytes) => {
        const copy = Buffer.from(bytes);
        const i = place(where, bytes);
        if (i < copy.length) copy[i] = (copy[i] ?? 0) ^ (1 << bit);
        return copy;
      },
  ),
  // A number, as formats of bytes have it.
  fc
    .tuple(
      at,
      fc.constantFrom(0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff),
      fc.constantFrom(1, 2, 4),
    )
    .map(
      ([where, value, size]): Mutation =>
        (bytes) => {
          const copy = Buffer.from(bytes);
          const i = place(where, bytes);
          if (i + size <= copy.length) copy.writeUIntLE(value % 2 ** (8 * size), i, size);
          return copy;
        },
    ),
  fc.tuple(at, fc.integer({ min: 1, max: 32 })).map(
    ([where, length]): Mutation =>
      (bytes) =>
        splice(bytes, place(where, bytes), place(where, bytes) + length, new Uint8Array()),
  ),
  // A piece of it once more, somewhere.
  fc.tuple(at, fc.integer({ min: 1, max: 64 }), at).map(
    ([from, length, where]): Mutation =>
      (bytes) =>
        splice(
          bytes,
          place(where, bytes),
          place(where, bytes),
          bytes.subarray(place(from, bytes), place(from, bytes) + length),
        ),
  ),
  // One of its bytes very often: nested, or long.
  fc.tuple(at, fc.constantFrom(10, 1000, 20_000)).map(
    ([where, times]): Mutation =>
      (bytes) => {
        const i = place(where, bytes);
        return splice(bytes, i, i, Buffer.alloc(times, bytes[i] ?? 0x5b));
      },
  ),
  at.map(
    (where): Mutation =>
      (bytes) =>
        bytes.subarray(0, place(where, bytes)),
  ),
);

/** Some of these, changed here and there. */
export function mutated(seeds: readonly Buffer[]): fc.Arbitrary<Buffer> {
  return fc
    .tuple(fc.constantFrom(...seeds), fc.array(mutation, { maxLength: 8 }))
    .map(([seed, mutations]) =>
      mutations.reduce((bytes: Buffer, change) => change(bytes), Buffer.from(seed)),
    );
}
