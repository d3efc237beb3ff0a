import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BUNDLE, type Files, writeFiles } from '../../tree.ts';
import { type Peer, serviceDirectories } from './peer.ts';

const EXECUTABLE = join(dirname(BUNDLE), 'supervise');

export const ours: Peer = {
  name: 'supervise',
  programs: [],
  capacity: Number.POSITIVE_INFINITY,
  reaps: true,
  runsOnNode: true,
  stopSignal: 'SIGTERM',
  lay(directory, services, node) {
    return started(directory, [node, BUNDLE, serviceDirectories(join(directory, 'services'), services)]);
  },
};

/** Where it is built: `npm run build:binary`, then this program itself, since `npm run bench` builds dist/ anew. */
export const executable: Peer | undefined = existsSync(EXECUTABLE)
  ? {
      ...ours,
      name: 'supervise, executable',
      lay(directory, services) {
        return started(directory, [EXECUTABLE, serviceDirectories(join(directory, 'services'), services)]);
      },
    }
  : undefined;

/** Ours with further files in its services directory, variables and options; its name is ours with `suffix`. */
export function oursWith(
  suffix: string,
  files: Files,
  { env, args = [] }: { env?: Record<string, string>; args?: readonly string[] } = {},
): Peer {
  return {
    ...ours,
    name: `${ours.name}${suffix}`,
    lay(directory, services, node) {
      const command = ours.lay(directory, services, node);
      writeFiles(join(directory, 'services'), files);
      return { argv: [...command.argv, ...args], env: { ...command.env, ...env } };
    },
  };
}

function started(directory: string, argv: [string, ...string[]]): ReturnType<Peer['lay']> {
  return { argv, env: { SUPERVISE_SOCKET: join(directory, 'control') } };
}
