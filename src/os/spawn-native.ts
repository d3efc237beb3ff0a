import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { programFiles } from './exec.ts';
import type { Native } from './native.ts';
import type { Spawned, SpawnSpec } from './spawn-spec.ts';

/** As in native/reaper.c. */
const PLACES = { shared: 0, session: 1, foreground: 2 } as const;
/** No descriptor: /dev/null for the first three, nothing for those after them. */
const NONE = -1;
/** The largest number of a user or a group that the addon takes. */
const MOST_ID = 0x7fff_ffff;
/** The uid and gid that mean ours. */
const SAME = -1;

/**
 * Starts a process by the addon. Its end comes by SIGCHLD, and is os/reaper.ts's to take.
 * @throws an error with the system's code, when it could not be executed
 */
export function spawnByNative(spec: SpawnSpec, native: Native): Spawned {
  const { stdin, stdout = 1, stderr = 2, session, user, argv, env } = spec;
  const fds = [stdin === 'inherit' ? 0 : stdin === 'ignore' ? NONE : stdin, stdout, stderr];
  const pipes = new Map<number, Socket>();
  const theirs: number[] = [];
  try {
    for (const at of [...spec.pipes, spec.readiness ?? []].flat()) {
      while (fds.length < at) fds.push(NONE);
      const [socket, other] = ends(at === spec.readiness ? native.pipe() : native.sockets());
      pipes.set(at, socket);
      theirs.push(other);
      fds[at] = other;
    }
    const place = session === 'foreground' ? session : session ? 'session' : 'shared';
    const files = programFiles(argv[0], env['PATH']);
    const variables = variablesOf(env);
    const groups = user?.groups ?? [];
    // As 32 bits with a sign they would be other numbers: ours, or root's.
    if ([user?.uid ?? 0, user?.gid ?? 0, ...groups].some((id) => id < 0 || id > MOST_ID))
      throw Object.assign(new Error('no such user'), { code: 'EINVAL' });
    const numbers = [
      ...[PLACES[place], user?.uid ?? SAME, user?.gid ?? SAME],
      ...[files.length, argv.length, variables.count, groups.length, fds.length],
      ...groups,
      ...fds,
    ];
    const strings = Buffer.concat([textOf([spec.cwd ?? '', ...files, ...argv]), variables.text]);
    // A directory, and the end of each of four lists.
    const room = 1 + files.length + argv.length + variables.count + 4;
    const pid = native.spawn(Int32Array.from(numbers), strings, new BigUint64Array(room));
    if (pid < 0) throw refusalOf(pid);
    return { pid, pipes };
  } catch (error) {
    for (const socket of pipes.values()) socket.destroy();
    throw error;
  } finally {
    for (const fd of theirs) closeSync(fd);
  }
}

/** A socket of ours, and the descriptor at its other end. Of a pipe ours is the end to read. */
function ends(made: ReturnType<Native['pipe']>): readonly [Socket, number] {
  if (typeof made === 'number') throw refusalOf(made);
  const [ours, theirs] = made;
  try {
    // Not imported: few services have any, and PID 1 has no use for it ahead of its first service.
    const { Socket } = process.getBuiltinModule('node:net');
    return [new Socket({ fd: ours }), theirs];
  } catch (error) {
    for (const fd of made) closeSync(fd);
    throw error;
  }
}

function refusalOf(result: number): Error {
  return Object.assign(new Error('the system refused'), { code: getSystemErrorName(result) });
}

function textOf(strings: readonly string[]): Buffer {
  return Buffer.from(strings.map((string) => `${string}\0`).join(''));
}

interface Variables {
  count: number;
  text: Buffer;
}

/** Of our own environment, which nothing changes and most services get as it is. */
let inherited: Variables | undefined;

function variablesOf(env: NodeJS.ProcessEnv): Variables {
  if (env === process.env && inherited) return inherited;
  const strings = Object.entries(env).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${value}`,
  );
  const variables = { count: strings.length, text: textOf(strings) };
  if (env === process.env) inherited = variables;
  return variables;
}
