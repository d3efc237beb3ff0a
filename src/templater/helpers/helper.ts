import type { Memory } from '../memory.ts';
import type { Kind, Query } from '../source/query.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * One run of a template. Helpers are synchronous, and data are not: a helper that lacks something says so, returns an
 * empty stand-in, and the template runs again once there is news. One run so finds out all that is missing at once.
 */
export interface Pass {
  /** What is known of a query; undefined when there is no answer yet, which is then noted as lacking. */
  ask<K extends Kind>(query: Query<K>): Memory<K> | undefined;
  /** Notes that the template cannot be rendered without this. */
  lack(words: string): void;
  /** Notes that a value was used which is no longer there. */
  keep(query: Query): void;
  env: Environment;
  /** What `set` has put aside in this run. */
  scratch: Map<string, unknown>;
  /** What a relative path of `file` is relative to. */
  directory: string;
  now: () => Date;
}

export type Options = Readonly<Record<string, unknown>>;

export interface Helper {
  /** As it is written, for messages: `key "app/rate" default="10"`. */
  usage: string;
  /** What it gives, in a few words; a line of `help templates`. */
  meaning: string;
  /** Templates and what they come to, on the data of reference.ts. Each is a test. */
  examples: readonly (readonly [template: string, output: string])[];
  /** Least and greatest number of values. */
  values: readonly [number, number];
  /** Names of its `name=value` options; undefined for any. */
  options: readonly string[] | undefined;
  /** What must be loaded before it can run. */
  load?: () => Promise<unknown>;
  /** @throws Error for a value that it can do nothing with */
  run(pass: Pass, values: readonly unknown[], options: Options): unknown;
}

export const MANY = Number.POSITIVE_INFINITY;

/** How many entries a list must have, from its `min=` and `required=` options; undefined where neither is given. */
export function leastEntries(options: Options): number | undefined {
  const { min, required } = options;
  if (min !== undefined) {
    const least = typeof min === 'string' && /^\d+$/.test(min) ? Number(min) : min;
    if (typeof least !== 'number' || !Number.isInteger(least) || least < 0)
      throw new Error(`expected min= to be a whole number, got ${asWritten(min)}`);
    return least;
  }
  return readRequired(required) ? 1 : undefined;
}

/** The `required=` option; undefined where it is not given. */
export function readRequired(value: unknown): boolean | undefined {
  return readSwitch('required', value);
}

/** An option that is true or false; undefined where it is not given. */
export function readSwitch(name: string, value: unknown): boolean | undefined {
  if (value === undefined) return undefined;
  if (value === true || value === 'true') return true;
  if (value === false || value === 'false') return false;
  throw new Error(`expected ${name}= to be true or false, got ${asWritten(value)}`);
}

/** Text that must not be empty, such as a path. */
export function textValue(value: unknown, what: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new Error(`expected ${what}, got ${inShort(value)}`);
}

/** The value of an option, which is a word of the template. */
function asWritten(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : inShort(value);
}

/** A value in a complaint, which is logged and shown: text may be long, and secret. */
export function inShort(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return value === '' ? 'empty text' : 'text';
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : String(value);
}

/** How many of something are taken, in words: `2`, `1 to 3`, `at least 1`. */
export function countWords(least: number, most: number): string {
  if (least === most) return `${least}`;
  return most === Number.POSITIVE_INFINITY ? `at least ${least}` : `${least} to ${most}`;
}
