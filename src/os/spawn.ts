import { existsSync } from 'node:fs';
import { constants as os } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { causeOf, errno } from '../errors.ts';
import { awaitEnd } from './children.ts';
import { isDirectory } from './files.ts';
import { missingInterpreter } from './interpreter.ts';
import type { Native } from './native.ts';
import { spawnByNative } from './spawn-native.ts';
import { spawnByNode } from './spawn-node.ts';
import type { SpawnEvents, Spawned, SpawnSpec } from './spawn-spec.ts';

let native: Native | undefined;

/**
 * From here on we start processes by the addon, and whoever calls this waits for them: os/reaper.ts. Otherwise libuv does
 * both, with a copy of our memory's tables for each start, and without a word for death by a real-time signal.
 */
export function spawnBy(addon: Native): void {
  native = addon;
}

/** Whether a process can be started with supplementary groups. */
export function setsGroups(): boolean {
  return native !== undefined;
}

/**
 * Starts a process. The only way in which this program makes one, so that every child is known. Never throws; `spawned` or
 * `refused` comes first, `exited` once after `spawned`.
 */
export function startProcess(spec: SpawnSpec, events: SpawnEvents): void {
  // In a turn of its own: a loop of refusals must leave room for signals and timers.
  const refuse = (error: unknown): void => {
    setImmediate(() => events.refused(refusalCode(error), refusal(spec, error)));
  };
  let spawned: Spawned | undefined;
  try {
    spawned = native ? spawnByNative(spec, native) : spawnByNode(spec, refuse);
  } catch (error) {
    refuse(error);
    return;
  }
  if (!spawned) return;
  awaitEnd(spawned.pid, events.exited);
  events.spawned(spawned.pid, spawned.pipes);
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
  if (errno(error) === 'ENOENT' && !existsSync('/dev/null')) return `${what}: /dev/null does not exist`;
  if (errno(error) === 'ENOENT' && file.includes('/')) {
    const interpreter = missingInterpreter(isAbsolute(file) ? file : join(spec.cwd ?? '.', file));
    if (interpreter) return `${what}: its interpreter ${interpreter} does not exist`;
  }
  return `${what}: ${causeOf(error)}`;
}
