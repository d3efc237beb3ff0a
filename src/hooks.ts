import { constants } from 'node:os';
import type { Ms } from './core/duration.ts';
import { endName } from './core/signals.ts';
import type { Log } from './log.ts';
import { now } from './os/clock.ts';
import { runtimeFile } from './os/runtime-dir.ts';
import { findHook, type RawScandir } from './os/scandir.ts';
import { killGroup, send, startProcess } from './os/spawn.ts';
import type { SpawnEvents, SpawnSpec } from './os/spawn-spec.ts';

/** A crash storm with slow hooks must not become a second storm; what waits longer than this many is told and let go. */
const MOST_AT_ONCE = 8;
const MOST_WAITING = 1000;
/** So many of those that wait keep the file that they were called with; there may be 64 KiB in each. */
const MOST_KEPT = 64;

interface HookOutput {
  /** @throws the system's error where there are no pipes to be had */
  output(): { stdout: number | undefined; stderr: number | undefined };
  ended(): void;
}

interface Hook {
  name: string;
  args: readonly (string | number)[];
  env: Record<string, string | number>;
  /** A file for the hook's time, and the variable that names it. Where none can be made, the variable is absent. */
  file?: { env: string; content: () => Uint8Array } | undefined;
}

/** What belongs to one run of a hook, or of a command. */
interface Errand {
  log: Log;
  /** How to mend it where it is not executable. */
  hint?: string;
  /** Its failure is somebody else's to tell. */
  mayFail?: boolean;
  exited?: () => void;
  /** At its end, executed or not. */
  done?: () => void;
}

/**
 * The tree's hooks: `crash`, `finish`, `SIGHUP` … in `.supervise/` (or `.s6-svscan/`). A hook that is missing is fine; one
 * that is not executable, slow or failing is one warning, and nobody waits for it who need not.
 */
export class Hooks {
  readonly timeout: Ms;
  readonly #log: Log;
  readonly #running = new Set<number>();
  #waiting: (() => void)[] = [];
  /** Commands that run, and whether they are to run again after that. */
  readonly #again = new Map<string, boolean>();
  #dropped = false;
  /** Where they are, those that win first; changes when they are read again. */
  scandirs: readonly Pick<RawScandir, 'path' | 'hooks'>[] = [];
  /** Where a hook's output goes, if it does not inherit ours; by the hook's name. */
  outputOf: ((hook: string) => HookOutput) | undefined;
  /** Called after each hook, when it is waited for. */
  ended: () => void = () => {};

  constructor(timeout: Ms, log: Log) {
    this.timeout = timeout;
    this.#log = log;
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  /** Runs a hook some time soon, after those before it. */
  queue(hook: Hook): void {
    if (!this.has(hook.name)) return;
    if (this.#running.size < MOST_AT_ONCE) {
      void this.run(hook);
    } else if (this.#waiting.length < MOST_WAITING) {
      const kept = this.#waiting.length < MOST_KEPT ? withContent(hook) : hook;
      this.#waiting.push(() => void this.run(kept));
    } else if (!this.#dropped) {
      this.#dropped = true;
      this.#log.warn('hooks fell behind', { hook: hook.name, waiting: MOST_WAITING });
    }
  }

  /**
   * Runs a hook now. Never rejects.
   * @param timeout the whole time it has, in ms; its group is killed then
   * @returns its exit code; undefined when there is none, or it was killed
   */
  run(hook: Hook, timeout: Ms = this.timeout): Promise<number | undefined> {
    const found = this.#find(hook.name);
    if (!found) return Promise.resolve(undefined);
    const { scandir, path } = found;
    const file = hook.file && runtimeFile(hook.name, hook.file.content());
    const output = this.outputOf?.(hook.name);
    const spec: SpawnSpec = {
      argv: [path, ...hook.args.map(String)],
      cwd: scandir,
      env: {
        ...process.env,
        ...mapValues(hook.env, String),
        ...(hook.file && file ? { [hook.file.env]: file.path } : {}),
      },
      stdin: 'ignore',
      ...descriptorsOf(output),
      session: true,
      pipes: [],
    };
    const log = this.#log.child({ hook: hook.name });
    const hint = `chmod +x ${scandir}/${path}`;
    return this.#execute(
      (events) => startProcess(spec, events),
      {
        log,
        hint,
        mayFail: hook.name === 'finish',
        exited: () => output?.ended(),
        done: () => file?.remove(),
      },
      timeout,
    );
  }

  /**
   * Runs a command of a template's `on-change`, as a hook is run: it has the time of one, and its failure is a warning. One
   * at a time for each service: what is asked for while it runs is one more run after it.
   * @param start starts what it is given, as a program of the service
   */
  async command(
    service: string,
    command: string,
    log: Log,
    start: (argv: SpawnSpec['argv'], events: SpawnEvents) => void,
  ): Promise<void> {
    const key = `${service}\0${command}`;
    const isRunning = this.#again.has(key);
    this.#again.set(key, isRunning);
    if (isRunning) return;
    do {
      this.#again.set(key, false);
      await this.#execute(
        (events) => start(['/bin/sh', '-c', command], events),
        { log: log.child({ hook: `run ${command}` }) },
        this.timeout,
      );
    } while (this.#again.get(key));
    this.#again.delete(key);
  }

  #execute(
    start: (events: SpawnEvents) => void,
    { log, hint, mayFail, exited, done }: Errand,
    timeout: Ms,
  ): Promise<number | undefined> {
    return new Promise((resolve) => {
      const started = now();
      let timer: NodeJS.Timeout | undefined;
      let own: number | undefined;
      const ended = (code: number | undefined): void => {
        clearTimeout(timer);
        if (own !== undefined) this.#running.delete(own);
        done?.();
        resolve(code);
        this.ended();
        this.#waiting.shift()?.();
      };
      start({
        spawned: (pid) => {
          own = pid;
          this.#running.add(pid);
          timer = setTimeout(() => {
            log.warn('killed a slow hook', { afterMs: Math.round(now() - started) });
            killGroup(pid);
          }, timeout);
        },
        refused: (code, reason) => {
          log.warn('could not run a hook', { reason, hint: code === 126 ? hint : undefined });
          ended(undefined);
        },
        exited: (code, signal) => {
          // What it left in its group goes with it, as after `run`.
          if (own !== undefined) send(-own, constants.signals.SIGKILL);
          exited?.();
          if (!mayFail && (code !== 0 || signal !== 0))
            log.warn('a hook failed', { end: endName({ code, signal }) });
          ended(signal === 0 ? code : undefined);
        },
      });
    });
  }

  #find(name: string): { scandir: string; path: string } | undefined {
    for (const { path: scandir, hooks } of this.scandirs) {
      const path = findHook(scandir, hooks, name);
      if (path !== undefined) return { scandir, path };
    }
    return undefined;
  }

  /** Hooks that have not begun yet never will. */
  dropQueue(): void {
    this.#waiting = [];
    this.#again.clear();
  }

  /** The groups of the hooks that run now. No more are started from the queue. */
  abandon(): readonly number[] {
    this.dropQueue();
    return [...this.#running];
  }
}

/** However long it waits, its file is that of now. */
function withContent(hook: Hook): Hook {
  const content = hook.file?.content();
  return hook.file && content ? { ...hook, file: { ...hook.file, content: () => content } } : hook;
}

/** A hook that cannot have its pipes still runs. */
function descriptorsOf(output: HookOutput | undefined): Partial<ReturnType<HookOutput['output']>> {
  try {
    return output?.output() ?? {};
  } catch {
    return {};
  }
}

function mapValues<A, B>(record: Record<string, A>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
