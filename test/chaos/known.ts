/**
 * What is known to be wrong, and counted instead of held against the program. An entry is taken away with its cause; the
 * aim is none.
 */
export const KNOWN: ReadonlySet<'a death by a real-time signal is told as exit 0'> = new Set();
