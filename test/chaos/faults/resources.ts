/** The disk is full, descriptors and processes are used up. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { descriptorsOf } from '../processes.ts';
import type { Fault } from '../world.ts';

/** A start that is refused for want of what it needs is refused, with 111, and no fault of anybody. */
const NOT_UP = 'it has yet to come up';
const CHUNK = Buffer.alloc(65_536);

export const RESOURCE_FAULTS: readonly Fault[] = [
  {
    name: 'the disk is full',
    weight: 4,
    holds: 'disk',
    act({ arena, held, ledger, subject }, random) {
      const ms = random.from(50, 3000);
      if (!subject.isUp) return NOT_UP;
      const path = join(arena.small, 'filler');
      const over = ledger.begin('no disk');
      held.hold('disk', ms, () => {
        rmSync(path, { recursive: true, force: true });
        over();
      });
      return `${fill(path)} bytes, for ${ms} ms`;
    },
  },
  {
    name: 'the disk has no inodes',
    weight: 2,
    holds: 'disk',
    act({ arena, held, ledger, subject }, random) {
      const ms = random.from(50, 3000);
      if (!subject.isUp) return NOT_UP;
      const path = join(arena.small, 'filler');
      const over = ledger.begin('no disk');
      held.hold('disk', ms, () => {
        rmSync(path, { recursive: true, force: true });
        over();
      });
      mkdirSync(path);
      let made = 0;
      try {
        for (; made < 5000; made++) writeFileSync(join(path, String(made)), '');
      } catch {
        // All there were.
      }
      return `${made} files, for ${ms} ms`;
    },
  },
  {
    name: 'no descriptors are left to PID 1',
    weight: 4,
    holds: 'descriptors',
    act({ subject, held, ledger }, random) {
      const [ms, part] = [random.from(50, 2500), random.next()];
      const { pid } = subject;
      if (!subject.isUp) return NOT_UP;
      // From what is too few for anything to what is enough for one more thing.
      const limit = Math.max(12, Math.round(descriptorsOf(pid) * (0.5 + part * 0.6)));
      const before = prlimit(pid, ['--output=SOFT', '--noheadings', '--raw', '--nofile']).trim();
      if (!/^\d+$/.test(before)) return 'not there';
      const endOfSocket = ledger.begin('no control');
      const over = ledger.begin('no descriptors');
      prlimit(pid, [`--nofile=${limit}:`]);
      held.hold('descriptors', ms, () => {
        prlimit(pid, [`--nofile=${before}:`]);
        endOfSocket();
        over();
      });
      return `${limit} of ${before}, for ${ms} ms`;
    },
  },
  {
    name: 'no processes are left (pids.max)',
    weight: 4,
    holds: 'processes',
    act({ arena, held, ledger }, random) {
      const [ms, room] = [random.from(50, 2500), random.from(0, 6)];
      const { cgroup } = arena;
      if (!cgroup) return 'no cgroup';
      const now = Number(readFileSync(join(cgroup, 'pids.current'), 'utf8'));
      const over = ledger.begin('no processes');
      writeFileSync(join(cgroup, 'pids.max'), String(Math.max(1, now + room)));
      held.hold('processes', ms, () => {
        writeFileSync(join(cgroup, 'pids.max'), 'max');
        over();
      });
      return `${now} + ${room}, for ${ms} ms`;
    },
  },
];

function fill(path: string): number {
  const fd = openSync(path, 'w');
  let size = 0;
  try {
    for (;;) size += writeSync(fd, CHUNK);
  } catch {
    return size;
  } finally {
    closeSync(fd);
  }
}

function prlimit(pid: number, args: string[]): string {
  return spawnSync('prlimit', ['--pid', String(pid), ...args], { encoding: 'utf8' }).stdout;
}
