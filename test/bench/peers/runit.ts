import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { type Peer, serviceDirectories } from './peer.ts';

export const runit: Peer = {
  name: 'runit',
  programs: ['runsvdir', 'runsv'],
  // MAXSERVICES of its sources.
  capacity: 1000,
  reaps: true,
  // SIGTERM ends runsvdir alone.
  stopSignal: 'SIGHUP',
  lay(directory, services) {
    const scandir = serviceDirectories(join(directory, 'services'), services);
    // It waits a second where the directory is of this second, which that of an image never is.
    utimesSync(scandir, 1, 1);
    return { argv: ['runsvdir', scandir] };
  },
};
