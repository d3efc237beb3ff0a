import { didYouMean } from '../errors.ts';

/** What services and hooks get from us beside what help says; a tree within a tree inherits it. */
const HANDED_DOWN = ['SUPERVISE_LINK_FD'];

/**
 * Variables that bear our name and are none of ours: typing mistakes, as a rule.
 * @returns each, with the one that it was most likely meant to be
 */
export function unknownVariables(
  names: Iterable<string>,
  known: readonly string[],
): { name: string; near: string | undefined }[] {
  const all = [...known, ...HANDED_DOWN];
  return [...names]
    .filter((name) => name.startsWith('SUPERVISE_') && !all.includes(name))
    .sort()
    .map((name) => ({ name, near: didYouMean(name, known) }));
}
