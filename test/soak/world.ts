/** Trees for the soak: each PID 1 of a namespace of its own, with a probe in it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUNDLE, type Files, NODE, processes, until, writeFiles } from '../tree.ts';
import type { Subject } from './measure.ts';

/** Not root: a user namespace gives the right to make the others. */
const NAMESPACE = [
  'unshare',
  ...(process.getuid?.() === 0 ? [] : ['-r']),
  '-pf',
  '--kill-child',
  '--mount-proc',
];
const PROBE = join(import.meta.dirname, 'probe.cjs');
const LAST_LINES = 20;

export interface World {
  /** `$OUT` of its services. */
  directory: string;
  socket: string;
  /** PID 1 and the templater. */
  subjects: Subject[];
  /** How many lines of its log were this. */
  count(msg: string): number;
  /** The last lines of its log. */
  lastWords(): string;
  /** Stops it. @returns its exit code */
  stop(): Promise<number | null>;
}

/**
 * Starts a tree of these services, and waits until all are well.
 * @param name what the table calls its processes
 * @param prepare makes what the services need beside the scandir
 */
export async function startWorld(
  name: string,
  files: Files,
  env: Record<string, string>,
  prepare: (directory: string) => void,
): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), 'supervise-soak-'));
  const [scandir, probes] = [join(directory, 'services'), join(directory, 'probes')];
  mkdirSync(scandir);
  mkdirSync(probes);
  writeFiles(scandir, files);
  prepare(directory);
  const socket = join(directory, 'control');
  const [command = '', ...args] = [...NAMESPACE, NODE, BUNDLE, scandir];
  const child = spawn(command, args, {
    cwd: directory,
    env: {
      PATH: process.env['PATH'],
      OUT: directory,
      SOAK_PROBES: probes,
      NODE_OPTIONS: `--require=${PROBE}`,
      SUPERVISE_SOCKET: socket,
      SUPERVISE_LOG_FORMAT: 'json',
      SUPERVISE_LOG_PREFIX: '1',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout?.resume();
  // A tree outlives nobody: `unshare` takes it along.
  const end = (): boolean => child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  const log = readLog(child);
  const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const stop = async (): Promise<number | null> => {
    // To the one inside; `unshare` hands no signal on.
    for (const { pid } of childrenOf(child.pid ?? 0, 'supervise')) process.kill(pid, 'SIGTERM');
    const code = await gone;
    rmSync(directory, { recursive: true, force: true });
    return code;
  };
  try {
    const wanted = Object.keys(files).filter((file) => /^[^./]+\/run$/.test(file)).length + 1;
    await until(`${wanted} services of ${name} to start`, () => {
      if (child.exitCode !== null) throw new Error(`${name} ended:\n${log.lastWords()}`);
      return log.count('started') >= wanted;
    });
    const [tree] = childrenOf(child.pid ?? 0, 'supervise');
    const [templater] = childrenOf(tree?.pid ?? 0, ' template');
    if (!tree || !templater) throw new Error(`cannot find the processes of ${name}:\n${log.lastWords()}`);
    return {
      directory,
      socket,
      subjects: [
        { name: `${name}: PID 1`, pid: tree.pid, probes },
        { name: `${name}: templater`, pid: templater.pid, probes },
      ],
      ...log,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function readLog(child: ChildProcess): Pick<World, 'count' | 'lastWords'> {
  const counts = new Map<string, number>();
  let last: string[] = [];
  let rest = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const msg = /"msg":"([^"]*)"/.exec(line)?.[1];
      if (msg !== undefined) counts.set(msg, (counts.get(msg) ?? 0) + 1);
    }
    last = [...last, ...lines].slice(-LAST_LINES);
  });
  return { count: (msg) => counts.get(msg) ?? 0, lastWords: () => last.join('\n') };
}

function childrenOf(parent: number, command: string): { pid: number }[] {
  return processes().filter(({ ppid, command: words }) => ppid === parent && words.includes(command));
}
