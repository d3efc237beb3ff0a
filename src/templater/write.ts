import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { causeOf, EXIT, errno, UserError } from '../errors.ts';
import {
  digestOf,
  hiddenName,
  holds,
  ifThere,
  isSame,
  isWritable,
  overwrite,
  sync,
  withFile,
} from './disk.ts';
import { type Ids, lookUpOwner, type Owner } from './owner.ts';
import { type Place, withPlace } from './place.ts';
import { makePrivateCopy } from './private-copy.ts';
import { isStrangers, isTrusted } from './strangers.ts';

/** Where a rendered file goes. */
export interface Target {
  /** Absolute. A link is followed: what it points to is replaced, not the link. */
  dest: string;
  /** Undefined: as the file has it, 0644 for a new one. */
  mode: number | undefined;
  owner: Owner | undefined;
}

/** A file that is ready to take its place. Until `commit`, the old one is untouched. */
export interface Staged {
  /** Whether its bytes differ from what is there; without that, `commit` only repairs mode and owner. */
  changed: boolean;
  /** Where it is, without links. */
  directory: string;
  /** Where the new bytes are until `commit`; undefined where there is no place for them but the destination. */
  file: string | undefined;
  /**
   * Resolves when the new bytes would survive a power cut: not before may they take the place of others.
   * @throws UserError when the disk refuses them
   */
  safe(): Promise<void>;
  /**
   * Puts it in place as soon as it is safe. Until the directory is synced too (syncDirectory), a power cut may take that
   * back, but never leaves half a file.
   * @throws UserError when it cannot be put in place; the old content is then still there
   */
  commit(): Promise<void>;
  /** Forgets it, and leaves nothing behind. */
  discard(): Promise<void>;
}

const DEFAULT_MODE = 0o644;
/** What the name of a staged file begins with. */
const TEMP = 'new-';
/** What keeps a file from being made beside the destination, or put in its place, but not from being rewritten. */
const NO_REPLACE = ['EACCES', 'EPERM', 'EROFS'];
const NO_RENAME = ['EBUSY', 'EXDEV'];

/**
 * Writes the new content beside the destination: complete, on its way to the disk, with its owner and mode, so that all that
 * is left to do is one rename.
 *
 * Where there can be no rename (a file mounted into a container, a directory that is not ours), the file is rewritten in
 * place; a reader may then see it half-written.
 * @throws UserError when it cannot be done; nothing is left behind
 */
export async function stage(target: Target, bytes: Uint8Array): Promise<Staged> {
  const { dest } = target;
  try {
    const ids = target.owner ? lookUpOwner(target.owner) : undefined;
    return await withPlace(dest, (place) => stageAt(place, target, ids, bytes), true);
  } catch (error) {
    throw cannotWrite(dest, error);
  }
}

