/**
 * How a command line of the user's is started: by itself where it is only words, so that it is our child and needs no
 * shell; by the shell where there is anything for a shell to do.
 */
export function commandArgv(command: string): [string, ...string[]] {
  const [file = '', ...args] = command.trim().split(/\s+/);
  const isPlain = /^[\w@%+:,./\s-]+$/.test(command) && !BUILTINS.has(file);
  return isPlain ? [file, ...args] : shellArgv(command);
}

export function shellArgv(command: string): [string, ...string[]] {
  return ['/bin/sh', '-c', command];
}

/** Words that only a shell knows. */
const BUILTINS = new Set([
  '.',
  ':',
  'cd',
  'eval',
  'exec',
  'exit',
  'export',
  'set',
  'trap',
  'ulimit',
  'umask',
  'wait',
]);
