import { fstatSync } from 'node:fs';
import { statFields } from './proc.ts';

/** /dev/null and its like, by the major number of the device. */
const MEMORY_DEVICES = 1;

/** Whether a descriptor is a terminal. In most containers none is, and node:tty brings all of node:net along: 3 ms. */
export function isTerminal(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    if (!stat.isCharacterDevice() || stat.rdev >> 8 === MEMORY_DEVICES) return false;
  } catch {
    return false;
  }
  return process.getBuiltinModule('node:tty').isatty(fd);
}

/**
 * Our process group, where it has the terminal on stdin in its foreground: only then may we hand that on. Undefined
 * where there is no terminal, or we are in its background.
 */
export function foregroundGroup(): number | undefined {
  if (!isTerminal(0)) return undefined;
  const [, , group, , , foreground] = (statFields('self') ?? []).map(Number);
  return group !== undefined && group === foreground ? group : undefined;
}
