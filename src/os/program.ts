import { realpathSync } from 'node:fs';
import { isSea } from 'node:sea';

/** This program, as it was started: a bundle (or the sources) that Node runs, or one executable with Node inside. */
export interface Program {
  /** The bundle, or the executable: what the addon lies beside. */
  file: string;
  isExecutable: boolean;
  /**
   * The command that starts it once more, ahead of its arguments.
   * @param nodeOptions for Node itself; the executable has its own built in, and takes none
   */
  command(nodeOptions?: readonly string[]): [string, ...string[]];
}

export function thisProgram(): Program {
  const node = process.execPath;
  // In an executable Node repeats argv[0], as it was typed, where the file otherwise is.
  if (isSea()) return { file: node, isExecutable: true, command: () => [node] };
  const file = realpathSync.native(process.argv[1] ?? node);
  return {
    file,
    isExecutable: false,
    command: (nodeOptions = []) => [node, ...process.execArgv, ...nodeOptions, file],
  };
}
