import { causeOf, errno } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { readPlainFile } from '../disk.ts';
import { createWatch, waysTo } from '../watch.ts';
import type { LocalFile, Query } from './query.ts';
import { record } from './records.ts';
import type { Sink, Source } from './source.ts';

/** A source that also answers for files of this machine, which it watches; all else is for the other one. */
export function withLocalFiles(source: Source, log: Log): Source {
  /** By path. */
  const followed = new Map<string, Followed>();
  let stopped = false;

  const tell = (each: Followed): void => {
    if (!isFollowed(each)) return;
    const { query, sink } = each;
    try {
      const bytes = read(query.name);
      sink.problem(null);
      const isNews = bytes === null || each.bytes == null ? bytes !== each.bytes : !bytes.equals(each.bytes);
      if (isNews)
        sink.answer({ data: bytes && localFile(query.name, bytes), continuous: each.bytes !== undefined });
      each.bytes = bytes;
    } catch (error) {
      if (isFollowed(each)) sink.problem(causeOf(error));
    }
  };
  const isFollowed = (each: Followed): boolean => !stopped && followed.get(each.query.name) === each;

  // In a moment: no sink is called ahead of its subscription's return, and what is subscribed together is read once.
  let mustLook = false;
  const look = (): void => {
    if (mustLook) return;
    mustLook = true;
    queueMicrotask(() => {
      mustLook = false;
      if (stopped) return;
      watch.follow(waysTo(followed.keys()));
      for (const each of followed.values()) tell(each);
    });
  };
  const watch = createWatch(look, (directory, error) =>
    log.warn('could not watch', { directory, cause: causeOf(error) }),
  );

  return {
    ...source,
    name: source.name,
    subscribe(query, sink) {
      if (query.kind !== 'file') return source.subscribe(query, sink);
      const path = query.name;
      const entry = { query, sink, bytes: undefined } as unknown as Followed;
      followed.set(path, entry);
      look();
      return () => {
        if (followed.get(path) === entry) followed.delete(path);
        if (!stopped) watch.follow(waysTo(followed.keys()));
      };
    },
    look() {
      look();
      source.look?.();
    },
    async stop() {
      stopped = true;
      watch.stop();
      await source.stop();
    },
  };
}

interface Followed {
  query: Query<'file'>;
  sink: Sink<'file'>;
  /** What was told last: null for no file, undefined before the first answer. */
  bytes: Buffer | null | undefined;
}

/** @returns null where there is none */
function read(path: string): Buffer | null {
  try {
    return readPlainFile(path);
  } catch (error) {
    if (errno(error) !== 'ENOENT' && errno(error) !== 'ENOTDIR') throw error;
    return null;
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function localFile(path: string, bytes: Buffer): LocalFile {
  return record('a file', {
    get Content(): string {
      try {
        return UTF8.decode(bytes);
      } catch (error) {
        throw new Error(`the file ${path} is not text (invalid UTF-8)`, { cause: error });
      }
    },
  });
}
