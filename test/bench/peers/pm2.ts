import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Peer, serviceDirectories } from './peer.ts';

export const pm2: Peer = {
  name: 'pm2-runtime',
  programs: ['pm2-runtime'],
  capacity: Number.POSITIVE_INFINITY,
  reaps: false,
  runsOnNode: true,
  stopSignal: 'SIGTERM',
  lay(directory, services) {
    const scandir = serviceDirectories(join(directory, 'services'), services);
    const ecosystem = join(directory, 'ecosystem.config.json');
    const apps = services.map(({ name }) => ({
      name,
      script: `${scandir}/${name}/run`,
      cwd: `${scandir}/${name}`,
      interpreter: 'none',
      // No second copy of the output beside that on its stdout.
      out_file: '/dev/null',
      error_file: '/dev/null',
    }));
    writeFileSync(ecosystem, JSON.stringify({ apps }));
    return { argv: ['pm2-runtime', 'start', ecosystem], env: { PM2_HOME: join(directory, 'pm2') } };
  },
};
