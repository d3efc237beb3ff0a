import { readFileSync } from 'node:fs';
import { isatty } from 'node:tty';

/**
 * Our process group, where it has the terminal on stdin in its foreground: only then may we hand that on. Undefined
 * where there is no terminal, or we are in its background.
 */
export function foregroundGroup(): number | undefined {
  if (!isatty(0)) return undefined;
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    // proc(5): state, ppid, pgrp, session, tty_nr, tpgid, after the name in parentheses.
    const [, , group, , , foreground] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    return group !== undefined && group === foreground ? group : undefined;
  } catch {
    return undefined;
  }
}
