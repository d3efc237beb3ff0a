/** What is printed at the end. */
import type { EventRecord } from '../../src/control/protocol.ts';
import type { Step, Verdicts, Violation } from './verdicts.ts';

const LAST_STEPS = 40;

export interface Figures {
  slowestReturn: number;
  slowestStop: number;
  slowestAnswer: number;
  trees: number;
  calms: number;
  mostRss: number;
}

export function report({ faults, checks, known, steps }: Verdicts, figures: Figures): string {
  const { slowestReturn, slowestStop, slowestAnswer, trees, calms, mostRss } = figures;
  return [
    `\n${steps.length} steps, ${trees} trees, ${calms} calms`,
    ...table('faults', faults),
    ...table('checks', checks),
    ...(known.size > 0 ? table('known to be wrong', known) : []),
    '\nfigures',
    `  slowest answer ${ms(slowestAnswer)}, slowest stop of a tree ${ms(slowestStop)}, all well again after at most ${ms(slowestReturn)}`,
    `  most memory of PID 1 ${Math.round(mostRss / 1024)} MB`,
  ].join('\n');
}

/** All that is needed to see how it came to that. */
export function reportViolation(
  seed: number,
  { invariant, expected, seen, step }: Violation,
  steps: readonly Step[],
  events: readonly EventRecord[],
  directory: string,
): string {
  return [
    `\nBROKEN: ${invariant} (seed ${seed}, step ${step})`,
    `  expected: ${expected}`,
    `  seen:     ${seen}`,
    '\nthe steps before that',
    ...steps.slice(-LAST_STEPS).map((each) => `  ${each.step} +${each.at} ms ${each.fault}: ${each.what}`),
    '\nthe last events',
    ...events.map(
      (each) =>
        `  ${each.seq} ${each.level} ${each.service ?? '-'} ${each.event} ${JSON.stringify(each.fields)}`,
    ),
    `\nkept: ${directory}`,
  ].join('\n');
}

function table(title: string, counts: ReadonlyMap<string, number>): string[] {
  const rows = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const width = Math.max(...rows.map(([name]) => name.length), 0);
  return [
    `\n${title}`,
    ...rows.map(([name, count]) => `  ${name.padEnd(width)} ${String(count).padStart(8)}`),
  ];
}

function ms(value: number): string {
  return `${Math.round(value)} ms`;
}
