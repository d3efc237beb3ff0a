/** Where it takes place: the directories of one run of this program, its small disk, its cgroup, its clock. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Files, writeFiles } from '../tree.ts';

const PIDS = '/sys/fs/cgroup/pids';
const DISK = 'size=4m,nr_inodes=1000';

export interface Arena {
  directory: string;
  scandir: string;
  /** The scandir as it should be. */
  files: Files;
  /** A disk of 4 MB: rendered files, the runtime directory, temporary files. */
  small: string;
  /** What the time of day is shifted by, in ms. */
  clock: string;
  /** Where the number of processes can be bounded; undefined where no cgroup can be made. */
  cgroup: string | undefined;
  /** What cannot be done here, in words. */
  lacks: string[];
}

export function makeArena(seed: number, files: Files): Arena {
  const directory = mkdtempSync(join(tmpdir(), `supervise-chaos-${seed}-`));
  const [scandir, small, clock] = ['services', 'small', 'clock'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  chmodSync(directory, 0o755);
  const lacks: string[] = [];
  mkdirSync(small);
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', DISK, 'tmpfs', small], {
    encoding: 'utf8',
  });
  if (status !== 0) lacks.push(`no disk is filled: ${stderr.trim()}`);
  writeFileSync(clock, '0');
  const arena: Arena = { directory, scandir, files, small, clock, cgroup: makeCgroup(seed, lacks), lacks };
  restoreScandir(arena);
  for (const name of ['stdout', 'stderr']) spawnSync('mkfifo', [join(directory, name)]);
  freshDisk(arena);
  return arena;
}

/** The scandir as it should be, whatever it is; what is added is taken away. Written beside, so that nobody sees half of it. */
export function restoreScandir({ scandir, files }: Arena): void {
  const [next, old] = [`${scandir}.next`, `${scandir}.old`];
  mkdirSync(next);
  writeFiles(next, files);
  if (existsSync(scandir)) renameSync(scandir, old);
  renameSync(next, scandir);
  for (const path of [old, `${scandir}.away`]) rmSync(path, { recursive: true, force: true });
}

export function freshDisk({ small }: Arena): void {
  for (const name of ['out', 'run', 'tmp']) mkdirSync(join(small, name), { recursive: true, mode: 0o777 });
  chmodSync(join(small, 'run'), 0o700);
}

/** @param kept where to put what was on the small disk, which is gone with us */
export function closeArena({ directory, small, cgroup }: Arena, kept: boolean): void {
  if (kept && existsSync(small))
    cpSync(small, join(directory, 'small.kept'), { recursive: true, filter: isPlain });
  spawnSync('umount', ['-l', small]);
  if (!kept) rmSync(directory, { recursive: true, force: true });
  try {
    if (cgroup) rmdirSync(cgroup);
  } catch {
    // Something in it has yet to be waited for.
  }
}

function isPlain(path: string): boolean {
  return !path.endsWith('control') && !path.includes('filler');
}

function makeCgroup(seed: number, lacks: string[]): string | undefined {
  const path = join(PIDS, `supervise-chaos-${seed}-${Date.now()}`);
  try {
    mkdirSync(path);
    writeFileSync(join(path, 'pids.max'), 'max');
    return path;
  } catch (error) {
    lacks.push(
      `the number of processes is not bounded: cannot make a cgroup for pids: ${(error as Error).message}`,
    );
    return undefined;
  }
}
