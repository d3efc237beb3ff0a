import { closeSync, openSync, readSync } from 'node:fs';

/**
 * What PID 1 needs of Linux and Node does not offer; `native/reaper.c` is the other side. Nothing here throws: a call
 * that fails returns `-errno`, which `util.getSystemErrorName()` turns into `'ECHILD'` and the like.
 */
export interface Native {
  /**
   * The pid of a child that has exited and that nobody has waited for, 0 when none of the children has exited, `-ECHILD`
   * when there are no children. It stays there until it is waited for, by `reap()`.
   */
  peek(): number;
  /**
   * Waits for one exited child and returns its raw wait status: the signal in the low 7 bits, else the exit code in the next
   * 8. `-EAGAIN` when it has not exited, `-ECHILD` when it is no child. Of one that Node spawned, libuv would never learn how
   * it ended.
   */
  reap(pid: number): number;
  /** From now on, orphans among the descendants become children of this process, as they do of PID 1. Returns 0. */
  subreaper(): number;
  /** Puts this process into a group of its own. 0, or `-EPERM` for the leader of a session, which is in one already. */
  ownGroup(): number;
  /**
   * Gives the terminal at `fd` to the process group `pgid`, also when this process is in a background group: that is
   * how a shell takes the terminal back. 0, or `-ENOTTY` when it is not our controlling terminal.
   */
  foreground(fd: number, pgid: number): number;
  /** The process group that has the terminal at `fd`, or `-ENOTTY`. */
  foregroundOf(fd: number): number;
  /**
   * Ignores a signal in the kernel, with no handler and so no wake-up. Children that Node spawns get the default again,
   * a successor by `process.execve()` does not. (Ignoring SIGCHLD would take libuv's exit codes away.)
   */
  ignore(signal: number): number;
  /**
   * Whether a write to `fd` would not wait: 1 for yes, or for a write that fails at once as the reader has gone; 0 for
   * not now. For a pipe, 1 is a promise for up to 4096 bytes, while nobody else writes to it.
   */
  writable(fd: number): number;
  /**
   * A pipe: the end to read and the end to write, both blocking, neither inherited by who is not given it. What Node
   * calls one is a pair of sockets, which a child cannot open again as `/dev/stdout`.
   */
  pipe(): readonly [number, number] | number;
  /** A pair of stream sockets, both blocking, neither inherited by who is not given it. */
  sockets(): readonly [number, number] | number;
  /**
   * Starts a process, and waits until it was executed: its pid, or `-errno` of what was refused in it. All signals have their
   * default there, and none is blocked; descriptors of ours that it is not given are closed. How it is told what, stands in
   * `native/reaper.c`; os/spawn-native.ts says it.
   */
  spawn(numbers: Int32Array, strings: Uint8Array, room: BigUint64Array): number;
}

/** Loads the addon from the first of the directories that has one which works here; or says why none does. */
export function loadNative(directories: readonly string[]): { native: Native } | { cause: string } {
  if (process.platform !== 'linux') return { cause: `the addon is for Linux, this is ${process.platform}` };
  const causes: string[] = [];
  for (const directory of directories) {
    // With a slash in it, or it would be looked for among the system's libraries.
    const file = `${directory}/reaper-${process.arch}.node`;
    const module: { exports: Partial<Native> } = { exports: {} };
    try {
      process.dlopen(module, file);
      if (isComplete(module.exports)) return { native: module.exports };
      causes.push(`${file}: from another version`);
    } catch (error) {
      causes.push(`${file}: ${causeOf(file, error)}`);
    }
  }
  return { cause: causes.join('; ') };
}

const CALLS = Object.keys({
  peek: true,
  reap: true,
  subreaper: true,
  ownGroup: true,
  foreground: true,
  foregroundOf: true,
  ignore: true,
  writable: true,
  pipe: true,
  sockets: true,
  spawn: true,
} satisfies Record<keyof Native, true>) as (keyof Native)[];

function isComplete(exports: Partial<Native>): exports is Native {
  return CALLS.every((call) => typeof exports[call] === 'function');
}

/** Loaders word these cases differently, or as something else: glibc finds "no such file" for the wrong architecture. */
function causeOf(file: string, error: unknown): string {
  const header = Buffer.alloc(20);
  try {
    const fd = openSync(file, 'r');
    readSync(fd, header);
    closeSync(fd);
  } catch (unreadable) {
    const { code, message } = unreadable as NodeJS.ErrnoException;
    return code === 'ENOENT' ? 'no such file (ENOENT)' : (code ?? message);
  }
  if (header.toString('latin1', 0, 4) !== '\x7fELF') return 'not a shared object';
  const machine = header.readUInt16LE(18);
  if (machine !== MACHINES[process.arch]) {
    const arch = Object.keys(MACHINES).find((name) => MACHINES[name] === machine) ?? `ELF machine ${machine}`;
    return `made for ${arch}, this is ${process.arch}`;
  }
  const message = error instanceof Error ? error.message : String(error);
  if (/failed to map segment|Operation not permitted/.test(message))
    return 'its file system is mounted noexec';
  return message.replace(`${file}: `, '');
}

/** e_machine in the ELF header */
const MACHINES: Partial<Record<string, number>> = { x64: 62, arm64: 183 };
