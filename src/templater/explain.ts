import { columns } from '../core/columns.ts';
import { formatDuration, type Ms } from '../core/duration.ts';
import { printable } from '../core/printable.ts';
import { type Job, lacks } from './job.ts';
import type { QueryState, SourceState } from './source/source.ts';

/** How the templates stand: what `--explain` shows, and `--json` prints as it is. */
export interface Explanation {
  source: SourceState;
  templates: TemplateState[];
}

export interface TemplateState {
  template: string;
  /** Undefined where its settings cannot be read. */
  dest: string | undefined;
  /** What it cannot be rendered without, in words; empty when it can. */
  missing: string[];
  queries: QueryState[];
}

/** Puts together what the templates ask and how their queries stand. */
export function explain(
  name: string,
  { awaySince, cause }: SourceState,
  jobs: readonly Job[],
  states: readonly QueryState[],
): Explanation {
  const byWords = new Map(states.map((state) => [state.query, state]));
  return {
    source: { name, awaySince, cause },
    templates: jobs.map((job) => ({
      template: job.template.file,
      dest: job.template.settings?.dest,
      missing: lacks(job),
      queries: [...job.used.keys()].sort().map((query) => byWords.get(query) ?? { ...UNKNOWN, query }),
    })),
  };
}

/** A source that does not say. */
const UNKNOWN: Omit<QueryState, 'query'> = {
  index: null,
  changedAt: null,
  answeredAt: null,
  problem: null,
  nextTryAt: null,
  connection: 'own',
  sharedWith: null,
};

/** An explanation as people read it. */
export function explanationText({ source, templates }: Explanation, now: Ms): string {
  const lines = [
    source.awaySince === null
      ? `source: ${source.name}`
      : `source: ${source.name}, away for ${formatDuration(now - source.awaySince)}: ${source.cause}`,
  ];
  for (const { template, dest, missing, queries } of templates) {
    lines.push('', `${template}${dest === undefined ? '' : ` → ${dest}`}`);
    for (const each of missing) lines.push(`  lacks ${each}`);
    if (queries.length > 0)
      lines.push(...columns([HEAD, ...queries.map((query) => row(query, now))], { indent: '  ' }));
  }
  return `${lines.map(printable).join('\n')}\n`;
}

const HEAD = ['QUERY', 'INDEX', 'CHANGED', 'ANSWERED', 'CONNECTION', 'NEXT TRY'];

function row(state: QueryState, now: Ms): string[] {
  const ago = (at: Ms | null): string =>
    at === null ? 'never' : `${formatDuration(Math.max(0, now - at))} ago`;
  const next =
    state.nextTryAt === null ? 'on a change' : `in ${formatDuration(Math.max(0, state.nextTryAt - now))}`;
  return [
    state.query,
    state.index ?? '-',
    ago(state.changedAt),
    ago(state.answeredAt),
    state.sharedWith === null ? state.connection : `part of ${state.sharedWith}`,
    state.problem === null ? next : `${next}: ${state.problem}`,
  ];
}
