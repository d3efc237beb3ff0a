import { constants } from 'node:os';
import type { Ms } from '../core/duration.ts';
import { endName } from '../core/signals.ts';
import type { Log } from '../log.ts';
import { killGroup, send, startProcess } from '../os/spawn.ts';
import { shellArgv } from './template-shell.ts';

/** A command has this long; consul-template's limit. */
const LIMIT: Ms = 30_000;
/** What one that is under way when we stop still gets. */
const GRACE: Ms = 1000;

/** The commands of `-template in:out:command`. */
export interface Actions {
  /** Has a command run once all that came together is known; one that is waiting already is not run twice. */
  add(command: string): void;
  /** Resolves when none is waiting or running. */
  idle(): Promise<void>;
  /** Runs no more, and ends the one under way. */
  stop(): Promise<void>;
}

/**
 * Runs commands one after the other, beside the rendering: a slow one holds nothing up. One that fails is a warning; the
 * file is right all the same.
 */
export function createActions(env: NodeJS.ProcessEnv, log: Log, limit: Ms = LIMIT): Actions {
  const waiting = new Set<string>();
  let working: Promise<void> | undefined;
  let running: number | undefined;
  let stopped = false;

  const work = async (): Promise<void> => {
    // A turn later: files that are put in place together may have the same command.
    await new Promise(setImmediate);
    for (const command of waiting) {
      waiting.delete(command);
      await run(command);
    }
    working = undefined;
  };

  const run = (command: string): Promise<void> =>
    new Promise((resolve) => {
      const started = performance.now();
      let timer: NodeJS.Timeout | undefined;
      let late = false;
      const ranMs = (): Ms => Math.round(performance.now() - started);
      const spec = { cwd: undefined, env, stdin: 'ignore', session: true, pipes: [] } as const;
      startProcess(
        { ...spec, argv: shellArgv(command) },
        {
          spawned(pid) {
            running = pid;
            timer = setTimeout(() => {
              late = true;
              killGroup(pid);
            }, limit);
          },
          refused(code, cause) {
            log.warn('command failed', { command, code, cause });
            resolve();
          },
          exited(code, signal) {
            clearTimeout(timer);
            if (running !== undefined) killGroup(running);
            running = undefined;
            const end = endName({ code, signal });
            if (late) log.warn('command took too long', { command, limitMs: limit });
            else if (code !== 0 || signal !== 0) log.warn('command failed', { command, end, ranMs: ranMs() });
            else log.info('ran', { command, ranMs: ranMs() });
            resolve();
          },
        },
      );
    });

  return {
    add(command) {
      if (stopped) return;
      waiting.add(command);
      working ??= work();
    },
    async idle() {
      while (working) await working;
    },
    async stop() {
      stopped = true;
      waiting.clear();
      const pid = running;
      if (pid !== undefined) send(-pid, constants.signals.SIGTERM);
      const timer = setTimeout(() => running !== undefined && killGroup(running), GRACE);
      while (working) await working;
      clearTimeout(timer);
    },
  };
}
