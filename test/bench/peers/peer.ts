/** What the program must know of a supervisor to run it beside ours. */
import { writeFiles } from '../../tree.ts';

export interface Service {
  name: string;
  run: string;
  finish?: string;
}

export interface Command {
  argv: readonly [string, ...string[]];
  env?: Record<string, string>;
}

export interface Peer {
  /** As it stands in the tables. */
  readonly name: string;
  /** The programs that must be on PATH. */
  readonly programs: readonly string[];
  /** How many services it can run; 1: an init, which runs a command and restarts nothing. */
  readonly capacity: number;
  /** Whether it is told to wait for orphans when it is PID 1. */
  readonly reaps: boolean;
  /** Whether a Node runs it. */
  readonly runsOnNode?: true;
  /** What tells it to stop all that it runs. */
  readonly stopSignal: NodeJS.Signals;
  /** Writes what it needs to run these services below `directory`, and says how it is started. `node`: which Node runs it, if one does. */
  lay(directory: string, services: readonly Service[], node: string): Command;
}

/** NAME/run and NAME/finish, as s6, runit and we read them. Returns the directory. */
export function serviceDirectories(directory: string, services: readonly Service[]): string {
  for (const { name, run, finish } of services)
    writeFiles(directory, {
      [`${name}/run`]: run,
      ...(finish !== undefined && { [`${name}/finish`]: finish }),
    });
  return directory;
}

/** `run` of the one service of an init. */
export function onlyRun(directory: string, services: readonly Service[]): string {
  const [service] = services;
  if (service === undefined || services.length > 1) throw new Error('an init runs one service');
  serviceDirectories(directory, [service]);
  return `${directory}/${service.name}/run`;
}
