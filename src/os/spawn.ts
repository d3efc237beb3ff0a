import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import type { Socket } from 'node:net';
import { constants as os } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { causeOf, errno } from '../errors.ts';
import { isDirectory, readHead } from './files.ts';

export interface SpawnSpec {
  /** Program and arguments. A program without a slash is looked up in PATH. */
  argv: readonly [string, ...string[]];
  cwd: string | undefined;
  env: NodeJS.ProcessEnv;
  /** Whom it runs as, without supplementary groups; undefined for whom we are. */
  user?: { uid: number; gid: number } | undefined;
  /** `inherit` for the terminal's main command; a descriptor of ours for a logger; everybody else reads nothing. */
  stdin: 'inherit' | 'ignore' | number;
  /** Descriptors of ours, whole pipes or files; without them ours are inherited. */
  stdout?: number | undefined;
  stderr?: number | undefined;
  /** A session and process group of its own. Off only for what shares our terminal. */
  session: boolean;
  /** Descriptors (3 and up) that are socket pairs to us. A newline can be written to one, a path to it cannot be opened. */
  pipes: readonly number[];
}

export interface SpawnEvents {
  /** It was executed. */
  spawned(pid: number, pipes: ReadonlyMap<number, Socket>): void;
  /** It was not: what a shell would exit with (127 not found, 126 not executable, 111 the system's refusal), and why. */
  refused(code: number, reason: string): void;
  /** It ended and was waited for. `code` is meaningless when `signal` is not 0. */
  exited(code: number, signal: number): void;
}

/** The pids that libuv waits for. The reaper leaves them alone. */
export const ours = new Set<number>();

/**
 * Starts a process. The only way in which this program makes one, so that every child is known. Never throws; `spawned` or
 * `refused` comes first, `exited` once after `spawned`.
 */
export function startProcess(spec: SpawnSpec, events: SpawnEvents): void {
  const { stdin, stdout = 'inherit', stderr = 'inherit' } = spec;
  const stdio: ('inherit' | 'ignore' | 'pipe' | number)[] = [stdin, stdout, stderr];
  for (const fd of spec.pipes) {
    while (stdio.length < fd) stdio.push('ignore');
    stdio[fd] = 'pipe';
  }
  // In a turn of its own: a loop of refusals must leave room for signals and timers.
  const refuse = (error: unknown): void => {
    setImmediate(() => events.refused(refusalCode(error), refusal(spec, error)));
  };
  let child: ChildProcess;
  try {
    const [file, ...args] = spec.argv;
    child = spawn(file, args, { cwd: spec.cwd, env: spec.env, stdio, detached: spec.session, ...spec.user });
  } catch (error) {
    refuse(error);
    return;
  }
  const { pid } = child;
  if (pid === undefined) {
    child.once('error', refuse);
    return;
  }
  ours.add(pid);
  // 'exit' comes in the same turn of the loop in which libuv waited for it. After it the pid may be anybody's.
  child.once('exit', (code, signal) => {
    ours.delete(pid);
    events.exited(code ?? 0, signal === null ? 0 : os.signals[signal]);
  });
  // A later 'error' can only be that of a kill we did not make; without a listener it would be thrown.
  child.on('error', () => {});
  events.spawned(pid, new Map(spec.pipes.map((fd) => [fd, child.stdio[fd] as Socket])));
}

/**
 * Sends a signal; a process that is gone by then is none of our worries.
 * @param target a pid, or minus a process group
 * @returns whether there was something to send it to
 */
export function send(target: number, signal: number): boolean {
  try {
    return process.kill(target, signal);
  } catch {
    return false;
  }
}

/** SIGKILL to a group, and to its leader in case it shares our group (the terminal's main command does). */
export function killGroup(pid: number): void {
  if (!send(-pid, os.signals.SIGKILL)) send(pid, os.signals.SIGKILL);
}

function refusalCode(error: unknown): number {
  const code = errno(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return 127;
  return code === 'EACCES' || code === 'ENOEXEC' || code === 'EISDIR' || code === 'EPERM' ? 126 : 111;
}

/** The kernel says ENOENT for a missing program, a missing interpreter and a missing directory alike; say which. */
function refusal(spec: SpawnSpec, error: unknown): string {
  const [file] = spec.argv;
  const what = `cannot execute ${file}`;
  if (spec.cwd !== undefined && !isDirectory(spec.cwd)) return `${what}: ${spec.cwd} is gone`;
  if (errno(error) === 'ENOENT' && file.includes('/')) {
    const interpreter = interpreterOf(isAbsolute(file) ? file : join(spec.cwd ?? '.', file));
    if (interpreter) return `${what}: its interpreter ${interpreter} does not exist`;
  }
  return `${what}: ${causeOf(error)}`;
}

function interpreterOf(path: string): string | undefined {
  try {
    const name = /^#!\s*(\S+)/.exec(readHead(path, 256))?.[1];
    if (!name) return undefined;
    accessSync(name, constants.X_OK);
    return undefined;
  } catch (error) {
    return (error as { path?: string }).path === path ? undefined : (error as { path?: string }).path;
  }
}
