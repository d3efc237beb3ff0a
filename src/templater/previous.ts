import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { errno } from '../errors.ts';
import {
  digestOf,
  ifThere,
  overwrite,
  readPlainFile,
  sync,
  syncDirectory,
  unlessMissing,
  withFile,
} from './disk.ts';
import { type Place, withPlace } from './place.ts';
import { isStrangers } from './strangers.ts';

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
    keep: (dest) =>
      withPlace(dest, async (place) => {
        const { path, file } = place;
        if (held.has(path) || find(place) !== undefined) return;
        if (!isThere(file)) return closeSync(openSync(place.beside('absent'), 'wx', 0o600));
        try {
          try {
            linkSync(file, place.beside('previous'));
          } catch (error) {
            if (!NO_LINK.includes(errno(error) ?? '')) throw error;
            await copy(file, place.beside('previous'));
          }
        } catch (error) {
          if (!NO_FILE.includes(errno(error) ?? '')) throw error;
          held.set(path, read(file));
        }
      }),
    digest: (dest) =>
      withPlace(dest, (place) => {
        const kind = find(place);
        if (kind === 'absent') return null;
        const bytes = held.get(place.path) ?? (kind && read(place.beside(kind)));
        return bytes && digestOf(bytes);
      }).catch(unlessMissing),
    restore: (dest) =>
      withPlace(dest, async (place) => {
        const { path, file } = place;
        const bytes = held.get(path);
        const kind = find(place);
        const kept = kind && place.beside(kind);
        if (!bytes && !kept) throw new Error('what was kept of it is gone');
        if (bytes) await rewrite(file, bytes);
        else if (kind === 'absent') rmSync(file, { force: true });
        else if (kept) {
          try {
            renameSync(kept, file);
          } catch (error) {
            if (!NO_RENAME.includes(errno(error) ?? '')) throw error;
            await rewrite(file, read(kept));
          }
        }
        held.delete(path);
        // Also after a rename: of two links to one file, it leaves both.
        if (kept) rmSync(kept, { force: true });
        await syncDirectory(place.directory);
      }),
    forget: (dest) =>
      withPlace(dest, (place) => {
        held.delete(place.path);
        const kind = find(place);
        if (kind) rmSync(place.beside(kind), { force: true });
      }).catch(unlessMissing),
  };
}

type Kind = 'previous' | 'absent';

function find({ beside, directory }: Place): Kind | undefined {
  for (const kind of ['previous', 'absent'] as const) {
    const found = ifThere(() => lstatSync(beside(kind)));
    if (!found) continue;
    if (!isStrangers(found, directory)) return kind;
    // The name is no secret: somebody would have a config of his come back for ours.
    rmSync(beside(kind), { force: true });
  }
  return undefined;
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function read(file: string): Buffer {
  return readPlainFile(file, constants.O_NOFOLLOW);
}

/** Where it cannot be given to the owner of the other, nobody else may read it. */
async function copy(from: string, to: string): Promise<void> {
  const { bytes, mode, uid, gid } = await withFile(from, constants.O_RDONLY, (old) => ({
    ...fstatSync(old),
    bytes: readFileSync(old),
  }));
  const file = openSync(to, 'wx', 0o600);
  try {
    writeFileSync(file, bytes);
    if (isGiven(file, uid, gid)) fchmodSync(file, mode & 0o7777);
    await sync(file);
  } catch (error) {
    rmSync(to, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}

function isGiven(file: number, uid: number, gid: number): boolean {
  try {
    fchownSync(file, uid, gid);
    return true;
  } catch {
    return false;
  }
}

function rewrite(file: string, bytes: Buffer): Promise<void> {
  return withFile(file, constants.O_WRONLY, (handle) => overwrite(handle, bytes));
}
