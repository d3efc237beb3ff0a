import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Account } from '../core/servicedir.ts';
import { type Complaint, complain } from './complaint.ts';
import type { Facts } from './facts.ts';

const BY_OTHERS = 0o002;

/** As root we run what is there: whoever may write it is root too. */
export function checkPermissions({ scandir, directories, uid }: Facts): Complaint[] {
  if (uid !== 0) return [];
  const ours: [service: string | null, path: string][] = [
    [null, scandir.path],
    ...directories.flatMap(({ raw: { name, path } }): [string, string][] =>
      ['.', 'run', 'finish', 'check', 'health'].map((file) => [name, join(path, file)]),
    ),
  ];
  if (scandir.hooks !== undefined) ours.push([null, join(scandir.path, scandir.hooks)]);
  return ours.flatMap(([service, path]) => {
    if (!isWritableByAll(path)) return [];
    return complain('warning', service, path, {
      message: `cannot trust ${path}: everybody may write it, and root runs it`,
      hint: `chmod o-w ${path}`,
    });
  });
}

function isWritableByAll(path: string): boolean {
  try {
    return (statSync(path).mode & BY_OTHERS) !== 0;
  } catch {
    return false;
  }
}

/**
 * The first directory on the way to a program that an account may not enter, or the program that it may not execute, by
 * their modes; undefined where nothing is in its way.
 */
export function firstClosed(program: string, { uid, gid, groups }: Account): string | undefined {
  if (uid === 0) return undefined;
  const way = [program];
  for (let at = dirname(program); at !== way[0]; at = dirname(at)) way.unshift(at);
  return way.find((path) => {
    try {
      const stat = statSync(path);
      const shift = stat.uid === uid ? 6 : stat.gid === gid || groups.includes(stat.gid) ? 3 : 0;
      return ((stat.mode >> shift) & 1) === 0;
    } catch {
      return false;
    }
  });
}
