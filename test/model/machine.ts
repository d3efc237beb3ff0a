/**
 * A machine without time or processes of its own: the parts of `src/os/` that the tree stands on, by their contracts and
 * nothing beyond. What may happen next is a list of moves, and whoever plays chooses: answers come late, timers too, processes
 * end when they like, and die at once only of SIGKILL.
 */
import { EventEmitter } from 'node:events';
import { registerHooks } from 'node:module';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Ms } from '../../src/core/duration.ts';
import type { RawScandir, RawScandirs } from '../../src/os/scandir.ts';
import type { SpawnEvents, SpawnSpec } from '../../src/os/spawn-spec.ts';

const { SIGKILL, SIGCONT } = constants.signals;

/** The parts that are played here. Whoever imports one of them after this file gets this file. */
const PLAYED = ['children', 'clock', 'exec', 'pipe', 'scandir', 'spawn', 'strays', 'turns'].map(
  (part) => new URL(`../../src/os/${part}.ts`, import.meta.url).href,
);

registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    return PLAYED.includes(found.url) ? { ...found, url: import.meta.url } : found;
  },
});

export type Role = 'run' | 'finish' | 'check' | 'health' | 'command' | 'hook';

export interface Process {
  pid: number;
  pgid: number;
  role: Role;
  /** Whose it is; a hook's name. */
  owner: string;
  /** SIGKILL was sent: it will end of that. */
  killed: boolean;
  /** It was sent another signal. */
  told: boolean;
  /** Undefined for a stray. */
  events: SpawnEvents | undefined;
  sockets: Map<number, FakeSocket>;
}

/** The end of a socket pair that is ours. */
export class FakeSocket extends EventEmitter {
  destroyed = false;
  readonly writableLength = 0;
  written: string[] = [];
  /** The other end has said something. */
  hasSpoken = false;

  /** What the other end says. */
  hear(data: string | Buffer): void {
    this.hasSpoken = true;
    this.emit('data', data);
  }

  setEncoding(): void {}

  pause(): void {}

  write(text: string): boolean {
    this.written.push(text);
    return true;
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}

interface Birth {
  spec: SpawnSpec;
  events: SpawnEvents;
  role: Role;
  owner: string;
}

interface Timer {
  due: Ms;
  ring: () => void;
}

/** The machine that is played on now. */
let current: Machine;

export class Machine {
  now: Ms = 1000;
  readonly alarms = new Set<Alarm>();
  readonly timers = new Map<object, Timer>();
  readonly immediates: (() => void)[] = [];
  /** Starts that wait for their turn (os/turns.ts). */
  readonly turns: (() => void)[] = [];
  /** Processes that were asked for, and of which nothing is known yet. */
  readonly births: Birth[] = [];
  readonly children = new Map<number, Process>();
  /** What processes left behind. */
  readonly strays = new Map<number, Process>();
  /** What there is on disk. */
  disk: RawScandirs = { services: [], scandirs: [] };
  hooks: ReadonlySet<string> = new Set();
  /** Whether what is asked for happens at once. */
  isPrompt: () => boolean = () => true;
  /** Called with each process that is asked for, before it is there. */
  asked: (role: Role, owner: string) => void = () => {};
  /** Called with each signal that reaches a process of ours. */
  signalled: (process: Process, signal: number) => void = () => {};
  /** Called when the kernel has told of the end of children. */
  reaped: () => void = () => {};
  #isTold = true;
  /** Ends of each `run`, executed or not. */
  readonly ends = new Map<string, number>();
  #pid = 1;
  #restore: () => void = () => {};

  /** Timers of others are ours from here on, until `leave`. */
  enter(): this {
    current = this;
    const { setTimeout, clearTimeout, setImmediate } = globalThis;
    this.#restore = () => Object.assign(globalThis, { setTimeout, clearTimeout, setImmediate });
    Object.assign(globalThis, {
      setTimeout: (ring: () => void, ms: Ms) => {
        const handle = { unref: () => handle };
        this.timers.set(handle, { due: this.now + ms, ring });
        return handle;
      },
      clearTimeout: (handle: object) => this.timers.delete(handle),
      setImmediate: (work: () => void) => this.immediates.push(work),
    });
    return this;
  }

  leave(): void {
    this.#restore();
  }

  start(spec: SpawnSpec, events: SpawnEvents): void {
    const birth = { spec, events, ...describe(spec) };
    const { role, owner } = birth;
    this.asked(role, owner);
    // A hook is never late: who stops waiting for one kills what is there.
    if (role === 'hook' || this.isPrompt()) this.#bear(birth);
    else this.births.push(birth);
  }

  /** @returns whether there was somebody to take it */
  send(target: number, signal: number): boolean {
    const reached = [...this.children.values(), ...this.strays.values()].filter((each) =>
      target > 0 ? each.pid === target : each.pgid === -target,
    );
    for (const process of reached) {
      if (signal === SIGKILL) process.killed = true;
      else if (signal !== SIGCONT) process.told = true;
      if (process.events) this.signalled(process, signal);
    }
    return reached.length > 0;
  }

  /** The end of a process. @param leaves how many it leaves behind in its group */
  exit(process: Process, code: number, signal: number, leaves = 0): void {
    this.children.delete(process.pid);
    this.#isTold = false;
    for (let i = 0; i < leaves; i++) {
      const pid = ++this.#pid;
      this.strays.set(pid, { ...process, pid, events: undefined, killed: false, told: false });
    }
    if (process.role === 'run') this.#count(process.owner);
    process.events?.exited(code, signal);
  }

