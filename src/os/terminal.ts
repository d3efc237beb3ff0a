import { isatty } from 'node:tty';
import { statFields } from './proc.ts';

/**
 * Our process group, where it has the terminal on stdin in its foreground: only then may we hand that on. Undefined
 * where there is no terminal, or we are in its background.
 */
export function foregroundGroup(): number | undefined {
  if (!isatty(0)) return undefined;
  const [, , group, , , foreground] = (statFields('self') ?? []).map(Number);
  return group !== undefined && group === foreground ? group : undefined;
}
