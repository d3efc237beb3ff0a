import { join } from 'node:path';
import { type Peer, serviceDirectories } from './peer.ts';

export const s6: Peer = {
  name: 's6',
  programs: ['s6-svscan', 's6-supervise'],
  capacity: Number.POSITIVE_INFINITY,
  reaps: true,
  stopSignal: 'SIGTERM',
  lay(directory, services) {
    const scandir = serviceDirectories(join(directory, 'services'), services);
    // Its own limit is 500.
    return { argv: ['s6-svscan', '-c', String(Math.max(500, services.length + 10)), scandir] };
  },
};
