import type { End, TreePlan } from './plan.ts';
import { SIGNALS } from './supervisors.ts';

/** What of a tree is worth counting. */
export function featuresOf(plan: TreePlan): Set<string> {
  const found = new Set<string>();
  for (const name of Object.keys(plan.hooks)) found.add(`hook: ${name}`);
  for (const signal of plan.signals) found.add(`to the scanner: ${signal}`);
  found.add(`stop: ${plan.stop}`);
  if (plan.inherits) found.add('scanner: one more descriptor');
  const end = (what: string, how: End): void => {
    found.add(
      `${what}: ${'exit' in how ? (how.exit === 125 ? 'exit 125' : how.exit === 0 ? 'exit 0' : 'exit of an error') : 'by a signal'}`,
    );
  };
  for (const { name, form, run, first, answers, finish, settings, logger, steps } of plan.services) {
    if (form !== 'directory') found.add(`directory: ${form}`);
    if (name.startsWith('.')) found.add('name: of a dot');
    else if (!/^[\w.-]+$/.test(name)) found.add('name: other than letters, digits, dots and dashes');
    if (run !== 'script') found.add(`run: ${run}`);
    for (const how of first) end('run', how);
    if (finish) found.add(finish.is === 'script' ? 'finish' : `finish: ${finish.is}`);
    for (const does of finish?.does ?? []) if (does !== 'wait') end('finish', does);
    for (const answer of Object.values(answers))
      found.add(`signal: ${typeof answer === 'number' ? 'exits' : `${answer}d`}`);
    for (const file of Object.keys(settings)) found.add(`file: ${file}`);
    if (logger) found.add('logger');
    for (const step of steps) {
      if (step.do === 'signal')
        found.add(`step: signal ${SIGNALS.includes(step.signal) ? step.signal : 'other'}`);
      else if (step.do === 'backoff') found.add(`step: ${step.order} in backoff`);
      else if (step.do === 'edit') found.add(`step: edit ${step.file}`);
      else found.add(`step: ${step.do}`);
      if (step.do === 'end') end('run', step.how);
      if (step.do === 'release') end('finish', step.how);
    }
  }
  return found;
}
