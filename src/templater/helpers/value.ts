/** Values as helpers take them: from the store as text, from `parseJSON` and the like as what they are. */
import { compare, sortedMap } from '../source/records.ts';
import { inShort } from './helper.ts';

export type Whole = number | bigint;
export type Dict = Readonly<Record<string, unknown>>;

/** No list that a helper makes is longer than this. */
export const MOST_ENTRIES = 1_000_000;
/** No text that a helper makes is longer than this, in characters. */
export const MOST_TEXT = 64 * 1024 * 1024;

/** Text, or what has one. Nothing is the empty text, as a field that is not there prints nothing. */
export function asText(value: unknown, what = 'text'): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'object' || typeof value === 'function')
    throw new Error(`expected ${what}, got ${inShort(value)}`);
  return String(value);
}

/** A list; nothing is the empty one. */
export function asList(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw new Error(`expected a list, got ${inShort(value)}`);
}

/** An object; nothing is the empty one. */
export function asDict(value: unknown): Dict {
  if (value === undefined || value === null) return sortedMap({});
  if (isDict(value)) return value;
  throw new Error(`expected an object, got ${inShort(value)}`);
}

export function isDict(value: unknown): value is Dict {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A number, or text that is one to its last character. */
export function asNumber(value: unknown): Whole {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value === 'string' && /^[+-]?\d+$/.test(value)) return whole(BigInt(value.replace(/^\+/, '')));
  if (typeof value === 'string' && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)) {
    const number = Number(value);
    if (Number.isFinite(number)) return number;
  }
  throw new Error(`expected a number, got ${describeValue(value)}`);
}

/** A whole number, exact however large it is. */
export function asWhole(value: unknown): Whole {
  const number = asNumber(value);
  if (isWhole(number)) return number;
  throw new Error(`expected a whole number, got ${number}`);
}

/** A whole number that serves as a count or a place in a list. */
export function asCount(value: unknown): number {
  const number = asWhole(value);
  if (typeof number === 'number' && number >= 0) return number;
  throw new Error(`expected a whole number from 0 on, got ${number}`);
}

export function isWhole(value: Whole): boolean {
  return typeof value === 'bigint' || Number.isInteger(value);
}

/** A whole number in the simplest form that keeps its digits. */
export function whole(value: bigint): Whole {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Whether Go's templates take it for true: not false, 0, nothing, or an empty text, list or object. */
export function isTruthy(value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === false) return false;
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value) !== 0;
  if (Array.isArray(value)) return value.length > 0;
  return !isDict(value) || Object.keys(value).length > 0;
}

/** Lists and objects in a copy whose objects have no prototype and their keys in order. */
export function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (!isDict(value)) return value;
  const sorted = sortedMap(value);
  for (const key of Object.keys(sorted)) sorted[key] = inOrder(sorted[key]);
  return sorted;
}

/** An object without a prototype, its keys in order. */
export function dict<T>(entries: Iterable<readonly [string, T]>): Record<string, T> {
  const all: Record<string, T> = Object.create(null);
  for (const [key, value] of entries) all[key] = value;
  return sortedMap(all);
}

/** Marks an object whose keys are numbers, to be shown by their value; JavaScript's own order is that. */
export const BY_NUMBER = Symbol('by number');

/** The entries of an object in the order in which Go shows them; JavaScript has integer-like keys first. */
export function orderedEntries(value: object): [string, unknown][] {
  const entries = Object.entries(value);
  return BY_NUMBER in value ? entries : entries.sort(([a], [b]) => compare(a, b));
}

/** Text made by a helper, if it is no longer than makes sense. */
export function bounded(length: number, make: () => string): string {
  if (length > MOST_TEXT) throw new Error(`its result would be longer than ${MOST_TEXT} characters`);
  return make();
}

/** What a value is, in a complaint about text of the store: never what it says, since it may be a secret. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null || value === '') return 'nothing';
  return typeof value === 'string' ? 'other text' : inShort(value);
}
