import { constants } from 'node:os';
import type { Ms } from '../core/duration.ts';
import { endName } from '../core/signals.ts';
import { UserError } from '../errors.ts';
import { inspect } from '../os/scandir.ts';
import { killGroup, send, startProcess } from '../os/spawn.ts';

/** From TERM to KILL, when the installer itself is told to stop. */
const PATIENCE: Ms = 1000;

/**
 * Runs the package's `init.sh`, in the directory of the package. What it left in its process group goes with it.
 * @throws UserError with its exit code
 */
export async function runInit(directory: string, signal: AbortSignal): Promise<void> {
  const verb = 'cannot run init.sh of the package';
  const program = inspect(directory, 'init.sh', verb);
  if (program.is === 'broken') {
    const { message, hint } = program.problem;
    throw new UserError(message, { hint: hint?.replace(`${directory}/`, '') });
  }
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    let stop = (): void => {};
    const settle = (error: UserError | undefined): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      if (error) reject(error);
      else resolve();
    };
    let own = 0;
    startProcess(
      {
        argv: ['./init.sh'],
        cwd: directory,
        env: process.env,
        stdin: 'ignore',
        session: true,
        pipes: [],
      },
      {
        spawned: (pid) => {
          own = pid;
          stop = () => {
            send(-pid, constants.signals.SIGTERM);
            timer = setTimeout(() => killGroup(pid), PATIENCE);
          };
          signal.addEventListener('abort', stop, { once: true });
        },
        refused: (code, reason) => settle(new UserError(`${verb}: ${reason}`, { exitCode: code })),
        exited: (code, number) => {
          send(-own, constants.signals.SIGKILL);
          const exitCode = number === 0 ? code : 128 + number;
          const failed = `${verb}: it ended with ${endName({ code, signal: number })}`;
          settle(exitCode === 0 ? undefined : new UserError(failed, { exitCode }));
        },
      },
    );
  });
  signal.throwIfAborted();
}
