import { UserError } from '../errors.ts';
import type { Print } from './control.ts';
export async function completion(shell: string, _print: Print): Promise<number> {
  throw new UserError(`cannot complete in "${shell}"`);
}
