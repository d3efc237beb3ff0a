import { constants } from 'node:fs';
import { link, lstat, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errno } from '../errors.ts';
import {
  digestOf,
  followLinks,
  hiddenName,
  overwrite,
  syncDirectory,
  unlessMissing,
  withHandle,
} from './disk.ts';

/** The files that were in place before, kept until it is known that the service can live with the new ones. */
export interface Previous {
  /** Keeps what is in place now. What is kept already stays: it is what the service was last well on. */
  keep(dest: string): Promise<void>;
  /** The digest of what is kept: null where there was no file, undefined where nothing is kept. */
  digest(dest: string): Promise<string | null | undefined>;
  /**
   * Puts back what is kept; a file that was not there before is removed.
   * @throws Error when that cannot be done; what is kept is kept on
   */
  restore(dest: string): Promise<void>;
  forget(dest: string): Promise<void>;
}

/** What keeps a link from being made, but not a copy: a mounted file, somebody else's file, a file system without links. */
const NO_LINK = ['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];
/** Nothing can be made beside the destination at all. */
const NO_FILE = ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT'];
const NO_RENAME = ['EBUSY', 'EXDEV'];

/**
 * Beside each destination: a second link to the old file, so that it costs no room, keeps owner and mode, is there after
 * a crash, and comes back by one rename even on a full disk. Where there can be no link it is a copy, and where nothing can
 * be written beside the destination it is held in memory, and lost with this process.
 */
export function createPrevious(): Previous {
  const held = new Map<string, Buffer>();

  return {
    async keep(dest) {
      const path = await followLinks(dest);
      if (held.has(path) || (await find(path)) !== undefined) return;
      if (!(await lstat(path).catch(unlessMissing))) {
        await (await open(nameOf(path, 'absent'), 'wx', 0o600)).close();
        return;
      }
      try {
        await link(path, nameOf(path, 'previous')).catch(async (error: unknown) => {
          if (!NO_LINK.includes(errno(error) ?? '')) throw error;
          await copy(path, nameOf(path, 'previous'));
        });
      } catch (error) {
        if (!NO_FILE.includes(errno(error) ?? '')) throw error;
        held.set(path, await readFile(path));
      }
    },
    async digest(dest) {
      const path = await followLinks(dest);
      const kind = await find(path);
      if (kind === 'absent') return null;
      const bytes = held.get(path) ?? (kind && (await readFile(nameOf(path, kind))));
      return bytes && digestOf(bytes);
    },
    async restore(dest) {
      const path = await followLinks(dest);
      const bytes = held.get(path);
      const kind = await find(path);
      const kept = kind && nameOf(path, kind);
      if (!bytes && !kept) throw new Error('what was kept of it is gone');
      if (bytes) await rewrite(path, bytes);
      else if (kind === 'absent') await rm(path, { force: true });
      else if (kept)
        await rename(kept, path).catch(async (error: unknown) => {
          if (!NO_RENAME.includes(errno(error) ?? '')) throw error;
          await rewrite(path, await readFile(kept));
        });
      held.delete(path);
      // Also after a rename: of two links to one file, it leaves both.
      if (kept) await rm(kept, { force: true });
      await syncDirectory(dirname(path));
    },
    async forget(dest) {
      const path = await followLinks(dest);
      held.delete(path);
      const kind = await find(path);
      if (kind) await rm(nameOf(path, kind), { force: true });
    },
  };
}

type Kind = 'previous' | 'absent';

function nameOf(path: string, kind: Kind): string {
  return join(dirname(path), hiddenName(path, kind));
}

async function find(path: string): Promise<Kind | undefined> {
  for (const kind of ['previous', 'absent'] as const)
    if (await lstat(nameOf(path, kind)).catch(unlessMissing)) return kind;
  return undefined;
}

async function copy(from: string, to: string): Promise<void> {
  const { mode, uid, gid } = await lstat(from);
  const file = await open(to, 'wx', 0o600);
  try {
    await file.writeFile(await readFile(from));
    await file.chown(uid, gid).catch(() => {});
    await file.chmod(mode & 0o7777);
    await file.sync();
  } catch (error) {
    await rm(to, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

function rewrite(path: string, bytes: Buffer): Promise<void> {
  return withHandle(path, constants.O_WRONLY, (file) => overwrite(file, bytes));
}
