/** Real trees for tests: a scandir made from a map of files, the built bundle run on it, its events read as they come. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { execaSync } from 'execa';

/** The built bundle, or another build of it (`SUPERVISE_BUNDLE`). */
export const BUNDLE = process.env['SUPERVISE_BUNDLE'] ?? join(import.meta.dirname, '../dist/supervise.cjs');
/** The Node that runs it: ours, or another that must do as well (`SUPERVISE_NODE`). */
export const NODE = process.env['SUPERVISE_NODE'] ?? process.execPath;
/** Generous: a condition that is not met by then never will be. */
const LIMIT_MS = 30_000;

/** Path → content. A script (`#!`) becomes executable. */
export type Files = Record<string, string>;

export interface Event {
  level: string;
  time: string;
  msg: string;
  service?: string;
  [field: string]: unknown;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface TreeOptions {
  args?: string[];
  env?: Record<string, string>;
  /** Programs in front of Node: `unshare`, `strace` … */
  prefix?: string[];
  /** The bundle, if it is another. */
  bundle?: string;
  stdin?: 'ignore' | 'pipe';
}

/** A directory of the test's own, gone with it. */
export function tempDir(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'supervise-test-'));
  t.after(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }));
  return path;
}

export function writeFiles(directory: string, files: Files): string {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    if (content.startsWith('#!')) chmodSync(path, 0o755);
  }
  return directory;
}

/** Waits until `probe` answers with something truthy, and fails with `what` when it never does. */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  limit: number = LIMIT_MS,
): Promise<NonNullable<T>> {
  const end = performance.now() + limit;
  for (;;) {
    const value = await probe();
    if (value) return value as NonNullable<T>;
    if (performance.now() > end) throw new Error(`never happened within ${limit} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A running supervisor. */
export class RunningTree {
  readonly directory: string;
  readonly scandir: string;
  readonly socket: string;
  readonly child: ChildProcess;
  readonly events: Event[] = [];
  /** What came on stderr and is no event of ours. */
  noise = '';
  stdout = '';
  readonly ended: Promise<Ended>;
  hasEnded = false;

  constructor(directory: string, scandir: string, argv: string[], options: TreeOptions) {
    this.directory = directory;
    this.scandir = scandir;
    this.socket = join(directory, 'control');
    const [file = '', ...args] = [...(options.prefix ?? []), NODE, options.bundle ?? BUNDLE, ...argv];
    this.child = spawn(file, args, {
      env: { PATH: process.env['PATH'], SUPERVISE_SOCKET: this.socket, ...options.env },
      cwd: directory,
      stdio: [options.stdin ?? 'ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    let rest = '';
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#take(line);
    });
    this.ended = new Promise((resolve) =>
      this.child.once('close', (code, signal) => {
        this.hasEnded = true;
        resolve({ code, signal });
      }),
    );
  }

  #take(line: string): void {
    try {
      this.events.push(JSON.parse(line) as Event);
    } catch {
      this.noise += `${line}\n`;
    }
  }

  /** The supervisor's own pid as we see it; with a prefix it is further down. */
  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Waits for an event. `count`: how many of them. */
  async event(msg: string, service?: string, count = 1): Promise<Event> {
    const found = (): Event[] => this.eventsOf(msg, service);
    await until(`${count} × "${msg}" of ${service ?? 'any'}, got:\n${this.transcript}`, () => {
      if (found().length >= count) return true;
      if (this.hasEnded)
        throw new Error(`the tree ended before "${msg}" of ${service ?? 'any'}:\n${this.transcript}`);
      return false;
    });
    return found()[count - 1] as Event;
  }

  eventsOf(msg: string, service?: string): Event[] {
    return this.events.filter(
      (event) => event.msg === msg && (service === undefined || event.service === service),
    );
  }

  get transcript(): string {
    return [...this.events.map((event) => JSON.stringify(event)), this.noise, this.stdout].join('\n');
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** Runs a control verb against this tree. */
  control(...args: string[]): { code: number | null; stdout: string; stderr: string } {
    const { exitCode, stdout, stderr } = execaSync(NODE, [BUNDLE, ...args], {
      env: { PATH: process.env['PATH'], SUPERVISE_SOCKET: this.socket },
      extendEnv: false,
      reject: false,
      stripFinalNewline: false,
      timeout: LIMIT_MS,
    });
    return { code: exitCode ?? null, stdout, stderr };
  }

  /** The living pid of a service. */
  servicePid(name: string): number {
    const { services } = JSON.parse(this.control('status', name, '--json').stdout) as {
      services: { pid: number | null }[];
    };
    const pid = services[0]?.pid;
    if (!pid) throw new Error(`${name} has no pid`);
    return pid;
  }

  /** What a service wrote to a file beside the scandir (`$OUT/name`). */
  file(name: string): string {
    try {
      return readFileSync(join(this.directory, name), 'utf8');
    } catch {
      return '';
    }
  }

  lines(name: string): string[] {
    return this.file(name).split('\n').filter(Boolean);
  }
}

/** Starts the bundle on a scandir made of these files. `OUT` names a directory that its scripts may write to. */
export function startTree(t: TestContext, files: Files, options: TreeOptions = {}): RunningTree {
  const directory = tempDir(t);
  const scandir = join(directory, 'services');
  mkdirSync(scandir);
  writeFiles(scandir, files);
  return launch(t, directory, scandir, [scandir, ...(options.args ?? [])], options);
}

/** Starts the bundle with these arguments alone. */
export function startBundle(t: TestContext, argv: string[], options: TreeOptions = {}): RunningTree {
  const directory = tempDir(t);
  return launch(t, directory, directory, argv, options);
}

function launch(
  t: TestContext,
  directory: string,
  scandir: string,
  argv: string[],
  options: TreeOptions,
): RunningTree {
  const env = { OUT: directory, SUPERVISE_LOG_FORMAT: 'json', ...options.env };
  const tree = new RunningTree(directory, scandir, argv, { ...options, env });
  t.after(async () => {
    if (tree.hasEnded) return;
    tree.child.kill('SIGTERM');
    tree.child.kill('SIGTERM');
    const timer = setTimeout(() => tree.child.kill('SIGKILL'), 5000);
    await tree.ended;
    clearTimeout(timer);
  });
  return tree;
}

/** Runs a bundle to its end and returns what is left of it. */
export async function runTree(
  t: TestContext,
  files: Files,
  options: TreeOptions = {},
): Promise<RunningTree & { exit: Ended }> {
  const tree = startTree(t, files, options);
  return Object.assign(tree, { exit: await tree.ended });
}

/** A script that sleeps, as one process. */
export const SLEEPER = '#!/bin/sh\nexec sleep 1000\n';

/** The number of a signal. */
export function number(signal: NodeJS.Signals): number {
  return constants.signals[signal];
}

/** State, parent and command of every process that /proc shows. */
export function processes(): { pid: number; ppid: number; state: string; command: string }[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid)) return [];
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      const [state = '', ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
      return [{ pid, ppid: Number(ppid), state, command }];
    } catch {
      return []; // It ended while we looked.
    }
  });
}
