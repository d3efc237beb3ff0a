/** Where it all happens: a directory of the run's own, and all that is started in it, which is gone in the end, come what may. */
import { type ChildProcess, type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { chmodSync, constants, copyFileSync, mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { NODE, writeFiles } from '../tree.ts';
import { Bell } from './bell.ts';
import { Life } from './life.ts';
import type { Command, Peer, Service } from './peers/peer.ts';
import { withEnvironment } from './proc.ts';

/** By this we know our own: services are in sessions of their own, some supervisors forget them. */
const MARK = 'SUPERVISE_BENCH';
const MEMORY = '/dev/shm';
const ROOM = 2e9;

export class Stage {
  readonly directory: string;
  readonly #run = `${process.pid}-${Date.now()}`;
  readonly #nodes = new Map<string, string>();
  #count = 0;

  constructor() {
    // In memory, so that no disk is measured.
    const parent = process.env['TMPDIR'] === undefined && isFit(MEMORY) ? MEMORY : tmpdir();
    this.directory = mkdtempSync(join(parent, 'supervise-bench-'));
  }

  /** An empty directory. */
  place(): string {
    const path = join(this.directory, String(++this.#count));
    mkdirSync(path);
    return path;
  }

  /** A supervisor with these services; its files are made before the clock runs. */
  start(peer: Peer, services: readonly Service[], node = NODE): Life {
    const directory = this.place();
    const bell = new Bell(join(directory, 'bell'));
    const command = peer.lay(directory, services, node);
    const started = performance.now();
    const child = this.spawn(command, { directory, bell, node });
    return new Life({
      started,
      child,
      bell,
      services: services.length,
      stopSignal: peer.stopSignal,
      discard: () => this.discard(directory),
    });
  }

  /** Starts a program in a process group of its own. It holds the bell, if there is one. */
  spawn(
    { argv: [file, ...args], env }: Command,
    {
      directory,
      bell,
      node = NODE,
      stdio,
    }: { directory: string; bell?: Bell; node?: string; stdio?: StdioOptions },
  ): ChildProcess {
    return spawn(file, args, {
      cwd: directory,
      env: {
        PATH: `${dirname(node)}:${process.env['PATH']}`,
        HOME: directory,
        [MARK]: `${this.#run}:${directory}:`,
        ...(bell && { BELL: bell.path }),
        ...env,
      },
      detached: true,
      stdio: stdio ?? ['ignore', 'ignore', 'ignore', ...(bell ? [bell.fd] : [])],
    });
  }

  /**
   * A copy of Node that nobody else runs, one per name. What is in memory once for several processes counts in parts for each, so
   * that other Nodes on this machine would make ours look smaller.
   */
  ownNode(name: string): string {
    let path = this.#nodes.get(name);
    if (path === undefined) {
      path = join(this.place(), 'node');
      copyFileSync(NODE, path, constants.COPYFILE_FICLONE);
      chmodSync(path, 0o755);
      this.#nodes.set(name, path);
    }
    return path;
  }

  /** Ends what was started in this directory and removes it. */
  discard(directory: string): void {
    end(`${MARK}=${this.#run}:${directory}:`);
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Ends all that was started. */
  close(): void {
    end(`${MARK}=${this.#run}:`);
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Whether there is room for what we put there, and programs may be run from there: containers' own often has neither. */
function isFit(directory: string): boolean {
  let place: string | undefined;
  try {
    const { bavail, bsize } = statfsSync(directory);
    if (bavail * bsize < ROOM) return false;
    place = mkdtempSync(join(directory, 'supervise-bench-'));
    writeFiles(place, { script: '#!/bin/sh\n' });
    return spawnSync(join(place, 'script')).status === 0;
  } catch {
    return false;
  } finally {
    if (place !== undefined) rmSync(place, { recursive: true });
  }
}

/** SIGKILL to all of this mark until there are none: one that was being started is found at the next look. */
function end(mark: string): void {
  for (let pids = withEnvironment(mark); pids.length > 0; pids = withEnvironment(mark))
    for (const pid of pids)
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It was quicker.
      }
}
