import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Peer, serviceDirectories } from './peer.ts';

/** As in a container: what programs write goes to its own stdout. */
const STDOUT: Record<string, string> = { stdout_logfile: '/dev/fd/1', stdout_logfile_maxbytes: '0' };

export const supervisord: Peer = supervisordWith(STDOUT);

/** The same with other settings of each program's output. */
export function supervisordWith(output: Readonly<Record<string, string>>): Peer {
  return {
    name: 'supervisord',
    programs: ['supervisord'],
    capacity: Number.POSITIVE_INFINITY,
    reaps: true,
    stopSignal: 'SIGTERM',
    lay(directory, services) {
      const scandir = serviceDirectories(join(directory, 'services'), services);
      const config = join(directory, 'supervisord.conf');
      const settings = Object.entries(output)
        .map(([name, value]) => `${name}=${value}`)
        .join('\n');
      const sections = services.map(
        ({ name }) => `[program:${name}]
command=${scandir}/${name}/run
directory=${scandir}/${name}
autorestart=true
startsecs=0
redirect_stderr=true
${settings}
`,
      );
      // Of programs that are in no group it stops one after the other.
      const names = services.map(({ name }) => name).join(',');
      writeFileSync(
        config,
        `[supervisord]
nodaemon=true
user=${process.getuid?.() === 0 ? 'root' : ''}
logfile=/dev/null
logfile_maxbytes=0
pidfile=${directory}/supervisord.pid
childlogdir=${directory}
minfds=${Math.max(1024, services.length * 8)}
[group:services]
programs=${names}

${sections.join('\n')}`.replace('user=\n', ''),
      );
      return { argv: ['supervisord', '-c', config] };
    },
  };
}
