import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Complaint, complain } from './complaint.ts';
import type { Facts } from './facts.ts';

const BY_OTHERS = 0o002;

/** As root we run what is there: whoever may write it is root too. */
export function checkPermissions({ scandir, directories, uid }: Facts): Complaint[] {
  if (uid !== 0) return [];
  const ours: [service: string | null, path: string][] = [
    [null, scandir.path],
    ...directories.flatMap(({ raw: { name, path, run, finish } }): [string, string][] => [
      [name, path],
      ...(run.is === 'missing' ? [] : [[name, join(path, 'run')] as [string, string]]),
      ...(finish.is === 'missing' ? [] : [[name, join(path, 'finish')] as [string, string]]),
    ]),
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
