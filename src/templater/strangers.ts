import { lstatSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';

const BY_OTHERS = 0o022;
const BY_ALL = 0o002;
const STICKY = 0o1000;

/** Whether a file may have been laid where it is by anybody: in a directory that is everybody's, and by neither root nor us. */
export function isStrangers({ uid }: Stats, directory: string): boolean {
  if (isTrusted(uid)) return false;
  const parent = statSync(directory);
  return (parent.mode & BY_ALL) !== 0 && parent.uid !== uid;
}

/**
 * Whether somebody beside root and us could put another file in the place of this one, or write to it, while a program of ours
 * reads it by its path.
 * @param path without links
 */
export function isExposed(path: string): boolean {
  const file = lstatSync(path);
  if (!isTrusted(file.uid) || (file.mode & BY_OTHERS) !== 0) return true;
  for (let at = path; at !== dirname(at); ) {
    at = dirname(at);
    const { uid, mode } = lstatSync(at);
    // What is in a sticky directory only its owner can move.
    if (!isTrusted(uid) || ((mode & BY_OTHERS) !== 0 && (mode & STICKY) === 0)) return true;
  }
  return false;
}

/** Root, or ourselves. */
export function isTrusted(uid: number): boolean {
  return uid === 0 || uid === process.geteuid?.();
}
