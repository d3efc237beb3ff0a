import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where a read-only root file system leaves something to write, best first. */
const PLACES = ['/dev/shm', '/run'];

/** Bytes as a file in a directory of its own that nobody else can enter; undefined where none can be made. */
export async function makePrivateCopy(
  bytes: Uint8Array,
): Promise<{ file: string; remove: () => Promise<void> } | undefined> {
  for (const place of [tmpdir(), ...PLACES]) {
    let directory: string | undefined;
    const remove = async (): Promise<void> => {
      if (directory !== undefined) await rm(directory, { recursive: true, force: true });
    };
    try {
      directory = await mkdtemp(join(place, 'supervise-'));
      const file = join(directory, 'staged');
      await writeFile(file, bytes, { mode: 0o600 });
      return { file, remove };
    } catch {
      await remove();
    }
  }
  return undefined;
}
