/**
 * Holds mutants against tests, one after the other, in one process: each gets modules of its own, by a query behind their
 * addresses, so that nothing is written anywhere. Told what to do by mutants.ts, which ends us when a mutant never ends.
 */
import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';

/** A mistake, and the tests that may see it. */
export interface Trial {
  id: number;
  /** Absolute path of the file, and the text that stands in for it. */
  path: string;
  text: string;
  /** Absolute paths. */
  tests: readonly string[];
}

/** How one went; `seenBy`: the first failure. */
export interface Verdict {
  id: number;
  survived: boolean;
}

const AT_ONCE = new URL('./at-once.ts', import.meta.url).href;
const OURS = new URL('../../', import.meta.url).href;

/** All throw the same dice, and nobody wants a small example. */
fc.configureGlobal({ seed: 42, endOnFailure: true });
let trial: Trial | undefined;

registerHooks({
  resolve(specifier, context, next) {
    const mark = /\?trial=\d+$/.exec(context.parentURL ?? '')?.[0];
    if (mark && specifier === 'node:test') return { url: AT_ONCE, shortCircuit: true };
    const found = next(specifier, context);
    const isOurs = found.url.startsWith(OURS) && !found.url.includes('/node_modules/');
    return mark && isOurs ? { ...found, url: `${found.url}${mark}` } : found;
  },
  load(url, context, next) {
    const isMutant = trial && url === markedUrl(trial.path, trial);
    return isMutant
      ? { format: 'module-typescript', source: trial?.text ?? '', shortCircuit: true }
      : next(url, context);
  },
});

process.on('message', async (next: Trial) => {
  trial = next;
  let survived = true;
  try {
    for (const test of next.tests) await import(markedUrl(test, next));
  } catch {
    survived = false;
  }
  process.send?.({ id: next.id, survived } satisfies Verdict);
});

function markedUrl(path: string, { id }: Trial): string {
  return `${pathToFileURL(path).href}?trial=${id}`;
}
