import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getRawAsset } from 'node:sea';
import { causeOf } from '../errors.ts';
import { loadNative, type Native } from './native.ts';

/**
 * Loads the addon that the single executable carries. The system loads a file only, so it is one for that moment, in a
 * directory that nobody else can enter, where the file system allows that something is executed; then it is gone again.
 */
export function loadNativeAsset(env: NodeJS.ProcessEnv): { native: Native } | { cause: string } {
  const name = `reaper-${process.arch}.node`;
  const addon = new Uint8Array(getRawAsset(name));
  const causes: string[] = [];
  for (const parent of writableDirectories(env)) {
    let directory: string | undefined;
    try {
      directory = mkdtempSync(join(parent, 'supervise-'));
      writeFileSync(join(directory, name), addon, { mode: 0o500 });
      const loaded = loadNative([directory]);
      if ('native' in loaded) return loaded;
      causes.push(loaded.cause);
    } catch (error) {
      causes.push(`${parent}: ${causeOf(error)}`);
    } finally {
      if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
    }
  }
  return { cause: causes.join('; ') };
}

/** Best first. A container's /dev is a tmpfs that root may write to even where all else is read-only. */
function writableDirectories(env: NodeJS.ProcessEnv): Set<string> {
  const { SUPERVISE_RUNTIME_DIR: own, XDG_RUNTIME_DIR: xdg } = env;
  return new Set([...(own ? [own] : []), '/run', ...(xdg ? [xdg] : []), tmpdir(), '/dev/shm', '/dev']);
}
