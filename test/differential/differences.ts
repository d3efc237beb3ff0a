/** What is other than with s6, and meant. README has the list (test/readme.ts), and a difference that is not in it is a mistake. */
import type { Difference } from './compare.ts';
import type { ServicePlan, TreePlan } from './plan.ts';

export interface MeantDifference {
  name: string;
  /** What s6 does, and what we do; for README. */
  s6: string;
  ours: string;
  /** Whether this explains what was seen. */
  covers: (difference: Difference, plan: TreePlan, service: ServicePlan | undefined) => boolean;
}

export const DIFFERENCES: readonly MeantDifference[] = [
  {
    name: 'finish’s $4',
    s6: 'three arguments before 2.12',
    ours: 'four: the process group of the dead run is the last',
    covers: ({ of, s6, ours }) => of === 'line' && s6.startsWith('finish ') && ours === `${s6} <group>`,
  },
  {
    name: 'the tree’s finish',
    s6: '`.s6-svscan/finish` has no arguments, and its exit code is the scanner’s',
    ours: 'why, exit code so far, who; its code is ours if it is not 0',
    covers: ({ of, at, s6, ours }) =>
      of === 'hooks' &&
      at.startsWith('stop: ') &&
      /^hook finish (signal|stop) \d+ \w*; $/.test(ours) &&
      s6 === 'hook finish ; ',
  },
];