  /** What must happen some time, by nobody's choice: in no order but that of each queue. */
  moves(): (() => void)[] {
    const moves: (() => void)[] = [];
    for (const alarm of this.alarms)
      if (alarm.due !== undefined && !alarm.rung && alarm.due <= this.now) moves.push(() => alarm.fire());
    for (const [handle, { due, ring }] of this.timers)
      if (due <= this.now)
        moves.push(() => {
          this.timers.delete(handle);
          ring();
        });
    for (const queue of [this.immediates, this.turns])
      if (queue.length > 0) moves.push(() => queue.shift()?.());
    for (const birth of this.births) moves.push(() => this.answer(birth, true));
    for (const process of this.children.values())
      if (process.killed) moves.push(() => this.exit(process, 0, SIGKILL));
    for (const { pid, killed } of this.strays.values()) if (killed) moves.push(() => this.bury(pid));
    if (!this.#isTold)
      moves.push(() => {
        this.#isTold = true;
        this.reaped();
      });
    return moves;
  }

  /** The end of a stray. */
  bury(pid: number): void {
    this.strays.delete(pid);
    this.#isTold = false;
  }

  answer(birth: Birth, isExecuted: boolean): void {
    this.births.splice(this.births.indexOf(birth), 1);
    if (isExecuted) this.#bear(birth);
    else {
      if (birth.role === 'run') this.#count(birth.owner);
      birth.events.refused(127, 'cannot execute it');
    }
  }

  /** When the next timer rings; undefined for never. */
  get nextDue(): Ms | undefined {
    const dues = [
      ...[...this.alarms].flatMap(({ due, rung }) => (due === undefined || rung ? [] : [due])),
      ...[...this.timers.values()].map(({ due }) => due),
    ];
    return dues.length === 0 ? undefined : Math.min(...dues);
  }

  /** Living processes of one service, with those that are asked for. */
  count(role: Role, owner: string): number {
    return [...this.children.values(), ...this.births].filter(
      (each) => each.role === role && each.owner === owner,
    ).length;
  }

  #count(owner: string): void {
    this.ends.set(owner, (this.ends.get(owner) ?? 0) + 1);
  }

  #bear({ spec, events, role, owner }: Birth): void {
    const pid = ++this.#pid;
    const fds = [...spec.pipes, ...(spec.readiness === undefined ? [] : [spec.readiness])];
    const sockets = new Map(fds.map((fd) => [fd, new FakeSocket()]));
    const process = { pid, pgid: pid, role, owner, killed: false, told: false, events, sockets };
    this.children.set(pid, process);
    events.spawned(pid, sockets as unknown as Map<number, Socket>);
  }
}

/** Services are in /s/NAME; what is called elsewhere is a hook, or has no directory. */
function describe({ argv: [file], cwd }: SpawnSpec): { role: Role; owner: string } {
  if (file === 'main') return { role: 'run', owner: '(command)' };
  if (file === 'templater') return { role: 'run', owner: 'templater' };
  const owner = cwd?.startsWith('/s/') ? cwd.slice(3) : 'templater';
  if (file === '/bin/sh') return { role: 'command', owner };
  if (file.startsWith('./')) return { role: file.slice(2) as Role, owner };
  return { role: 'hook', owner: file };
}

/* os/children.ts */

export function isChild(pid: number): boolean {
  return current.children.has(pid);
}

/* os/clock.ts */

export function now(): Ms {
  return current.now;
}

export class Alarm {
  due: Ms | undefined;
  rung = false;
  readonly #ring: () => void;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  get isArmed(): boolean {
    return this.due !== undefined;
  }

  /** As the real one: the same time again is nothing, and each that is armed rings once. */
  arm(due: Ms | undefined): void {
    if (due === this.due) return;
    this.due = due;
    this.rung = false;
    if (due === undefined) current.alarms.delete(this);
    else current.alarms.add(this);
  }

  fire(): void {
    this.rung = true;
    this.#ring();
  }
}

/* os/spawn.ts */

export function setsGroups(): boolean {
  return true;
}

export function startProcess(spec: SpawnSpec, events: SpawnEvents): void {
  current.start(spec, events);
}

export function send(target: number, signal: number): boolean {
  return current.send(target, signal);
}

export function killGroup(pid: number): void {
  current.send(-pid, SIGKILL);
}

/* os/turns.ts */

export function inTurn(start: () => void): void {
  if (current.turns.length === 0 && current.isPrompt()) start();
  else current.turns.push(start);
}

/* os/strays.ts */

export function descendantsOf(root: number): number[] {
  if (root !== process.pid) return [];
  return [...current.children.values(), ...current.strays.values()]
    .filter(({ killed }) => !killed)
    .map(({ pid }) => pid);
}

/* os/scandir.ts */

export function readScandirs(): RawScandirs {
  return structuredClone(current.disk);
}

export function findHook(_scandir: string, _hooks: RawScandir['hooks'], name: string): string | undefined {
  return current.hooks.has(name) ? `.supervise/${name}` : undefined;
}

/* os/exec.ts */

export function execAsArgs(): string[] {
  return [];
}

export function withOwn(): NodeJS.ProcessEnv {
  return {};
}

export const withOwnVeiled = withOwn;

/* os/pipe.ts */

export function makePipe(): { read: number; write: number } {
  return { read: -1, write: -1 };
}

export function openToOthers(): void {}

export function closeQuietly(): void {}

export const PIPE_BYTES = 65_536;
export class PipeReader {}
