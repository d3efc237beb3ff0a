import {
  loggerOf,
  ownerOf,
  type Problem,
  type RawServiceDir,
  type ServiceConfig,
} from './core/servicedir.ts';
import { parseServices, type Switches } from './core/services.ts';

type Stamps = RawServiceDir['stamps'];

/** What a scandir says of a service, for the tree to hold against what runs. */
export interface Found {
  config: ServiceConfig;
  /** Why it cannot be started. */
  problem: Problem | undefined;
  /** What its files are like. */
  stamps: Stamps;
}

/** What is not on the disk, and decides what is made of it. */
export interface Known {
  switches: Switches;
  /** Whether a service had templates when it was last read. */
  hadTemplates(name: string): boolean;
  /** Whether there are pipes for loggers to be had, which takes the addon. */
  hasPipes: boolean;
}

/** Every service of a scandir and its logger, and the templater where templates want one. */
export function findServices(raws: readonly RawServiceDir[], known: Known): Found[] {
  // A directory that cannot be read now is judged by what it held before.
  const wanted = raws.some(
    ({ name, templates, unreadable }) =>
      templates.length > 0 || (unreadable.length > 0 && known.hadTemplates(name)),
  );
  const parsed = parseServices(raws, known.switches, wanted);
  const stamps = new Map<string, Stamps>();
  for (const { name, stamps: own, log } of raws) {
    stamps.set(name, own);
    if (log) stamps.set(log.name, log.stamps);
  }
  const problems = new Map(
    parsed.map(({ config, problems }) => [
      config.name,
      [...problems, ...(ownerOf(config.name) !== undefined && !known.hasPipes ? [noPipe(config)] : [])],
    ]),
  );
  return parsed.map(({ config }) => ({
    config,
    // Without its logger a service would soon wait for ever, for somebody to read what it writes.
    problem: joinProblems([
      ...(problems.get(config.name) ?? []),
      ...(problems.get(loggerOf(config.name)) ?? []),
    ]),
    stamps: stamps.get(config.name) ?? new Map(),
  }));
}

/** What goes down behind a service: what it depends on, and its logger. A cycle of these could not be stopped in order. */
export function stopsBehind({ name, dependencies, hasLogger }: ServiceConfig): readonly string[] {
  return hasLogger ? [...dependencies, loggerOf(name)] : dependencies;
}

/** Files that are new, gone or of other content. */
export function changedFiles(before: Stamps, now: Stamps): string[] {
  const names = new Set([...before.keys(), ...now.keys()]);
  return [...names].filter((name) => before.get(name) !== now.get(name)).sort();
}

function noPipe({ name, path }: ServiceConfig): Problem {
  return {
    message: `cannot start "${name}": there is no addon to make its pipe`,
    hint: `ship reaper-${process.arch}.node beside the bundle, or remove ${path}`,
  };
}

function joinProblems(problems: readonly Problem[]): Problem | undefined {
  const [first, ...more] = problems;
  if (!first || more.length === 0) return first;
  const message = problems.map((problem) => problem.message).join('; ');
  const hint = problems.flatMap((problem) => problem.hint ?? []).join('; ');
  return hint ? { message, hint } : { message };
}
