/** What is around PID 1: who reads its output, its files, its clock, its signals. */
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { restoreScandir } from '../arena.ts';
import { ask } from '../client.ts';
import { kill } from '../processes.ts';
import type { Random } from '../random.ts';
import { type Fault, pause, type World } from '../world.ts';

const SIGHUP = 1;
const SIGCONT = 18;
const SIGSTOP = 19;
const DAY_MS = 86_400_000;
/** KILL, STOP: nobody can be asked to survive them. TERM, INT: they are stops. */
const NOT_SENT = [2, 9, 15, 19];

export const SURROUNDING_FAULTS: readonly Fault[] = [
  {
    name: 'nobody reads our output for a while',
    weight: 4,
    holds: 'outlets',
    act({ subject, held }, random) {
      const [which, ms] = [random.from(1, 3), random.from(50, 4000)];
      const outlets = subject.outlets.filter((_, i) => which & (1 << i));
      for (const outlet of outlets) outlet.stall();
      held.hold('outlets', ms, () => {
        for (const outlet of outlets) outlet.resume();
      });
      return `${streams(which)} for ${ms} ms`;
    },
  },
  {
    name: 'the reader of our output is gone',
    weight: 3,
    holds: 'outlets',
    act({ subject, held, ledger }, random) {
      const [which, ms] = [random.from(1, 3), random.from(50, 2000)];
      const outlets = subject.outlets.filter((_, i) => which & (1 << i));
      const over = ledger.begin('no reader');
      for (const outlet of outlets) outlet.close();
      held.hold('outlets', ms, () => {
        for (const outlet of outlets) if (subject.isAlive) outlet.open();
        over();
      });
      return `${streams(which)} for ${ms} ms`;
    },
  },
  {
    name: 'the scandir is rewritten',
    weight: 5,
    holds: 'scandir',
    act(world, random) {
      const { held, ledger, arena } = world;
      const over = ledger.begin('scandir');
      const what = disturb(world, random);
      const ms = random.from(50, 2500);
      const told = random.chance(0.8);
      if (told) rescan(world);
      held.hold('scandir', ms, async () => {
        restoreScandir(arena);
        await believed(world);
        over();
      });
      return `${what}${told ? ', and told' : ''}, for ${ms} ms`;
    },
  },
  {
    name: 'the runtime directory is not there',
    weight: 3,
    holds: 'runtime',
    act(world, random) {
      const { arena, held, ledger, subject } = world;
      const [ms, whole] = [random.from(50, 2000), random.chance(0.5)];
      const run = join(arena.small, 'run');
      const [from, to] = whole
        ? [run, join(arena.small, 'run.away')]
        : [join(run, 'control'), join(run, 'away')];
      if (!subject.isUp || !existsSync(from)) return 'not there yet';
      const over = ledger.begin('no control');
      renameSync(from, to);
      held.hold('runtime', ms, () => {
        // A hook's file may have made the directory again.
        if (whole) rmSync(run, { recursive: true, force: true });
        if (existsSync(to)) renameSync(to, from);
        over();
      });
      return `${whole ? 'all of it' : 'the socket'}, epoch ${subject.epoch}, for ${ms} ms`;
    },
  },
  {
    name: 'a signal to PID 1 that is no stop',
    weight: 8,
    act({ subject, ledger }, random) {
      const signal = random.chance(0.3) ? random.from(32, 64) : random.from(1, 31);
      if (NOT_SENT.includes(signal)) return `${signal}: not sent`;
      ledger.toPid1.push({ signal, at: performance.now() });
      kill(subject.pid, signal);
      return String(signal);
    },
  },
  {
    name: 'PID 1 is frozen for a while',
    weight: 3,
    holds: 'frozen',
    act({ subject, held, ledger }, random) {
      const ms = random.from(20, 2000);
      const over = ledger.begin('frozen');
      kill(subject.pid, SIGSTOP);
      held.hold('frozen', ms, () => {
        kill(subject.pid, SIGCONT);
        over();
      });
      return `for ${ms} ms`;
    },
  },
  {
    name: 'the time of day jumps',
    weight: 4,
    act({ arena }, random) {
      const days = random.pick([0, 1, -1, 365, -365, 3650, -3650, 20_000, -25_000]);
      const ms = Math.round((days + random.next()) * DAY_MS);
      writeFileSync(arena.clock, String(ms));
      return `to ${ms} ms`;
    },
  },
];

function streams(which: number): string {
  return ['stdout', 'stderr'].filter((_, i) => which & (1 << i)).join(' and ');
}

function rescan({ subject }: World): void {
  if (subject.listens) kill(subject.pid, SIGHUP);
}

/** Until the tree has said that it has read it again, what it believes may be what was there before. */
async function believed({ subject }: World): Promise<void> {
  for (let i = 0; i < 50 && subject.isAlive && !subject.isStopping; i++) {
    const reply = await ask(subject.socket, { do: 'rescan' }, 2000);
    if (reply?.ok) return;
    await pause(100);
  }
}

function disturb({ arena, company }: World, random: Random): string {
  const { scandir } = arena;
  const names = [...company.natures.keys()].filter((name) => !name.includes('/') && name !== 'templater');
  const name = random.pick(names);
  const path = join(scandir, name);
  const ways: readonly [string, () => void][] = [
    [`${name} removed`, () => rmSync(path, { recursive: true, force: true })],
    [`${name}/run removed`, () => rmSync(join(path, 'run'), { force: true })],
    [`${name}/finish removed`, () => rmSync(join(path, 'finish'), { force: true })],
    [`${name}/timeout-kill is nonsense`, () => writeFileSync(join(path, 'timeout-kill'), 'soon\0\n')],
    [`${name}/run is no program`, () => writeFileSync(join(path, 'run'), Buffer.from([0, 1, 2, 3]))],
    [
      `${name} is a file`,
      () => {
        rmSync(path, { recursive: true, force: true });
        writeFileSync(path, 'x');
      },
    ],
    [
      `${name} is a link to itself`,
      () => {
        rmSync(path, { recursive: true, force: true });
        symlinkSync(path, path);
      },
    ],
    [
      `${name} in a cycle`,
      () => {
        mkdirSync(join(path, 'dependencies.d'), { recursive: true });
        writeFileSync(join(path, 'dependencies.d', name), '');
      },
    ],
    [
      'a service more',
      () => {
        mkdirSync(join(scandir, 'more'));
        writeFileSync(join(scandir, 'more/run'), '#!/bin/sh\nexec sleep 1000000\n', { mode: 0o755 });
      },
    ],
    ['the whole scandir away', () => renameSync(scandir, `${scandir}.away`)],
    [
      'an empty scandir',
      () => {
        rmSync(scandir, { recursive: true });
        mkdirSync(scandir);
      },
    ],
    ['all written again', () => restoreScandir(arena)],
  ];
  const [what, work] = random.pick(ways);
  work();
  return what;
}
