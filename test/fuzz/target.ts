import fc from 'fast-check';
import { tellApart } from './oracle.ts';
import type { Watchdog } from './watchdog.ts';

/** Something that takes what strangers write. */
export interface Target<Case> {
  /** What is attacked, in a line. */
  about: string;
  cases: fc.Arbitrary<Case>;
  open(): Promise<Attack<Case>>;
}

export interface Attack<Case> {
  /**
   * Does it once.
   * @returns what came of it, in words: the same for the same case
   * @throws what the product throws: a refusal in its own words is as good as an answer
   */
  act(input: Case): Promise<string>;
  /** Looks at what no single case shows. @throws Error when it is not as it must be */
  check?(): Promise<void>;
  close(): Promise<void>;
}

export interface Budget {
  seed: number;
  seconds: number;
  /** Cases at the most. */
  cases?: number;
  /** Of fast-check: the one case to be run again, as it was reported. */
  path?: string;
}

export interface Tally {
  cases: number;
  refused: number;
  seconds: number;
}

/** What a case may add to our memory, in bytes. */
const MOST_GROWTH = 1_000_000_000;

/**
 * Attacks a target for so long. Each case is done twice, and must come to the same.
 * @throws Error that names the seed and the least case that broke it
 */
export async function attack<Case>(
  target: Target<Case>,
  { seed, seconds, cases = Number.MAX_SAFE_INTEGER, path }: Budget,
  watchdog: Watchdog,
): Promise<Tally> {
  const started = performance.now();
  const tally: Tally = { cases: 0, refused: 0, seconds: 0 };
  const { act, check, close } = await target.open();
  const pristine = prototypes();
  const once = async (input: Case): Promise<string> => {
    try {
      return `did: ${await act(input)}`;
    } catch (error) {
      return `refused: ${tellApart(error)}`;
    }
  };
  try {
    const property = fc.asyncProperty(target.cases, async (input) => {
      const before = process.memoryUsage.rss();
      watchdog.feed(`case ${tally.cases + 1} of seed ${seed}`);
      const outcome = await once(input);
      const again = await once(input);
      // How far it gets in its time is as the machine is.
      const isLate = [outcome, again].some((words) => words.includes('it took longer than'));
      if (again !== outcome && !isLate) throw new Error(`not the same twice:\n  ${outcome}\n  ${again}`);
      if (prototypes() !== pristine) throw new Error('a prototype was changed');
      const growth = process.memoryUsage.rss() - before;
      if (growth > MOST_GROWTH) throw new Error(`it took ${Math.round(growth / 1e6)} MB`);
      tally.cases++;
      if (outcome.startsWith('refused')) tally.refused++;
    });
    const details = await fc.check(property, {
      seed,
      numRuns: cases,
      interruptAfterTimeLimit: seconds * 1000,
      ...(path === undefined ? {} : { path, endOnFailure: true }),
    });
    if (details.failed && details.counterexample !== null)
      throw new Error(
        `seed ${details.seed}, path ${details.counterexamplePath}, after ${details.numRuns} cases: ${messageOf(details.errorInstance)}\nthe least case: ${fc.stringify(details.counterexample).slice(0, 4000)}`,
      );
    await check?.();
  } finally {
    watchdog.rest();
    await close();
  }
  tally.seconds = (performance.now() - started) / 1000;
  return tally;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncause: ${messageOf(error.cause)}`;
  return (error.stack ?? error.message) + cause;
}

/** The names that every object has. */
function prototypes(): string {
  return [Object, Array, Function, String, Number, Map, Promise, Buffer]
    .map(({ prototype }) => Object.getOwnPropertyNames(prototype).join())
    .join(';');
}
