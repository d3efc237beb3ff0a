/**
 * Mutants of core that no test can see, and why: file → the line, the mistake, the reason. `npm run mutants` names every other
 * survivor.
 */
export const SURVIVORS: Readonly<Record<string, readonly Survivor[]>> = {
  'core/order.ts': [
    [
      'if (candidate && candidate.sum > (below?.sum ?? -1)) below = candidate;',
      'candidate.sum > (below?.sum ?? -1) → candidate.sum >= (below?.sum ?? -1)',
      'of two ways of one length either is the longest',
    ],
    [
      'if (candidate && candidate.sum > (below?.sum ?? -1)) below = candidate;',
      '1 → 2',
      'no way takes less than no time',
    ],
  ],
  'core/stop-budget.ts': [
    ['if (left <= 0) return 0;', 'left <= 0 → left < 0', 'of nothing the cap is nothing'],
    [
      'if (time > cap) break;',
      'time > cap → time >= cap',
      'who asks for exactly its share leaves the same share to the others',
    ],
  ],
};

type Survivor = readonly [line: string, mistake: string, why: string];
