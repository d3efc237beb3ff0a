import type { Ms } from '../core/duration.ts';
import type { Log } from '../log.ts';

/**
 * Says what is true of many queries in two lines: of the first at once, and of all that follow within a moment. A token
 * that is revoked is one piece of news, not a thousand.
 */
export interface Chorus {
  info(event: string, query: string): void;
  warn(event: string, query: string, cause: string): void;
  /** Says at once what has been gathered. */
  end(): void;
}

/** Queries fail one after the other, within the time of a few requests. */
const GATHER: Ms = 100;

/** What has been said of one query, and is gathered of others. */
interface Part {
  say: (fields: { query: string; others?: number }) => void;
  queries: Set<string>;
}

export function createChorus(log: Log): Chorus {
  const parts = new Map<string, Part>();
  let timer: NodeJS.Timeout | undefined;

  const end = (): void => {
    clearTimeout(timer);
    timer = undefined;
    for (const { say, queries } of parts.values()) {
      const [query] = queries;
      if (query !== undefined) say({ query, ...(queries.size > 1 && { others: queries.size - 1 }) });
    }
    parts.clear();
  };

  const add = (id: string, query: string, say: Part['say']): void => {
    const part = parts.get(id);
    if (part) {
      part.queries.add(query);
      return;
    }
    parts.set(id, { say, queries: new Set() });
    say({ query });
    timer ??= setTimeout(end, GATHER);
  };

  return {
    info: (event, query) => add(event, query, (fields) => log.info(event, fields)),
    warn: (event, query, cause) =>
      add(`${event}\n${cause}`, query, (fields) => log.warn(event, { ...fields, cause })),
    end,
  };
}
