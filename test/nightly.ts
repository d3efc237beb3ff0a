/**
 * How long properties are played. SUPERVISE_STEPS asks for at least so many steps of each walk (`npm run model`); a failure
 * tells its seed and path, and SUPERVISE_SEED and SUPERVISE_PATH play that one again.
 */
import fc from 'fast-check';

const { SUPERVISE_STEPS, SUPERVISE_SEED, SUPERVISE_PATH } = process.env;

/** A failure that is played again is made as small as it can be, which takes a while. */
export const SHRINKS = SUPERVISE_SEED !== undefined;

if (SUPERVISE_SEED !== undefined)
  fc.configureGlobal({
    seed: Number(SUPERVISE_SEED),
    ...(SUPERVISE_PATH === undefined ? {} : { path: SUPERVISE_PATH }),
  });

/**
 * How many runs of a property.
 * @param quick in `npm test`
 * @param stepsEach how many steps one run has
 */
export function runs(quick: number, stepsEach = 1): number {
  return Math.max(quick, Math.ceil(Number(SUPERVISE_STEPS ?? 0) / stepsEach));
}
