import type { EventRecord } from './control/protocol.ts';
import type { Fields, Level } from './log.ts';

/** Some hours of a tree that is busy with itself, and less than a megabyte. */
const MOST_EVENTS = 1000;
/** More of one value says no more. */
const MOST_VALUE = 1000;

/**
 * What happened, newest last, as far as it is remembered: each line of our log at `info` and graver, whatever
 * `--log-level` lets through.
 */
export class Events {
  readonly #ring: EventRecord[] = [];
  readonly #listeners = new Set<(record: EventRecord) => void>();
  #count = 0;

  record(level: Exclude<Level, 'debug' | 'silent'>, time: number, event: string, fields: Fields): void {
    const { service, ...rest } = fields;
    const record: EventRecord = {
      v: 1,
      seq: ++this.#count,
      time: new Date(time).toISOString(),
      level,
      service: typeof service === 'string' ? service : null,
      event,
      fields: clip(rest),
    };
    this.#ring.push(record);
    if (this.#ring.length > MOST_EVENTS) this.#ring.shift();
    for (const listener of this.#listeners) listener(record);
  }

  list(): readonly EventRecord[] {
    return this.#ring;
  }

  /** @returns how to listen no more */
  listen(listener: (record: EventRecord) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

function clip(fields: Fields): Fields {
  const kept: Fields = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const isLong = typeof value === 'string' && value.length > MOST_VALUE;
    kept[name] = isLong ? `${value.slice(0, MOST_VALUE)}…` : value;
  }
  return kept;
}
