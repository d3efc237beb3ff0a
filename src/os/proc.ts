import { readFileSync } from 'node:fs';

/**
 * The fields of /proc/PID/stat from the state on: state, ppid, pgrp, session, tty_nr, tpgid … (proc(5)). The name before
 * them is in parentheses and may hold anything. Undefined where there is no such process, or no /proc.
 */
export function statFields(pid: number | 'self'): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** A field of our own /proc/self/status, such as `CapEff`. */
export function statusField(name: string): string | undefined {
  try {
    return new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
  } catch {
    return undefined;
  }
}
