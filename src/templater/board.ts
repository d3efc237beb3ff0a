import type { RenderedFile, Report } from '../core/link.ts';
import { generationOf } from './write.ts';

/** How the templates of one service stand. */
export interface Standing {
  /** What is in place; undefined until every template of the service has been. */
  files: RenderedFile[] | undefined;
  /** What is lacking, in words; empty when all is well. */
  missing: string[];
  /** What is gone from the source and still has its last value here, in words. */
  kept: string[];
  /** The files that the service was well on before are kept. */
  canGoBack: boolean;
  /** Half of a generation had been in place. */
  mended: boolean;
  /** While `files` is undefined: what there is from before, where that is something for every template. */
  stale: RenderedFile[] | undefined;
}

export interface Board {
  /** Reports what is new about a service. */
  tell(service: string, standing: Standing): void;
  /** Has everything told again: the tree may have forgotten a service in the meantime. */
  forget(): void;
}

/** A report has room for no more, and nobody would read it. */
const MOST_MISSING = 20;
const MOST_WORDS = 1000;
const NONE = '[]';

/**
 * Turns standings into reports, and says nothing twice. Reports are levels: the tree compares the files of `rendered`
 * with those that the service last started on. So a template that fails later does not hold back its neighbours: the
 * files are reported as they are, its own with its last good content, and `waiting` behind it says what is wrong.
 */
export function createBoard(report: (report: Report) => void): Board {
  const told = new Map<string, { files: string; missing: string; kept: string }>();
  return {
    tell(service, { files, missing: all, kept: allKept, canGoBack, mended, stale }) {
      const missing = inShort(all);
      const kept = inShort(allKept);
      const before = told.get(service) ?? { files: '', missing: NONE, kept: NONE };
      const now = {
        files: files ? JSON.stringify(files) : before.files,
        missing: JSON.stringify(missing),
        kept: JSON.stringify(kept),
      };
      told.set(service, now);
      const cleared = missing.length === 0 && before.missing !== NONE;
      const rendered = files !== undefined && (now.files !== before.files || cleared || mended);
      if (rendered)
        report({
          type: 'rendered',
          service,
          files,
          generation: generationOf(files),
          canGoBack,
          ...(mended ? { mended } : {}),
        });
      if (missing.length > 0 && (rendered || now.missing !== before.missing))
        report({
          type: 'waiting',
          service,
          missing,
          ...(files || !stale ? {} : { stale: { generation: generationOf(stale), files: stale } }),
        });
      if (now.kept !== before.kept) report({ type: 'kept', service, kept });
    },
    forget() {
      // What was told of as kept may be so no more, and is to be told either way.
      for (const service of told.keys()) told.set(service, { files: '', missing: NONE, kept: '' });
    },
  };
}

function inShort(missing: readonly string[]): string[] {
  const some = missing
    .slice(0, MOST_MISSING)
    .map((words) => (words.length > MOST_WORDS ? `${words.slice(0, MOST_WORDS)} …` : words));
  const others = missing.length - some.length;
  return others > 0 ? [...some, `and ${others} more`] : some;
}
