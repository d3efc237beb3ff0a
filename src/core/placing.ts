/** What the templater does next with the files of one service: the counterpart of core/rollout.ts, which knows how the service fares. */
import type { Judgement } from './link.ts';

/** How the files of one service stand. */
export interface Standing {
  /** The generation whose content is in place. */
  inPlace: string;
  /** The generation that the templates and values now make; undefined while that is not known. */
  candidate: string | undefined;
  /** The generation that is kept: what was in place when the service was last well; undefined where none is. */
  previous: string | undefined;
  /** They could not be put back the last time that was tried. */
  isStuck: boolean;
  /** What the tree last said; undefined where there is no tree, or it does not know the service. */
  judgement: Judgement | undefined;
}

export type Move =
  /** Put the candidate in place. */
  | 'place'
  /** Put the previous files back. */
  | 'take back'
  /** The previous files serve no more. */
  | 'forget'
  /** Keep the candidate out until the tree says more. */
  | 'wait'
  /** Keep it out until it is another. */
  | 'refuse'
  /** All is as it should be. */
  | 'rest';

export function nextMove({ inPlace, candidate, previous, isStuck, judgement }: Standing): Move {
  const isOther = candidate !== undefined && candidate !== inPlace;
  const hasPrevious = previous !== undefined;
  if (!judgement || judgement.seen === null) {
    // Nobody runs on these files yet, or nobody judges.
    if (isOther) return 'place';
    return hasPrevious ? 'forget' : 'rest';
  }
  if (hasPrevious && !isStuck && judgement.bad.includes(inPlace)) return 'take back';
  if (hasPrevious && judgement.good === inPlace) return 'forget';
  if (!isOther) return 'rest';
  if (judgement.bad.includes(candidate)) return 'refuse';
  // Until the tree has seen what is in place, it may well want to judge it.
  if (judgement.hold || judgement.seen !== inPlace) return 'wait';
  return candidate === previous && !isStuck ? 'take back' : 'place';
}
