import type { Pair } from './query.ts';
import { record } from './records.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What a store holds of one key. */
export interface RawPair {
  path: string;
  bytes: Uint8Array | string;
  flags?: number;
  createIndex?: number;
  modifyIndex?: number;
  lockIndex?: number;
  session?: string;
}

/**
 * A key as templates see it.
 * @param prefix what `Key` is relative to: the prefix that was asked for, or '' for a single key
 */
export function pair(raw: RawPair, prefix = ''): Pair {
  return record('a key', {
    [STORED]: raw,
    Path: raw.path,
    Key: raw.path.slice(prefix.length),
    // Decoded when read: bytes that are no text harm the template that prints them, not its neighbours in a tree.
    get Value(): string {
      return typeof raw.bytes === 'string' ? raw.bytes : decode(raw.path, raw.bytes);
    },
    Flags: raw.flags ?? 0,
    CreateIndex: raw.createIndex ?? 0,
    ModifyIndex: raw.modifyIndex ?? 0,
    LockIndex: raw.lockIndex ?? 0,
    Session: raw.session ?? '',
  });
}

/** Where a key keeps what it was made from; templates cannot spell it. */
const STORED = Symbol('stored');

/** What a key was made from, its bytes as they are. */
export function storedOf(made: Pair): RawPair {
  return (made as Pair & { [STORED]: RawPair })[STORED];
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new Error(`the value of key ${JSON.stringify(path)} is not text (invalid UTF-8)`);
  }
}
