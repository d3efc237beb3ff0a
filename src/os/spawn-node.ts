import type { Socket } from 'node:net';
import { constants as os } from 'node:os';
import { takeEnd } from './children.ts';
import type { Spawned, SpawnSpec } from './spawn-spec.ts';

/**
 * Starts a process by Node, where there is no addon or nobody who waits by it: libuv waits for it, and tells its end.
 * @param refused takes why it could not be executed, later; nothing is returned then
 * @throws what Node says of arguments that it does not take
 */
export function spawnByNode(spec: SpawnSpec, refused: (error: unknown) => void): Spawned | undefined {
  const { stdin, stdout = 'inherit', stderr = 'inherit' } = spec;
  const stdio: ('inherit' | 'ignore' | 'pipe' | number)[] = [stdin, stdout, stderr];
  const pipes = [...spec.pipes, spec.readiness ?? []].flat();
  for (const fd of pipes) {
    while (stdio.length < fd) stdio.push('ignore');
    stdio[fd] = 'pipe';
  }
  const [file, ...args] = spec.argv;
  const { cwd, env, user, session } = spec;
  // Not imported: with it come streams and sockets, which PID 1 has no use for ahead of its first service.
  const { spawn } = process.getBuiltinModule('node:child_process');
  const child = spawn(file, args, {
    ...{ cwd, env, stdio, detached: session === true },
    ...(user && { uid: user.uid, gid: user.gid }),
  });
  const { pid } = child;
  if (pid === undefined) {
    child.once('error', refused);
    return undefined;
  }
  // 'exit' comes in the same turn of the loop in which libuv waited for it.
  child.once('exit', (code, signal) => takeEnd(pid)?.(code ?? 0, signal === null ? 0 : os.signals[signal]));
  // A later 'error' can only be that of a kill we did not make; without a listener it would be thrown.
  child.on('error', () => {});
  return { pid, pipes: new Map(pipes.map((fd) => [fd, child.stdio[fd] as Socket])) };
}