function stageAt(
  { path, file, directory, beside }: Place,
  { dest, mode }: Target,
  ids: Ids | undefined,
  bytes: Uint8Array,
): Staged {
  const old = ifThere(() => lstatSync(file));
  if (old?.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
  if (old && !old.isFile()) throw new Error('it is not a regular file');
  // Whoever laid a file into everybody's directory ahead of us is not to own the next one, and read or change it.
  const like = old && !isStrangers(old, directory) ? old : undefined;
  const wanted: Wanted = { mode: mode ?? (like ? like.mode & 0o7777 : DEFAULT_MODE), ids };
  const parent = dirname(path);
  if (like && holds(file, like, bytes)) {
    const fits = isDressed(like, wanted);
    const commit = guard(dest, fits ? nothing : () => repair(dest, like, wanted));
    return { changed: false, directory: parent, file: path, safe: nothing, commit, discard: nothing };
  }
  const what = `${TEMP}${randomBytes(6).toString('hex')}`;
  let written: Promise<void>;
  try {
    written = writeNew(beside(what), bytes, wanted, like);
  } catch (error) {
    if (!like || !NO_REPLACE.includes(errno(error) ?? '') || !isWritable(file)) throw error;
    return stageElsewhere(
      parent,
      bytes,
      guard(dest, () => withPlace(dest, (place) => rewriteInPlace(place, bytes, wanted))),
    );
  }
  return {
    changed: true,
    directory: parent,
    file: join(parent, hiddenName(path, what)),
    safe: guard(dest, () => written),
    commit: guard(dest, async () => {
      await written;
      await withPlace(dest, (place) => put(place, what, bytes, wanted));
    }),
    // With its directory it is gone too.
    discard: () => withPlace(dest, (place) => rmSync(place.beside(what), { force: true })).catch(() => {}),
  };
}

async function put(place: Place, what: string, bytes: Uint8Array, wanted: Wanted): Promise<void> {
  const temp = place.beside(what);
  try {
    renameSync(temp, place.file);
  } catch (error) {
    rmSync(temp, { force: true });
    if (!NO_RENAME.includes(errno(error) ?? '')) throw error;
    await rewriteInPlace(place, bytes, wanted);
  }
}

/** Gives the file that was looked at its mode and owner; not another that has taken its place. */
function repair(dest: string, old: Stats, wanted: Wanted): Promise<void> {
  return withPlace(dest, ({ file }) =>
    withFile(file, constants.O_RDONLY, (handle) => {
      if (isSame(fstatSync(handle), old)) dress(handle, wanted, undefined);
    }),
  );
}

/** Removes what a templater that was killed in the middle of a write has left beside a destination. */
export async function removeLeftovers(dest: string): Promise<void> {
  try {
    await withPlace(dest, ({ path, directory }) => {
      const prefix = hiddenName(path, TEMP);
      for (const name of readdirSync(directory))
        if (name.startsWith(prefix)) rmSync(join(directory, name), { force: true });
    });
  } catch {
    // Tidying is worth no complaint: if the directory is of no use, the write will say so.
  }
}

/** The name of a set of contents, whoever renders it and whenever: short, for people, and long enough to be one's own. */
export function generationOf(files: readonly { dest: string; digest: string }[]): string {
  const lines = files.map(({ dest, digest }) => `${dest}\0${digest}\n`).sort();
  return digestOf(Buffer.from(lines.join(''))).slice(0, 12);
}

interface Wanted {
  mode: number;
  ids: Ids | undefined;
}

/** @returns resolves when it is on the disk */
function writeNew(temp: string, bytes: Uint8Array, wanted: Wanted, old: Stats | undefined): Promise<void> {
  // Nobody else may read it before it has its owner and mode: it may hold secrets.
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = openSync(temp, flags, 0o600);
  try {
    writeFileSync(file, bytes);
    dress(file, wanted, old);
  } catch (error) {
    closeSync(file);
    rmSync(temp, { force: true });
    throw error;
  }
  const written = sync(file).finally(() => closeSync(file));
  // Told to whoever asks whether it is safe, and nobody may: it may be discarded ahead of that.
  written.catch(() => {});
  return written;
}

/**
 * Gives an open file its owner and mode, where they differ. The owner first: chown takes setuid bits away.
 * @param old whose owner is inherited where none is asked for and we are allowed to
 */
function dress(file: number, { mode, ids }: Wanted, old: Stats | undefined): void {
  const now = fstatSync(file);
  const uid = ids?.uid ?? old?.uid ?? now.uid;
  const gid = ids?.gid ?? old?.gid ?? now.gid;
  if (uid !== now.uid || gid !== now.gid) {
    try {
      fchownSync(file, uid, gid);
    } catch (error) {
      if (ids) throw new Error(`cannot give it to ${uid}:${gid}: ${causeOf(error)}`, { cause: error });
    }
  }
  if ((now.mode & 0o7777) !== mode || uid !== now.uid || gid !== now.gid) fchmodSync(file, mode);
}

function isDressed(stat: Stats, { mode, ids }: Wanted): boolean {
  return (
    (stat.mode & 0o7777) === mode &&
    stat.uid === (ids?.uid ?? stat.uid) &&
    stat.gid === (ids?.gid ?? stat.gid)
  );
}

/** When it fails half-way (a full disk), the old bytes are put back: they are known to fit. */
async function rewriteInPlace(
  { file: path, directory }: Place,
  bytes: Uint8Array,
  wanted: Wanted,
): Promise<void> {
  await withFile(path, constants.O_RDWR, async (file) => {
    const { mode, nlink } = fstatSync(file);
    // By its owner's hand it may be a file of root's elsewhere, under a second name.
    if (nlink > 1 && !isTrusted(statSync(directory).uid))
      throw new Error('it has another name, and its directory belongs to somebody else');
    const old = readFileSync(file);
    // Whoever may not read the new bytes is shut out ahead of them, and what cannot be given away is not begun.
    dress(file, { ...wanted, mode: wanted.mode & mode & 0o7777 }, undefined);
    try {
      await overwrite(file, bytes);
    } catch (error) {
      await overwrite(file, old).catch(() => {});
      throw error;
    }
    dress(file, wanted, undefined);
  });
}

/** For what can only be rewritten in place: the new bytes lie in a directory of their own, where a check finds them. */
function stageElsewhere(directory: string, bytes: Uint8Array, put: () => Promise<void>): Staged {
  // Without one only a check misses it, and says so.
  const copy = makePrivateCopy(bytes);
  const discard = async (): Promise<void> => copy?.remove();
  return {
    changed: true,
    directory,
    file: copy?.file,
    safe: nothing,
    commit: () => put().finally(discard),
    discard,
  };
}

async function nothing(): Promise<void> {}

function guard(dest: string, run: () => Promise<void>): () => Promise<void> {
  return async () => {
    try {
      await run();
    } catch (error) {
      throw cannotWrite(dest, error);
    }
  };
}

const HINTS: Readonly<Record<string, string>> = {
  EACCES: 'run as a user who may write there, or choose another dest:',
  EPERM: 'run as a user who may write there, or choose another dest:',
  EROFS: 'mount something writable there, or choose another dest:',
  EISDIR: 'dest: names the file itself, not the directory to put it in',
};

/** What a file that cannot be written is told as. */
export function cannotWrite(dest: string, error: unknown): UserError {
  if (error instanceof UserError && error.message.startsWith('cannot write')) return error;
  const hint = error instanceof UserError ? error.hint : HINTS[errno(error) ?? ''];
  return new UserError(`cannot write ${dest}: ${causeOf(error)}`, {
    exitCode: EXIT.system,
    cause: error,
    hint,
  });
}
