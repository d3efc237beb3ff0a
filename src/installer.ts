import { constants } from 'node:os';
import { isatty } from 'node:tty';
import type { Ms } from './core/duration.ts';
import { endName, signalName } from './core/signals.ts';
import { EXIT, UserError } from './errors.ts';
import type { Log } from './log.ts';
import { now } from './os/clock.ts';
import { onSignals } from './os/signals.ts';
import { killGroup, send, startProcess } from './os/spawn.ts';
import { descendantsOf } from './os/strays.ts';

const { SIGTERM, SIGINT, SIGHUP, SIGKILL } = constants.signals;

export interface InstallerOptions {
  /** This program and its verb. */
  argv: readonly [string, ...string[]];
  /** From TERM to KILL. */
  stopTimeout: Ms;
  /** Signal → the signal that it is taken for. */
  rewrite: ReadonlyMap<number, number>;
  log: Log;
}

/**
 * Runs the installer, ahead of all services, as a process of its own: what reads the network and archives of strangers is no
 * part of PID 1. It has told by itself what went wrong.
 * @returns undefined when the package is there; the exit code when nothing must be started: its own, or that of a stop
 * @throws UserError when it could not run, or was killed
 */
export async function runInstaller({
  argv,
  stopTimeout,
  rewrite,
  log,
}: InstallerOptions): Promise<number | undefined> {
  let pid: number | undefined;
  let isOver = false;
  let stopped: { at: Ms; killed: boolean } | undefined;
  let timer: NodeJS.Timeout | undefined;
  const kill = (): void => {
    if (pid === undefined) return;
    if (stopped) stopped.killed = true;
    // init.sh is in a session of its own.
    for (const each of descendantsOf(pid)) send(each, SIGKILL);
    killGroup(pid);
  };
  const stop = (signal: number): void => {
    if (stopped) {
      kill();
      return;
    }
    stopped = { at: now(), killed: false };
    log.info('stopping the installation', { signal: signalName(signal), withinMs: stopTimeout });
    if (pid !== undefined) send(pid, SIGTERM);
    timer = setTimeout(kill, stopTimeout);
  };
  const onTerminal = isatty(2);
  // They stay until the tree listens, which is in the same turn of the loop as the end of this.
  onSignals((received) => {
    if (isOver) return;
    const signal = rewrite.get(received) ?? received;
    const isGone = signal === SIGHUP && onTerminal && !isatty(2);
    if (isGone || [signal, received].some((each) => each === SIGTERM || each === SIGINT)) stop(signal);
  });
  const end = await new Promise<{ code: number; signal: number }>((resolve, reject) =>
    startProcess(
      { argv, cwd: undefined, env: process.env, stdin: 'ignore', session: true, pipes: [] },
      {
        spawned: (child) => {
          pid = child;
          if (stopped) send(child, SIGTERM);
        },
        refused: (_code, reason) =>
          reject(new UserError(`cannot install the package: ${reason}`, { exitCode: EXIT.system })),
        exited: (code, signal) => {
          pid = undefined;
          resolve({ code, signal });
        },
      },
    ),
  ).finally(() => {
    isOver = true;
    clearTimeout(timer);
  });
  if (stopped) {
    const { at, killed } = stopped;
    const exitCode = killed ? 128 + SIGKILL : 0;
    log.info('stopped ahead of the services', { exitCode, tookMs: Math.round(now() - at) });
    return exitCode;
  }
  if (end.signal !== 0)
    throw new UserError(`cannot install the package: the installer ended with ${endName(end)}`, {
      hint: 'SIGKILL is what the kernel does when the memory limit is too small',
      exitCode: EXIT.system,
    });
  return end.code === 0 ? undefined : end.code;
}
