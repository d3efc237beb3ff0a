import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Native } from '../os/native.ts';

/** The hidden verb that main.ts knows; not among the commands. */
export const EXEC_VERB = '--exec-in-foreground';

/**
 * What happens in the child before a main command that gets the terminal: a process group of its own, made the terminal's
 * foreground, and then the command in place of this process, so that the pid is the command's. Nobody but the child can do
 * this in time, and Node has no hook between fork and exec.
 * @returns an exit code, only where it could not be done
 */
export function execInForeground(argv: readonly string[], native: Native | undefined): number {
  const [name = ''] = argv;
  const path = find(name, process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin');
  if (typeof path === 'number') return path;
  // Node ignores SIGPIPE, and what is ignored stays so across execve; what is caught becomes the default again.
  process.on('SIGPIPE', () => {});
  native?.ownGroup();
  native?.foreground(0, process.pid);
  process.execve?.(path, [...argv], process.env as Record<string, string>);
  return 126;
}

/** Looks a program up as execvp does; answers with a shell's exit code where there is none to execute. */
function find(name: string, path: string): string | number {
  const candidates = name.includes('/')
    ? [name]
    : path.split(delimiter).map((directory) => join(directory || '.', name));
  let code = 127;
  for (const candidate of candidates) {
    try {
      if (statSync(candidate).isDirectory()) {
        code = 126;
        continue;
      }
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') code = 126;
    }
  }
  process.stderr.write(
    `supervise: cannot execute ${name}: ${code === 127 ? 'not found' : 'permission denied'}\n`,
  );
  return code;
}
