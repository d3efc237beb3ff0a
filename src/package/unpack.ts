import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { UserError } from '../errors.ts';
import type { Archive, Item } from './archive.ts';
import { diskError } from './disk-error.ts';
import { quote } from './names.ts';
import { syncDirectory } from './sync.ts';

/** So many files at a time: their syncs are one for the disk, and more would only fill the queue of Node's four threads. */
const AT_ONCE = 16;

/**
 * Writes what an archive holds into a directory that is new and nobody else's. Each file is on the disk, not in a cache,
 * when this is done. Owner: ours; modes: the archive's, less the umask.
 * @throws UserError; what was written by then is the caller's to remove
 */
export async function unpack(
  archive: Archive,
  directory: string,
  shown: string,
  signal: AbortSignal,
): Promise<void> {
  const directories = await makeDirectories(archive.items, directory);
  const files = archive.items.filter(({ kind }) => kind === 'file').values();
  const failed = new AbortController();
  const work = async (): Promise<void> => {
    for (const item of files) {
      signal.throwIfAborted();
      failed.signal.throwIfAborted();
      await writeFile(item, join(directory, item.path), shown, signal).catch((error: unknown) => {
        failed.abort(error);
        throw error;
      });
    }
  };
  // All of them have ended when this does: nobody writes into what is being removed.
  await Promise.allSettled(Array.from({ length: AT_ONCE }, work));
  signal.throwIfAborted();
  failed.signal.throwIfAborted();
  for (const path of [directory, ...directories]) syncDirectory(path);
}

/** The directories of all items, each after the one that it is in. @returns their paths */
async function makeDirectories(items: readonly Item[], directory: string): Promise<string[]> {
  const modes = new Map<string, number | undefined>();
  for (const { path, kind, mode } of items) {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      const above = path.slice(0, end);
      if (!modes.has(above)) modes.set(above, undefined);
    }
    if (kind === 'directory') modes.set(path, mode);
  }
  const sorted = [...modes].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [path, mode = 0o777] of sorted) {
    // We must be able to fill and to remove it, whatever the archive says.
    await mkdir(join(directory, path), mode | 0o700).catch((error: unknown) => {
      throw diskError(join(directory, path), error);
    });
  }
  return sorted.map(([path]) => join(directory, path));
}

async function writeFile(item: Item, path: string, shown: string, signal: AbortSignal): Promise<void> {
  const damaged = new UserError(`cannot unpack the package ${shown}: ${quote(item.path)} is damaged`, {
    hint: 'the ZIP file was cut or changed on its way, or is broken: make it anew',
  });
  const content = await item.read().catch(() => {
    throw damaged;
  });
  let file: FileHandle | undefined;
  try {
    let [sum, size] = [0, 0];
    const chunks = (content as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
    const next = (): Promise<IteratorResult<Buffer>> =>
      chunks.next().catch(() => {
        throw damaged;
      });
    let chunk = await next();
    file = await open(path, 'wx', modeOf(item, chunk.done ? undefined : chunk.value));
    for (; !chunk.done; chunk = await next()) {
      signal.throwIfAborted();
      size += chunk.value.length;
      if (size > item.size) throw damaged;
      sum = crc32(chunk.value, sum);
      await file.writeFile(chunk.value);
    }
    if (sum !== item.crc32 || size !== item.size) throw damaged;
    // The same on every machine: a server's ETag is made of it.
    await file.utimes(item.modified, item.modified);
    await file.datasync();
  } catch (error) {
    throw diskError(path, error);
  } finally {
    content.destroy();
    await file?.close();
  }
}

/** Where the archive knows no modes (it was made on Windows, say), a script is what says so itself. */
function modeOf({ mode }: Item, head: Buffer | undefined): number {
  if (mode !== undefined) return mode | 0o400;
  return head?.subarray(0, 2).toString('latin1') === '#!' ? 0o777 : 0o666;
}
