import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { type Action, strongest } from '../core/action.ts';
import { exitCodeOf } from '../core/exit.ts';
import { endName, parseSignal, signalName } from '../core/signals.ts';
import type { Log } from '../log.ts';
import { killGroup, send, startProcess } from '../os/spawn.ts';
import type { ExecOptions } from '../templater/options.ts';
import { commandArgv } from './template-shell.ts';

const { SIGTERM } = constants.signals;

/** The one command of `-exec`. */
export interface Child {
  /** All files are there for the first time. */
  start(): void;
  /** Has it take in changed files: restarted, or told, or left alone, as they ask for. */
  changed(actions: readonly Action[]): void;
  /** Hands a signal on. */
  forward(signal: number): void;
  /** It is not to be started any more, if it has not been. */
  giveUp(): void;
  /** Stops it for good; the second time at once. `ended` says when that is done. */
  stop(signal: number): void;
  /** Its exit code, as a shell tells it; undefined when it never was started. */
  readonly ended: Promise<number | undefined>;
}

/**
 * Supervises the command of `-exec`: starts it when the files are there, tells it of changes or starts it again, and is
 * over when it ends by itself. The whole process group ends with it.
 *
 * It is never left behind: when we end by a mistake, our last act is to kill its group; and where we cannot act at all
 * (SIGKILL, out of memory), a shell that waits for our end of a pipe to close does it.
 */
export function createChild(options: ExecOptions, env: NodeJS.ProcessEnv, log: Log): Child {
  const argv = commandArgv(options.command);
  let pid: number | undefined;
  let guard: Guard | undefined;
  /** What happens when it ends: nothing was asked for, it is to start again, or it is over. */
  let next: 'none' | 'start' | 'over' = 'none';
  let hasStarted = false;
  let splaying: NodeJS.Timeout | undefined;
  let killing: NodeJS.Timeout | undefined;
  let finish: (code: number | undefined) => void = () => {};
  const ended = new Promise<number | undefined>((resolve) => {
    finish = resolve;
  });
  const killNow = (): void => {
    if (pid !== undefined) killGroup(pid);
  };

  const end = (code: number | undefined): void => {
    clearTimeout(splaying);
    process.off('exit', killNow);
    finish(code);
  };

  const start = (): void => {
    hasStarted = true;
    next = 'none';
    startProcess(
      { argv, cwd: undefined, env, stdin: 'inherit', session: true, pipes: [] },
      {
        spawned(number) {
          pid = number;
          guard = startGuard(number, env, log);
          log.info('started', { command: options.command, pid });
        },
        refused(code, cause) {
          log.error('could not start', { command: options.command, cause });
          end(code);
        },
        exited(code, signal) {
          clearTimeout(killing);
          // What it left behind in its group ends with it.
          killNow();
          pid = undefined;
          guard?.dismiss();
          const how = { command: options.command, end: endName({ code, signal }) };
          if (next === 'start') {
            log.info('stopped', how);
            start();
            return;
          }
          log.info(next === 'over' ? 'stopped' : 'ended', how);
          end(exitCodeOf({ code, signal }));
        },
      },
    );
  };

  const signalGroup = (signal: number): void => {
    if (pid !== undefined && !send(-pid, signal)) send(pid, signal);
  };

  const halt = (signal: number): void => {
    signalGroup(signal);
    clearTimeout(killing);
    killing = setTimeout(() => {
      log.warn('killed', { command: options.command, afterMs: options.killTimeout });
      killNow();
    }, options.killTimeout);
  };

  /** What changed while a restart or reload was put off; the strongest counts. */
  let pending: readonly Action[] = [];

  const takeIn = (): void => {
    splaying = undefined;
    const actions = pending;
    pending = [];
    // One that is about to start again finds the newest files anyway.
    if (next !== 'none') return;
    const signals = actions.map(signalOf);
    if (signals.every((signal) => signal !== undefined)) {
      for (const signal of signals) {
        log.info('reloaded', { command: options.command, signal: signalName(signal) });
        signalGroup(signal);
      }
    } else {
      next = 'start';
      halt(options.killSignal ?? SIGTERM);
    }
  };

  /** Undefined for a restart. */
  const signalOf = (action: Action): number | undefined =>
    action.startsWith('signal ') ? parseSignal(action.slice('signal '.length)) : options.reloadSignal;

  process.on('exit', killNow);
  return {
    ended,
    start() {
      if (!hasStarted && next !== 'over') start();
    },
    changed(actions) {
      const those = actions.filter((action) => action !== 'none' && !action.startsWith('run '));
      if (those.length === 0 || !hasStarted || next !== 'none') return;
      pending = strongest([...pending, ...those]);
      splaying ??= setTimeout(takeIn, Math.random() * options.splay);
    },
    forward: signalGroup,
    giveUp() {
      if (!hasStarted) end(undefined);
    },
    stop(signal) {
      clearTimeout(splaying);
      const isSecond = next === 'over';
      next = 'over';
      if (pid === undefined) end(undefined);
      else if (isSecond) killNow();
      else halt(options.killSignal ?? signal);
    },
  };
}

interface Guard {
  /** The group has ended, and may soon be somebody else's number. */
  dismiss(): void;
}

/** It reads a line: there is none when our end of the pipe closes unsaid. */
const WATCH_US = 'trap "" HUP INT QUIT TERM USR1 USR2; read -r word <&3 || kill -9 "-$1"';

function startGuard(group: number, env: NodeJS.ProcessEnv, log: Log): Guard {
  let pipe: Socket | undefined;
  let dismissed = false;
  const dismiss = (): void => {
    dismissed = true;
    pipe?.end('over\n');
  };
  startProcess(
    {
      argv: ['/bin/sh', '-c', WATCH_US, 'supervise-guard', String(group)],
      cwd: '/',
      env: { PATH: env['PATH'] },
      stdin: 'ignore',
      session: true,
      pipes: [3],
    },
    {
      spawned(_pid, pipes) {
        pipe = pipes.get(3);
        pipe?.on('error', () => {});
        if (dismissed) dismiss();
      },
      refused: (_code, cause) => log.debug('could not guard', { cause }),
      exited() {
        pipe?.destroy();
      },
    },
  );
  return { dismiss };
}
