import { join } from 'node:path';
import type { Ms } from '../../core/duration.ts';
import { causeOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import {
  MOST_BYTES,
  readCacheFile,
  type SavedEntry,
  touchCacheFile,
  Untrusted,
  writeCacheFile,
} from './cache-file.ts';
import { type DataOf, describeQuery, type Kind, type Query } from './query.ts';
import { restore, save } from './saved.ts';
import type { Sink, Source, SourceState } from './source.ts';

export interface CacheOptions {
  /** Where the cache file is, or will be. */
  directory: string;
  /** Which source it is, and what it shows of itself: the cache of another is of no use. */
  name: string;
  log: Log;
  onState: (state: SourceState) => void;
  /** Opens the source whose answers are kept. */
  open: (onState: (state: SourceState) => void) => Source;
}

/** A query that somebody follows. */
interface Followed {
  query: Query;
  id: string;
  sink: Sink;
  /** The last data from the source itself; null when it has none, or has not answered. */
  data: DataOf[Kind] | null;
  /** The source itself has answered. */
  live: boolean;
  /** The cache has been asked in its place. */
  stoodIn: boolean;
}

/** From a change to its being saved: a busy store costs one write in this time, and a large one a fiftieth of the time. */
const SAVE_AFTER: Ms = 5000;
const SAVE_SHARE = 50;
/** What nobody has asked for so long is dropped. */
const FORGET_AFTER: Ms = 30 * 24 * 3_600_000;

/**
 * A source that remembers its last good answers on disk. Where it is away from the start they stand in, so that services
 * start on what they last ran with; the first live answer takes their place. Like every first answer it follows a gap, so
 * what it lacks was not seen to be deleted (memory.ts).
 *
 * Only what is away is stood in for: a query that the source refuses has no answer.
 */
export async function createCachedSource(options: CacheOptions): Promise<Source> {
  const { directory, name, log, onState, open } = options;
  const path = join(directory, `${name.replace(/[^A-Za-z0-9._-]+/g, '-')}.json`);
  const followed = new Map<string, Followed>();
  let mayWrite = true;
  let isAway = false;
  let saidUsed = false;
  let saidUnsaved = false;
  let stopped = false;
  let wasLive = false;
  let dirty = false;
  let tookMs: Ms = 0;
  let timer: NodeJS.Timeout | undefined;
  let saving: Promise<void> = Promise.resolve();

  const saved = await readCacheFile(path, name).catch((error: unknown) => {
    mayWrite = !(error instanceof Untrusted);
    log.warn('did not use the cache', { file: path, cause: causeOf(error) });
    return undefined;
  });
  const entries = new Map<string, SavedEntry>(Object.entries(saved?.entries ?? {}));

  const standIn = (each: Followed): void => {
    const entry = entries.get(each.id);
    if (!isAway || stopped || each.live || each.stoodIn || !entry) return;
    each.stoodIn = true;
    try {
      const data = restore(each.query, entry.data);
      if (data === null) return;
      const ageMs = Math.max(0, Math.round(Date.now() - (saved?.savedAt ?? 0)));
      if (!saidUsed) log.warn('used the cache', { file: path, ageMs, cause: `${name} is away` });
      saidUsed = true;
      each.sink.answer({ data, continuous: false });
    } catch (error) {
      log.warn('did not use an answer of the cache', { query: each.id, cause: causeOf(error) });
    }
  };

  const gather = ({ id, query, data }: Followed): void => {
    const entry = entries.get(id);
    if (data !== null) entries.set(id, { askedAt: Date.now(), data: save(query.kind, data) });
    else if (entry) entry.askedAt = Date.now();
  };

  const write = async (): Promise<void> => {
    dirty = false;
    const began = performance.now();
    for (const each of followed.values()) gather(each);
    const oldest = Date.now() - FORGET_AFTER;
    for (const [id, { askedAt }] of entries) if (!(askedAt > oldest)) entries.delete(id);
    try {
      await writeCacheFile(path, encode(name, entries));
      saidUnsaved = false;
    } catch (error) {
      if (!saidUnsaved) log.warn('could not save the cache', { file: path, cause: causeOf(error) });
      saidUnsaved = true;
    }
    tookMs = performance.now() - began;
  };

  const soon = (): void => {
    dirty = true;
    if (!mayWrite || stopped || timer) return;
    timer = setTimeout(
      () => {
        timer = undefined;
        saving = saving.then(write);
      },
      Math.max(SAVE_AFTER, tookMs * SAVE_SHARE),
    ).unref();
  };

  const source = open((state) => {
    isAway = state.awaySince !== null;
    onState(state);
    for (const each of followed.values()) standIn(each);
  });

  return {
    name: source.name,
    subscribe<K extends Kind>(query: Query<K>, sink: Sink<K>) {
      const id = describeQuery(query);
      const each: Followed = {
        query,
        id,
        sink: sink as unknown as Sink,
        data: null,
        live: false,
        stoodIn: false,
      };
      followed.set(id, each);
      const end = source.subscribe(query, {
        answer(answer) {
          sink.answer(answer);
          // What is gone after a gap is kept, here as everywhere; what was deleted is not.
          if (answer.data === null && answer.continuous) entries.delete(id);
          each.live = wasLive = true;
          each.data = answer.data;
          soon();
        },
        problem: (cause) => sink.problem(cause),
      });
      queueMicrotask(() => {
        if (followed.get(id) === each) standIn(each);
      });
      return () => {
        end();
        if (followed.get(id) !== each) return;
        gather(each);
        followed.delete(id);
      };
    },
    explain: () =>
      (source.explain?.() ?? []).map((state) => {
        const each = followed.get(state.query);
        return each && !each.live && each.stoodIn ? { ...state, connection: 'cache' } : state;
      }),
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await source.stop();
      await saving;
      if (mayWrite && dirty) await write();
      else if (mayWrite && !isAway && wasLive) await touchCacheFile(path);
    },
  };
}

/** The file's text; where it would be too long, without what was asked for longest ago. */
function encode(source: string, entries: ReadonlyMap<string, SavedEntry>): Uint8Array {
  const newest = [...entries].sort(([, a], [, b]) => b.askedAt - a.askedAt);
  const parts: string[] = [];
  let size = 0;
  for (const [id, entry] of newest) {
    const part = `${JSON.stringify(id)}:${JSON.stringify(entry)}`;
    size += Buffer.byteLength(part) + 1;
    if (size > MOST_BYTES - 1024) break;
    parts.push(part);
  }
  return Buffer.from(
    `{"version":1,"source":${JSON.stringify(source)},"entries":{\n${parts.join(',\n')}\n}}\n`,
  );
}
