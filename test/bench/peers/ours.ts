import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BUNDLE } from '../../tree.ts';
import { type Peer, serviceDirectories } from './peer.ts';

const EXECUTABLE = join(dirname(BUNDLE), 'supervise');

export const ours: Peer = {
  name: 'supervise',
  programs: [],
  capacity: Number.POSITIVE_INFINITY,
  reaps: true,
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

function started(directory: string, argv: [string, ...string[]]): ReturnType<Peer['lay']> {
  return { argv, env: { SUPERVISE_SOCKET: join(directory, 'control') } };
}
