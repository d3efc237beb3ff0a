/**
 * Mutants of core that no test can see, and why: file → the line, the mistake, the reason. `npm run mutants` names every other
 * survivor.
 */
export const SURVIVORS: Readonly<
  Record<string, readonly (readonly [line: string, mistake: string, why: string])[]>
> = {};
