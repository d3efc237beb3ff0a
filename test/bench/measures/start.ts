import type { Bench } from '../context.ts';
import { live } from '../lives.ts';

/** (1) exec of the supervisor → the first line of `run` of the last service. */
export async function start(bench: Bench): Promise<void> {
  await live(bench);
}
