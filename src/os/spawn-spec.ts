import type { Socket } from 'node:net';
import type { Ended } from './children.ts';

/** What a process is started with. */
export interface SpawnSpec {
  /** Program and arguments. A program without a slash is looked up in PATH. */
  argv: readonly [string, ...string[]];
  cwd: string | undefined;
  env: NodeJS.ProcessEnv;
  /** Whom it runs as; undefined for whom we are. Supplementary groups want the addon: see `setsGroups()`. */
  user?: { uid: number; gid: number; groups?: readonly number[] } | undefined;
  /** `inherit` for the terminal's main command; a descriptor of ours for a logger; everybody else reads nothing. */
  stdin: 'inherit' | 'ignore' | number;
  /** Descriptors of ours, whole pipes or files; without them ours are inherited. */
  stdout?: number | undefined;
  stderr?: number | undefined;
  /** A session and process group of its own; or, with the addon, only a group, in the foreground of stdin's terminal. */
  session: boolean | 'foreground';
  /** Descriptors (3 and up) that are socket pairs to us. A newline can be written to one, a path to it cannot be opened. */
  pipes: readonly number[];
  /** One more, which it alone writes to: a pipe, which can be opened again as `/dev/fd/3`; by Node it is like the others. */
  readiness?: number | undefined;
}

export interface SpawnEvents {
  /** It was executed. */
  spawned(pid: number, pipes: ReadonlyMap<number, Socket>): void;
  /** It was not: what a shell would exit with (127 not found, 126 not executable, 111 the system's refusal), and why. */
  refused(code: number, reason: string): void;
  /** It ended and was waited for. `code` is meaningless when `signal` is not 0. */
  exited: Ended;
}

/** A process that was executed. */
export interface Spawned {
  pid: number;
  pipes: ReadonlyMap<number, Socket>;
}
