/** What /proc says of processes. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Memory {
  rss: number;
  pss: number;
  /** What is no file's: heaps and stacks. */
  private: number;
}

/** kB of these processes together. */
export function memoryOf(pids: readonly number[]): Memory {
  const sum = { rss: 0, pss: 0, private: 0 };
  for (const pid of pids) {
    const rollup = read(`/proc/${pid}/smaps_rollup`);
    const kB = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0);
    sum.rss += kB('Rss');
    sum.pss += kB('Pss');
    sum.private += kB('Pss_Anon');
  }
  return sum;
}

/** Times that a thread of these processes slept and was woken. */
export function wakeupsOf(pids: readonly number[]): number {
  return sumOfThreads(pids, (task) =>
    Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(read(`${task}/status`))?.[1] ?? 0),
  );
}

/** CPU time of these processes' threads, ms. */
export function cpuOf(pids: readonly number[]): number {
  return sumOfThreads(pids, (task) => Number(read(`${task}/schedstat`).split(' ')[0])) / 1e6;
}

/** A supervisor and what it runs for itself: all below it but the services and what is below those. */
export function supervising(root: number, services: readonly number[]): number[] {
  const out = new Set(services);
  return below(root, ({ pid }) => !out.has(pid)).map(({ pid }) => pid);
}

export interface Process {
  pid: number;
  parent: number;
  state: string;
}

/** This process and all below it, parents first. Nothing is looked for below one that `isWanted` refuses. */
export function below(root: number, isWanted: (process: Process) => boolean = () => true): Process[] {
  const children = new Map<number, Process[]>();
  const found: Process[] = [];
  for (const name of readdirSync('/proc')) {
    const process = processOf(Number(name));
    if (process === undefined) continue;
    const siblings = children.get(process.parent);
    if (siblings) siblings.push(process);
    else children.set(process.parent, [process]);
    if (process.pid === root) found.push(process);
  }
  for (const { pid } of found) found.push(...(children.get(pid) ?? []).filter(isWanted));
  return found;
}

/** The processes that have an entry (`NAME=value`) of this beginning in the environment they were executed with. */
export function withEnvironment(beginning: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && `\0${read(`/proc/${name}/environ`)}`.includes(`\0${beginning}`))
    .map(Number);
}

function sumOfThreads(pids: readonly number[], of: (task: string) => number): number {
  let sum = 0;
  for (const pid of pids)
    for (const task of directory(`/proc/${pid}/task`)) sum += of(`/proc/${pid}/task/${task}`);
  return sum;
}

function processOf(pid: number): Process | undefined {
  const stat = Number.isInteger(pid) ? read(`/proc/${pid}/stat`) : '';
  if (stat === '') return undefined;
  const [state = '', parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { pid, parent: Number(parent), state };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // It ended while we looked, or is none of ours.
  }
}

function directory(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
