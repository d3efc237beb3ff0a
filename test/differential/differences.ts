/** What is other than with s6, and meant. README has the list (test/readme.ts), and a difference that is not in it is a mistake. */
import { SETTINGS } from '../../src/core/servicedir.ts';
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

/** The first that explains a difference counts. */
export const DIFFERENCES: readonly MeantDifference[] = [
  {
    name: 'names',
    s6: 'any name without a dot in front',
    ours: 'letters, digits and `._@:+,=-`; another name is refused, by name',
    covers: (_difference, _plan, service) =>
      service !== undefined && !/^[\w][\w.@:+,=-]*$/.test(service.name) && !service.name.startsWith('.'),
  },
  {
    name: 'bad values',
    s6: 'a warning, and the default',
    ours: 'that service is refused: file, value and what was expected',
    covers: (_difference, _plan, service) =>
      service !== undefined &&
      Object.entries(service.settings).some(
        ([file, text]) => SETTINGS[file] && !SETTINGS[file].read(text.trim()),
      ),
  },
  {
    name: 'less than a line on notification-fd',
    s6: '2.11 waits for the rest of it, and hears nothing else meanwhile',
    ours: 'goes on',
    covers: ({ of, steps }, { services }) =>
      (of === 'exit' ? services.flatMap((each) => each.steps) : steps).some(
        (step) => step.do === 'tell' && !step.text.includes('\n'),
      ),
  },
  {
    name: 'a finish that cannot be executed',
    s6: 'passed over in silence',
    ours: 'that service is refused, like one whose `run` cannot be executed',
    covers: (_difference, _plan, service) =>
      service?.finish !== undefined && !['script', 'link', 'missing'].includes(service.finish.is),
  },
  {
    name: 'finish’s $4',
    s6: 'three arguments before 2.12',
    ours: 'four: the last is the process group of the dead run',
    covers: ({ of, s6, ours }) => of === 'line' && s6.startsWith('finish ') && ours === `${s6} <group>`,
  },
  {
    name: 'what a run leaves in its process group',
    s6: 'left alone',
    ours: 'killed after `finish`, before the next run; at the end of the tree also what left the group',
    covers: ({ of, s6, ours }) => of === 'left' && agreeButFor(s6, ours, 'alive', 'dead'),
  },
  {
    name: 'restart',
    s6: '`s6-svc -r` sends the stop signal to what runs, without SIGCONT and `timeout-kill`; what is down, or was started once, stays down',
    ours: 'stopped as by `down`, and started, whatever it was',
    covers: ({ of, at, steps, was, s6, ours }) => {
      if (of !== 'lines' && of !== 'is') return false;
      if (!steps.some((step) => step.do === 'restart' || (step.do === 'backoff' && step.order === 'restart')))
        return false;
      if (of === 'is') return at === 'restart' || ['down', 'finishing'].includes(s6);
      return (at === 'restart' && was !== 'finishing' && further(s6, ours) !== '') || isFurtherRun(s6, ours);
    },
  },
  {
    name: 'once, of what is told to stop, or whose finish runs',
    s6: 'it stays down after that',
    ours: 'started after that',
    covers: ({ of, steps, was, s6, ours }) =>
      steps.some((step) => step.do === 'once') &&
      (was === 'finishing' || steps.some((step) => step.do === 'down')) &&
      (of === 'is' ? s6 === 'down' : of === 'lines' && isFurtherRun(s6, ours)),
  },
  {
    name: 'told to stop again',
    s6: 'each `s6-svc -d` and `-r`, each rescan of what is gone, and the scanner’s end send the stop signal, all but `-r` with SIGCONT',
    ours: 'both are sent once; who was halted after that is killed in time',
    covers: ({ of, at, steps, s6, ours }) => {
      if (of !== 'lines' && of !== 'line') return false;
      if (!['down', 'restart', 'vanish', 'stop'].includes(at)) return false;
      if (!steps.some(({ do: what }) => what === 'down' || what === 'restart' || what === 'vanish'))
        return false;
      const wasHalted = steps.some(
        (step) => step.do === 'halt' || (step.do === 'signal' && step.signal === 'STOP'),
      );
      if (at === 'stop' && wasHalted && /^finish 256 9 /.test(ours)) return true;
      return /^got \w+(; |$)/.test(s6) && withoutSignals(s6) === withoutSignals(ours);
    },
  },
  {
    name: 'a directory that is renamed',
    s6: 'its `finish` runs wherever it is now',
    ours: 'no `finish` without its directory; where a link to it goes away, it runs',
    covers: ({ of, at, steps, s6, ours }) =>
      steps.some((step) => step.do === 'vanish') &&
      (of === 'is'
        ? at === 'vanish' && s6 === 'finishing' && ours === 'gone'
        : of === 'lines' && further(withoutSignals(ours), withoutSignals(s6)).startsWith('finish ')),
  },
  {
    name: 'env/',
    s6: 'never read; `s6-envdir` in `run` does that',
    ours: 'variables of the service',
    covers: ({ of, at }, _plan, service) =>
      of === 'fact' &&
      at === 'environment' &&
      Object.keys(service?.settings ?? {}).some((file) => file.startsWith('env/')),
  },
  {
    name: 'descriptors',
    s6: 'what the scanner was started with is handed on',
    ours: 'services have 0, 1, 2 and the one for readiness',
    covers: ({ of, at, s6, ours }, plan) =>
      of === 'fact' &&
      at === 'descriptors' &&
      plan.inherits &&
      withoutInherited(s6) === withoutInherited(ours),
  },
  {
    name: 'open files',
    s6: 'the soft limit is inherited',
    ours: 'Node raises the soft limit to the hard one',
    covers: ({ of, at, s6, ours }) => of === 'fact' && at === 'open files' && Number(ours) > Number(s6),
  },
  {
    name: 'the crash hook',
    s6: '`.s6-svscan/crash` is executed when the scanner itself breaks',
    ours: 'after each crash of a service',
    covers: ({ of, at, s6 }) => of === 'hooks' && at === 'crash' && s6 === '',
  },
  {
    name: 'the finish hook',
    s6: '`.s6-svscan/finish` has no arguments, and its exit code is the scanner’s',
    ours: 'why, the exit code so far, who; a code other than 0 becomes ours',
    covers: ({ of, at, s6, ours }) =>
      of === 'hooks' &&
      at.startsWith('stop: ') &&
      /^hook finish (signal|stop) \d+ \w*; $/.test(ours) &&
      s6 === 'hook finish ; ',
  },
  {
    name: 'a finish hook that cannot be executed',
    s6: '`crash` is executed instead; without it the exit code is 111',
    ours: 'one warning',
    covers: ({ of, at }, { hooks }) =>
      (of === 'exit' || (of === 'hooks' && at === 'crash')) && hooks['finish']?.is === 'not executable',
  },
  {
    name: 'a hook of SIGTERM or SIGINT that fails',
    s6: 'the scanner goes on',
    ours: 'the tree stops all the same',
    covers: ({ of, at, s6 }, { hooks, stop }) => {
      const hook = hooks[stop];
      if (!hook || (hook.is === 'script' && hook.exit === 0)) return false;
      return (of === 'exit' && s6 === 'did not end') || at.startsWith('stop');
    },
  },
  {
    name: 'what had to be killed',
    s6: 'exit 0',
    ours: 'exit 137, where no finish hook says otherwise',
    covers: ({ of, s6, ours }) => of === 'exit' && s6 === 'exit 0' && ours === 'exit 137',
  },
];

/** Ours has one run more, with what came of it. */
function isFurtherRun(s6: string, ours: string): boolean {
  return further(s6, ours).startsWith('run ./run ');
}

function withoutSignals(lines: string): string {
  return withoutGroup(lines)
    .split('; ')
    .filter((line) => !line.startsWith('got '))
    .join('; ');
}

function withoutGroup(lines: string): string {
  return lines.replaceAll(' <group>', '');
}

/** What the longer one has more at its end; nothing where they do not begin alike. */
function further(shorter: string, longer: string): string {
  const [a, b] = [withoutGroup(shorter), withoutGroup(longer)];
  return b.startsWith(a) ? b.slice(a.length).replace(/^; /, '') : '';
}

function agreeButFor(a: string, b: string, ofA: string, ofB: string): boolean {
  const [as, bs] = [a.split(' '), b.split(' ')];
  return as.length === bs.length && as.every((word, i) => word === bs[i] || (word === ofA && bs[i] === ofB));
}

/** Without the descriptor that the supervisor was started with. */
function withoutInherited(descriptors: string): string {
  return descriptors
    .split(', ')
    .filter((each) => each !== '3 @/log')
    .join();
}
