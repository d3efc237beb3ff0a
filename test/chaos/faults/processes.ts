/** Signals to services, their groups, and whatever else runs; orphans. */
import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { commandOf, descendantsOf, innerPid, kill, type Process } from '../processes.ts';
import type { Random } from '../random.ts';
import { type Fault, runOf, type World } from '../world.ts';

const SIGKILL = 9;
const SIGTERM = 15;
const SIGCONT = 18;
const SIGSTOP = 19;
/** Stop, TSTP, TTIN, TTOU. */
const STOPS = [19, 20, 21, 22];
const LAST_SIGNAL = 64;
const BURST = 1000;
const MOST_WORDS = 80;

/** Half of them kill for certain, in the way that is most common. */
function anySignal(random: Random): number {
  if (random.chance(0.35)) return SIGKILL;
  const signal = random.chance(0.4) ? random.from(34, LAST_SIGNAL) : random.from(1, 31);
  return STOPS.includes(signal) ? SIGKILL : signal;
}

/** Services, loggers and the templater alike. */
function victim({ company }: World, random: Random): string {
  return random.pick([...company.natures.keys()]);
}

export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: 'a signal to a service',
    weight: 20,
    act(world, random) {
      const [name, signal] = [victim(world, random), anySignal(random)];
      return signalTo(world, name, signal, false);
    },
  },
  {
    name: "a signal to a service's group",
    weight: 8,
    act(world, random) {
      const [name, signal] = [victim(world, random), anySignal(random)];
      return signalTo(world, name, signal, true);
    },
  },
  {
    name: 'a signal to the templater',
    weight: 3,
    act: (world, random) => signalTo(world, 'templater', anySignal(random), random.chance(0.5)),
  },
  {
    name: 'a signal to a logger',
    weight: 3,
    act: (world, random) => signalTo(world, 'logged/log', anySignal(random), random.chance(0.5)),
  },
  {
    name: 'a service stopped for a while',
    weight: 6,
    holds: 'stopped service',
    act(world, random) {
      const [name, ms] = [victim(world, random), random.from(20, 2500)];
      const run = runOf(world, name);
      if (!run) return `${name}: not there`;
      kill(-run.process.pgid, SIGSTOP);
      world.held.hold('stopped service', ms, () => {
        kill(-run.process.pgid, SIGCONT);
      });
      return `${name} for ${ms} ms`;
    },
  },
  {
    name: 'a signal to anything that runs',
    weight: 6,
    act(world, random) {
      const [at, signal] = [random.next(), random.pick([SIGKILL, SIGKILL, SIGTERM, 1, 13, 34])];
      const all = descendantsOf(world.subject.pid).filter(({ state }) => state !== 'Z');
      const process = all[Math.floor(at * all.length)];
      return process ? strike(world, process, signal) : 'nothing there';
    },
  },
  {
    name: 'a burst of 1,000 orphans',
    weight: 1.5,
    act: ({ subject }) => burst(subject.truth, BURST),
  },
  {
    name: 'a few orphans',
    weight: 4,
    act: ({ subject }, random) => burst(subject.truth, random.from(1, 50)),
  },
  {
    name: 'its health fails for a while',
    weight: 2,
    holds: 'sick',
    act(world, random) {
      const path = join(world.subject.truth, 'sick');
      const ms = random.from(200, 2000);
      closeSync(openSync(path, 'w'));
      world.held.hold('sick', ms, () => {
        rmSync(path, { force: true });
      });
      return `for ${ms} ms`;
    },
  },
];

function signalTo(world: World, name: string, signal: number, group: boolean): string {
  const run = runOf(world, name);
  if (!run) return `${signal} to ${name}: not there`;
  const { pid, pgid } = run.process;
  world.ledger.sent(run.inner, signal, true);
  // Who shares a group with it is none of those that are judged.
  kill(group ? -pgid : pid, signal);
  return `${signal} to ${name}, pid ${run.inner}${group ? ' and its group' : ''}`;
}

/** Hooks, finish scripts, probes, children of services: what it is decides what is to be remembered. */
function strike(world: World, { pid, ppid }: Process, signal: number): string {
  const { ledger, subject, book } = world;
  const command = commandOf(pid);
  const inner = innerPid(pid);
  const words = command.join(' ');
  const run = [...book.running].find(([, { pid: own }]) => own === inner);
  // Between fork and exec: who it will be is not to be seen.
  if (inner === undefined || (words.includes('supervise.cjs') && run?.[0] !== 'templater'))
    return `passed over ${words.slice(0, MOST_WORDS)}`;
  if (ppid === subject.pid) {
    const finish = command.indexOf('./finish');
    if (finish >= 0) ledger.finishes.add(`${command[finish + 3]} ${command[finish + 4]}`);
    else if (words.includes('.supervise/crash')) ledger.hooks++;
    else ledger.sent(inner, signal, run !== undefined);
  }
  kill(pid, signal);
  return `${signal} to ${words.slice(0, MOST_WORDS) || 'what has no name'}, pid ${inner}`;
}

function burst(truth: string, count: number): string {
  try {
    const fd = openSync(join(truth, 'orphans.fifo'), constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(fd, `${count}\n`);
    closeSync(fd);
    return `${count}`;
  } catch {
    return `${count}: nobody there to make them`;
  }
}
