/**
 * What is played to both supervisors: a tree, and for each of its services the steps that are taken with it. All of it is plain
 * JSON, so that a tree can be kept, printed and made smaller; any plan with some steps or services left out is a plan.
 */

/** How a `run` or a `finish` ends by itself. */
export type End = { exit: number } | { signal: number };

/** What a program of a service directory is: a script of ours, or something that cannot be executed. */
export type Program =
  | 'script'
  | 'link'
  | 'missing'
  | 'not executable'
  | 'directory'
  | 'dangling'
  | 'empty'
  | 'no shebang'
  | 'no interpreter';

/** What a script does when a signal comes: it goes on, is deaf to it, or exits with this. Others do what they do by default. */
export type Answer = 'note' | 'ignore' | number;

export interface FinishPlan {
  is: Program;
  /** At the first death, the second …; after that it exits 0. `wait`: until it is released. */
  does: (End | 'wait')[];
}

export type Step =
  | { do: 'up' | 'down' | 'once' | 'restart' | 'reload' }
  | { do: 'signal'; signal: string }
  /** Its run ends by itself. */
  | { do: 'end'; how: End }
  /** Its run ends twice, the second time at once, and the order is given while it waits to be started again. */
  | { do: 'backoff'; order: 'up' | 'down' | 'once' | 'restart' }
  /** Its run writes this to the descriptor for readiness. */
  | { do: 'tell'; text: string }
  /** Its run starts a process and leaves it alone: in its group, or in a session of its own. */
  | { do: 'fork'; apart: boolean }
  /** Its run stops itself. */
  | { do: 'halt' }
  /** A `finish` that waits goes on. */
  | { do: 'release'; how: End }
  /** A file changes, and the scandir is read again. Without content: it goes. */
  | { do: 'edit'; file: string; content: string | undefined }
  /** Its directory comes by (for a service that is `late`), or goes away; the scandir is read again. */
  | { do: 'appear' | 'vanish' };

export interface ServicePlan {
  name: string;
  /** `link`: to a directory elsewhere. `late`: it is not there until it appears. A file is no service. */
  form: 'directory' | 'link' | 'late' | 'file' | 'dangling';
  run: Program;
  /** How its first runs end, at once; those after them stay. */
  first: End[];
  answers: Record<string, Answer>;
  finish: FinishPlan | undefined;
  /** Setting files. */
  settings: Record<string, string>;
  logger: { first: End[] } | undefined;
  steps: Step[];
}

export interface HookPlan {
  is: 'script' | 'not executable';
  exit: number;
}

export interface TreePlan {
  services: ServicePlan[];
  /** `finish`, `crash`, `SIGUSR1` … */
  hooks: Record<string, HookPlan>;
  /** What the supervisor gets when all services have had their steps. */
  signals: string[];
  /** How it is stopped in the end. */
  stop: 'SIGTERM' | 'SIGINT' | 'order';
  /** It has one descriptor more than 0, 1 and 2 when it starts. */
  inherits: boolean;
}

/** The settings that both know, as a service has them in the end. */
export function settingsAt(plan: ServicePlan, steps: readonly Step[]): Record<string, string> {
  const settings = { ...plan.settings };
  for (const step of steps) {
    if (step.do !== 'edit') continue;
    if (step.content === undefined) delete settings[step.file];
    else settings[step.file] = step.content;
  }
  return settings;
}

/** A step in a few words. */
export function inWords(step: Step): string {
  switch (step.do) {
    case 'signal':
      return `signal ${step.signal}`;
    case 'end':
    case 'release':
      return `${step.do} ${endInWords(step.how)}`;
    case 'backoff':
      return `${step.order} in backoff`;
    case 'tell':
      return `tell ${JSON.stringify(step.text)}`;
    case 'fork':
      return step.apart ? 'fork apart' : 'fork';
    case 'edit':
      return step.content === undefined
        ? `remove ${step.file}`
        : `edit ${step.file}=${JSON.stringify(step.content)}`;
    default:
      return step.do;
  }
}

function endInWords(end: End): string {
  return 'exit' in end ? `exit ${end.exit}` : `by signal ${end.signal}`;
}
