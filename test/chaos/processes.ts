/** What /proc tells of processes, cheaply: it is looked at many times a second. */
import { readdirSync, readFileSync } from 'node:fs';

export interface Process {
  pid: number;
  ppid: number;
  pgid: number;
  state: string;
  /** In ticks since the boot; with the pid it tells a process from every other. */
  startedAt: string;
}

export function processes(): Process[] {
  return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (processOf(Number(name)) ?? []) : []));
}

export function processOf(pid: number): Process | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [state = '', ppid, pgid] = fields;
    return { pid, ppid: Number(ppid), pgid: Number(pgid), state, startedAt: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

/** All that descends from one, itself not among them; zombies too. */
export function descendantsOf(root: number, all: readonly Process[] = processes()): Process[] {
  const children = new Map<number, Process[]>();
  for (const each of all) children.set(each.ppid, [...(children.get(each.ppid) ?? []), each]);
  const found: Process[] = [];
  const todo = [root];
  for (let pid = todo.pop(); pid !== undefined; pid = todo.pop())
    for (const child of children.get(pid) ?? []) {
      found.push(child);
      todo.push(child.pid);
    }
  return found;
}

/** Its pid in the innermost namespace that it is in. */
export function innerPid(pid: number): number | undefined {
  try {
    const line = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return line === undefined ? undefined : Number(line.split('\t').at(-1));
  } catch {
    return undefined;
  }
}

export function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

/** Of /proc/PID/status: `VmRSS`, `SigCgt` … */
export function statusOf(pid: number, field: string): string | undefined {
  try {
    return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  } catch {
    return undefined;
  }
}

/** It waits for something to happen, and for nothing else: a Node that starts a process waits for that. */
export function isIdle(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/wchan`, 'latin1').includes('epoll');
  } catch {
    return false;
  }
}

/** What its descriptors lead to. */
export function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return 0;
  }
}

/** @returns whether there was somebody to get it */
export function kill(target: number, signal: number): boolean {
  try {
    return process.kill(target, signal);
  } catch {
    return false;
  }
}
