/** Where two traces of one plan differ, and which of these differences are meant. */
import { DIFFERENCES } from './differences.ts';
import type { ServicePlan, Step, TreePlan } from './plan.ts';
import { LATE, type ServiceTrace, type Took, type Trace } from './play.ts';

/** One thing that is other with ours than with s6. */
export interface Difference {
  /** `lines`: not as many, or too different to be held against each other one by one. */
  of: 'line' | 'lines' | 'is' | 'left' | 'fact' | 'logger' | 'hooks' | 'exit';
  /** The service's place in the plan; undefined for the tree's own. */
  service: number | undefined;
  /** The step in words, or the fact's name. */
  at: string;
  /** The steps up to this one, with it. */
  steps: readonly Step[];
  s6: string;
  ours: string;
  /** What the service was before the step, by s6. */
  was: string;
}

export interface Compared {
  /** Names of meant differences that were seen. */
  meant: string[];
  unlisted: Difference[];
  /** Services whose later steps were not held against each other, since a meant difference had led them apart. */
  cut: number;
}

export function compare(plan: TreePlan, s6: Trace, ours: Trace): Compared {
  const result: Compared = { meant: [], unlisted: [], cut: 0 };
  const whose = ({ service }: Difference): ServicePlan | undefined =>
    service === undefined ? undefined : plan.services[service];
  /** Returns whether it was meant. */
  const judge = (difference: Difference): boolean => {
    const found = DIFFERENCES.find(({ covers }) => covers(difference, plan, whose(difference)));
    if (found) result.meant.push(found.name);
    else result.unlisted.push(difference);
    return found !== undefined;
  };
  for (const index of plan.services.keys()) {
    const [theirs, own] = [s6.services[index], ours.services[index]];
    if (theirs && own) compareServices(index, plan, theirs, own, judge, result);
  }
  const tree = { service: undefined, steps: [], was: '' };
  // What a signal led apart stays apart.
  const [hooks, exits] = [
    [s6.hooks, ours.hooks],
    [s6.exit, ours.exit],
  ] as const;
  const [theirHooks, ownHooks] = hooks.map((lines) => lines.join('; ')) as [string, string];
  if (theirHooks !== ownHooks)
    for (const difference of hooksApart(hooks[0], hooks[1])) judge({ ...tree, of: 'hooks', ...difference });
  if (exits[0] !== exits[1]) judge({ ...tree, of: 'exit', at: plan.stop, s6: exits[0], ours: exits[1] });
  return result;
}

function compareServices(
  service: number,
  plan: TreePlan,
  s6: ServiceTrace,
  ours: ServiceTrace,
  judge: (difference: Difference) => boolean,
  result: Compared,
): void {
  const all = plan.services[service]?.steps ?? [];
  let isCut = false;
  let was = '';
  for (const [i, theirs] of s6.steps.entries()) {
    const own = ours.steps[i];
    if (!own || own.step !== theirs.step || own.step === LATE) {
      // Only what is known to be apart already can take other steps.
      result.cut++;
      isCut = true;
      break;
    }
    const steps = all.slice(0, theirs.after + 1);
    const differences = apart(theirs, own).map((each) => ({ ...each, service, steps, was, at: theirs.step }));
    const known = differences.map(judge);
    was = theirs.is;
    if (differences.some(({ of }) => of === 'lines' || of === 'is')) {
      if (known.every(Boolean)) result.cut++;
      isCut = true;
      break;
    }
  }
  // One that never ran was not given anything.
  for (const [at, theirs] of Object.entries(s6.facts)) {
    const own = ours.facts[at];
    if (own !== undefined && theirs !== own)
      judge({ of: 'fact', service, at, steps: [], was: '', s6: theirs, ours: own });
  }
  // One that ended is started again some time later, before or after the end of the tree.
  const isSteady = plan.services[service]?.logger?.first.length === 0 && !isCut;
  const loggers = [s6.logger, ours.logger].map((lines) =>
    (isSteady ? lines : lines.slice(0, 1)).join('; '),
  ) as [string, string];
  if (loggers[0] !== loggers[1])
    judge({ of: 'logger', service, at: 'log', steps: all, was: '', s6: loggers[0], ours: loggers[1] });
}

type Apart = Pick<Difference, 'of' | 's6' | 'ours'>;

function apart(s6: Took, ours: Took): Apart[] {
  const found: Apart[] = [];
  const kinds = (lines: readonly string[]): string => lines.map((line) => line.split(' ')[0]).join(' ');
  if (kinds(s6.lines) !== kinds(ours.lines))
    found.push({ of: 'lines', s6: s6.lines.join('; '), ours: ours.lines.join('; ') });
  else
    for (const [i, line] of s6.lines.entries())
      if (line !== ours.lines[i]) found.push({ of: 'line', s6: line, ours: ours.lines[i] ?? '' });
  if (s6.is !== ours.is) found.push({ of: 'is', s6: s6.is, ours: ours.is });
  const [theirs, own] = [s6.left.join(' '), ours.left.join(' ')];
  if (theirs !== own) found.push({ of: 'left', s6: theirs, ours: own });
  return found;
}

/** Signal by signal. */
function hooksApart(
  s6: readonly string[],
  ours: readonly string[],
): Pick<Difference, 'at' | 's6' | 'ours'>[] {
  const parts = (lines: readonly string[]): Map<string, string> => {
    const found = new Map<string, string>();
    let at = '';
    let count = 0;
    for (const line of lines) {
      // Crash hooks run beside all else, in no order.
      if (line.startsWith('hook crash ')) found.set('crash', 'hook crash; ');
      else if (line.startsWith('hook ')) found.set(at, `${found.get(at) ?? ''}${line}; `);
      else {
        at = `${line} (${count++})`;
        found.set(at, '');
      }
    }
    return found;
  };
  const [theirs, own] = [parts(s6), parts(ours)];
  return [...new Set([...theirs.keys(), ...own.keys()])].flatMap((at) => {
    const [a = '', b = ''] = [theirs.get(at), own.get(at)];
    return a === b ? [] : [{ at, s6: a, ours: b }];
  });
}
