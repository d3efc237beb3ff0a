import { causeOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { readPlainFile } from '../disk.ts';
import { createWatch, waysTo } from '../watch.ts';
import { answerFromFile, type FileData, readFileData } from './file-data.ts';
import { parseFileText } from './file-text.ts';
import { describeQuery, type Query } from './query.ts';
import type { Sink, Source, SourceState } from './source.ts';

export interface FileSourceOptions {
  /** Absolute path of a JSON or YAML file (file-data.ts says what is in it). */
  file: string;
  log: Log;
  onState: (state: SourceState) => void;
}

/**
 * Values from a file, for laptops, tests and CI. It is watched: what is written there takes effect at once. While it is
 * missing or broken the last data stay, as with a Consul that is away.
 */
export async function createFileSource({ file, log, onState }: FileSourceOptions): Promise<Source> {
  const followed = new Map<string, Followed>();
  let data: FileData | undefined;
  let text: string | undefined;
  let cause: string | null | undefined;
  let stopped = false;
  const name = `file ${file}`;

  const tell = (followed: Followed): void => {
    if (!data || stopped) return;
    const { query, sink } = followed;
    try {
      const found = answerFromFile(data, query);
      const content = JSON.stringify(found);
      sink.problem(null);
      followed.problem = null;
      followed.answeredAt = Date.now();
      if (content === followed.content) return;
      // What is not in a file that reads well is deleted: nothing else can make it vanish.
      sink.answer({ data: found, continuous: followed.content !== undefined });
      followed.changedAt = Date.now();
      followed.content = content;
    } catch (error) {
      followed.problem = causeOf(error);
      sink.problem(followed.problem);
    }
  };

  const say = (next: string | null): void => {
    if (next === cause || stopped) return;
    if (next !== null) log.warn('lost file', { file, cause: next });
    else if (cause !== undefined) log.info('reached file', { file });
    cause = next;
    onState({ name, awaySince: next === null ? null : Date.now(), cause: next });
  };

  const read = async (): Promise<void> => {
    try {
      const now = readPlainFile(file).toString('utf8');
      if (now !== text) {
        const content = await parseFileText(file, now);
        // YAML reads well at every moment of being written: what was there is not gone because its text is not there yet.
        if (data && isHollow(content)) throw new Error('it is empty, or not written to its end');
        const fresh = readFileData(content);
        [data, text] = [fresh, now];
      }
      say(null);
    } catch (error) {
      say(`cannot read ${file}: ${causeOf(error)}`);
    }
    for (const each of followed.values()) tell(each);
  };

  // One reading at a time, in order: of two at once the older could finish last.
  let reading: Promise<void> = Promise.resolve();
  const reread = (): void => {
    watch.follow(waysTo([file]));
    reading = reading.then(() => (stopped ? undefined : read()));
  };
  const watch = createWatch(reread, (directory, error) =>
    log.warn('could not watch', { directory, cause: causeOf(error) }),
  );
  reread();
  await reading;

  return {
    name,
    subscribe<K extends Query['kind']>(query: Query<K>, sink: Sink<K>) {
      const id = describeQuery(query);
      const fresh = { content: undefined, problem: null, changedAt: null, answeredAt: null };
      const entry: Followed = { query, sink: sink as unknown as Sink, ...fresh };
      followed.set(id, entry);
      queueMicrotask(() => {
        if (followed.get(id) === entry) tell(entry);
      });
      return () => {
        if (followed.get(id) === entry) followed.delete(id);
      };
    },
    look() {
      if (!stopped) reread();
    },
    explain: () =>
      [...followed].map(([query, { changedAt, answeredAt, problem }]) => ({
        query,
        changedAt,
        answeredAt,
        problem: problem ?? cause ?? null,
        index: null,
        nextTryAt: null,
        connection: 'own',
        sharedWith: null,
      })),
    async stop() {
      stopped = true;
      watch.stop();
      await reading;
    },
  };
}

interface Followed {
  query: Query;
  sink: Sink;
  /** What was told last, as JSON; undefined before the first answer. */
  content: string | undefined;
  problem: string | null;
  /** Wall-clock ms. */
  changedAt: number | null;
  answeredAt: number | null;
}

/** No document, or one whose parts have names and nothing else. */
function isHollow(content: unknown): boolean {
  if (content === null || content === undefined) return true;
  return typeof content === 'object' && 'kv' in content && content.kv === null;
}
