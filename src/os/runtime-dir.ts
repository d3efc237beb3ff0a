import { existsSync, lstatSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { makeDirectories } from '../directories.ts';

const SOCKET = 'control';
/** Linux's sun_path holds 108 bytes, a final NUL among them. */
export const LONGEST_SOCKET_PATH = 107;

/**
 * Where the control socket may be, best first: `$SUPERVISE_RUNTIME_DIR`, `/run/supervise`, `$XDG_RUNTIME_DIR/supervise`, a
 * directory of our own under the temp directory. The server takes the first in which it can be made, a client
 * looks at them in the same order.
 */
export function socketCandidates(env: NodeJS.ProcessEnv): string[] {
  const own = env['SUPERVISE_RUNTIME_DIR'];
  if (own) return [`${own}/${SOCKET}`];
  const xdg = env['XDG_RUNTIME_DIR'];
  return [
    `/run/supervise/${SOCKET}`,
    ...(xdg ? [`${xdg}/supervise/${SOCKET}`] : []),
    `${tmpdir()}/supervise-${process.getuid?.() ?? 0}/${SOCKET}`,
  ];
}

/** Whether a socket may have been made by another supervisor, alive or dead. */
export function isSocketThere(): boolean {
  return socketCandidates(process.env).some((path) => existsSync(path));
}

/**
 * Makes a directory that only we can enter, or takes one that is there, and never changes that.
 * @param chosen somebody named it, and answers for it; otherwise it must be ours alone, since in a shared temp directory
 *   anybody could have put it there
 * @returns whether it was made
 * @throws the system's error, or one that says whose it is
 */
export function makePrivateDir(path: string, chosen: boolean): boolean {
  const made = !existsSync(path);
  if (made) makeDirectories(path, 0o700);
  if (chosen) return made;
  const stat = lstatSync(path);
  const uid = process.getuid?.();
  if (!stat.isDirectory()) throw new Error('it is not a directory');
  if (stat.uid !== uid) throw new Error(`it belongs to uid ${stat.uid}`);
  if ((stat.mode & 0o022) !== 0) throw new Error('others may write to it');
  return made;
}

/**
 * Why whoever listens in one of the usual places is not to be believed; undefined where he is. In a shared temp directory
 * anybody could have put it there ahead of us; below a directory that is not everybody's, its owner was let in.
 */
export function whyUntrusted(directory: string): string | undefined {
  const stat = lstatSync(directory, { throwIfNoEntry: false });
  if (!stat) return undefined;
  if (!stat.isDirectory()) return `${directory} is not a directory`;
  if ((stat.mode & 0o022) !== 0) return `others may write to ${directory}`;
  if (stat.uid === 0 || stat.uid === process.getuid?.()) return undefined;
  const isShared = (statSync(dirname(directory)).mode & 0o002) !== 0;
  return isShared ? `${directory} belongs to uid ${stat.uid}` : undefined;
}

let files = 0;

/**
 * Writes a file that only we can read to the first of the places of the control socket that takes it; undefined where none
 * does.
 */
export function runtimeFile(
  name: string,
  content: Uint8Array,
): { path: string; remove: () => void } | undefined {
  const chosen = Boolean(process.env['SUPERVISE_RUNTIME_DIR']);
  for (const directory of socketCandidates(process.env).map(dirname)) {
    const path = join(directory, `${name}-${process.pid}-${++files}`);
    let made = false;
    const remove = (): void => {
      removeFile(path);
      if (made) removeDir(directory);
    };
    try {
      made = makePrivateDir(directory, chosen);
      writeFileSync(path, content, { mode: 0o600, flag: 'wx' });
      return { path, remove };
    } catch {
      remove();
    }
  }
  return undefined;
}

function removeFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Not there after all, or not ours to remove any more.
  }
}

/** Takes the directory away again where it is empty; anything else is no concern of ours. */
export function removeDir(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Not empty, or not ours to remove.
  }
}
