/** The tree under attack: PID 1 of a namespace of its own, from its start to its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, chmodSync, closeSync, mkdirSync, rmSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import type { EventRecord } from '../../src/control/protocol.ts';
import { BUNDLE, NODE, until } from '../tree.ts';
import type { Arena } from './arena.ts';
import { Follower } from './client.ts';
import { FifoReader } from './fifo.ts';
import { processes, statusOf } from './processes.ts';

export const STOP_TIMEOUT_MS = 4000;
const CLOCK = join(import.meta.dirname, 'clock-shift.cjs');

/**
 * So few that a pid is soon another's. A namespace has a bound of its own from Linux 6.14 on; before that it is the machine's,
 * and so left alone.
 */
const FEW_PIDS = isAtLeast(release(), 6, 14)
  ? `sh -c 'echo 1500 >/proc/sys/kernel/pid_max; exec "$@"' sh `
  : '';

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number);
  return a > major || (a === major && b >= minor);
}

export interface SubjectOptions {
  arena: Arena;
  /** The how many-th tree of this run. */
  epoch: number;
  consul: string;
  /** Beside what all have. */
  args: readonly string[];
  /** Ones of ours, in their order. */
  event: (event: EventRecord) => void;
  /** A line of stderr that is none of ours. */
  noise: (line: string) => void;
}

export interface End {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Of `performance.now()`. */
  at: number;
}

export class Subject {
  readonly epoch: number;
  readonly truth: string;
  readonly follower: Follower;
  readonly outlets: readonly [FifoReader, FifoReader];
  readonly ended: Promise<End>;
  end: End | undefined;
  /** As we see it; 0 until it is there. */
  pid = 0;
  /** It is to end: its end is no surprise. */
  isStopping = false;
  /** Where the socket is now. */
  socket: string;
  readonly startedAt = performance.now();
  readonly #child: ChildProcess;

  constructor({ arena, epoch, consul, args, event, noise }: SubjectOptions) {
    this.epoch = epoch;
    this.truth = join(arena.directory, `truth-${epoch}`);
    mkdirSync(this.truth);
    chmodSync(this.truth, 0o777);
    this.socket = join(arena.small, 'run/control');
    const log = join(arena.directory, `stderr-${epoch}`);
    this.outlets = [
      new FifoReader(join(arena.directory, 'stdout'), () => {}),
      new FifoReader(join(arena.directory, 'stderr'), (line) => {
        if (/^(\[talks\] )?talks:/.test(line)) return;
        appendFileSync(log, `${line}\n`);
        noise(line);
      }),
    ];
    const writers = this.outlets.map((outlet) => outlet.openWriter());
    const tree = [NODE, '--require', CLOCK, BUNDLE, arena.scandir, ...args];
    const join_ = arena.cgroup ? `echo $$ >${arena.cgroup}/cgroup.procs; ` : '';
    const script = `ulimit -c 0; umask 022; ${join_}exec unshare -pf --kill-child --mount-proc ${FEW_PIDS}"$@"`;
    this.#child = spawn('/bin/sh', ['-c', script, 'sh', ...tree], {
      cwd: arena.directory,
      env: {
        PATH: process.env['PATH'],
        TRUTH: this.truth,
        SMALL: arena.small,
        TMPDIR: join(arena.small, 'tmp'),
        CHAOS_CLOCK: arena.clock,
        CONSUL_HTTP_ADDR: consul,
        SUPERVISE_RUNTIME_DIR: join(arena.small, 'run'),
        SUPERVISE_LOG_FORMAT: 'json',
        SUPERVISE_STOP_TIMEOUT: String(STOP_TIMEOUT_MS),
        SUPERVISE_SETTLE: '300ms',
        SUPERVISE_WAIT: '50ms:500ms',
      },
      stdio: ['ignore', ...(writers as [number, number])],
    });
    for (const fd of writers) closeSync(fd);
    this.ended = new Promise((resolve) =>
      this.#child.once('exit', (code, signal) => {
        this.end = { code, signal, at: performance.now() };
        resolve(this.end);
      }),
    );
    this.follower = new Follower(() => this.socket, event);
  }

  /** Waits until PID 1 is there. @param listening and takes its signals */
  async appear(listening = false): Promise<void> {
    await until('PID 1', () => {
      if (this.end) return true;
      this.pid ||= processes().find(({ ppid }) => ppid === this.#child.pid)?.pid ?? 0;
      return this.pid !== 0 && (!listening || this.listens);
    });
  }

  /**
   * It takes its signals: SIGHUP, as the whole of them is taken at once. SIGTERM tells nothing, Node itself takes it ahead of our first
   * line, to lose it.
   */
  get listens(): boolean {
    const caught = statusOf(this.pid, 'SigCgt');
    return caught !== undefined && (BigInt(`0x${caught}`) & 1n) !== 0n;
  }

  get isAlive(): boolean {
    return this.end === undefined;
  }

  /** It has begun to tell what happens. */
  get isUp(): boolean {
    return this.follower.events.length > 0;
  }

  /** Ends it, come what may. */
  kill(): void {
    this.isStopping = true;
    this.#child.kill('SIGKILL');
  }

  close(): void {
    this.follower.close();
    for (const outlet of this.outlets) outlet.close();
  }

  forget(): void {
    rmSync(this.truth, { recursive: true, force: true });
  }
}
