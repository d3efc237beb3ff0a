import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where a read-only root file system leaves something to write, best first. */
const PLACES = ['/dev/shm', '/run'];

/** Bytes as a file in a directory of its own that nobody else can enter; undefined where none can be made. */
export function makePrivateCopy(bytes: Uint8Array): { file: string; remove: () => void } | undefined {
  for (const place of [tmpdir(), ...PLACES]) {
    let directory: string | undefined;
    const remove = (): void => {
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
    };
    try {
      directory = mkdtempSync(join(place, 'supervise-'));
      const file = join(directory, 'staged');
      writeFileSync(file, bytes, { mode: 0o600 });
      return { file, remove };
    } catch {
      remove();
    }
  }
  return undefined;
}
