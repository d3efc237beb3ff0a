import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Peer, type Service, serviceDirectories } from './peer.ts';

type Settings = Readonly<Record<string, string | number>>;

/** As in a container: what programs write goes to its own stdout, as it is. */
export const supervisord = supervisordWith('', {
  stdout_logfile: '/dev/fd/1',
  stdout_logfile_maxbytes: 0,
});

/** It keeps log files itself. */
export const rotatingSupervisord = supervisordWith('', {
  stdout_logfile: '%(here)s/app.log',
  stdout_logfile_maxbytes: 1_000_000,
  stdout_logfile_backups: 10,
});

/** It puts no prefix before lines; a listener for its events does, which is how its users get one. */
export const prefixingSupervisord = supervisordWith(
  ', prefix by an event listener',
  { stdout_logfile: 'NONE', stdout_events_enabled: 'true' },
  {
    'eventlistener:prefix': {
      command: 'python3 %(here)s/listener.py',
      events: 'PROCESS_LOG_STDOUT',
      // It forgets the oldest events once there are more than these, 10 unless told otherwise.
      buffer_size: 1_000_000,
      stderr_logfile: '/dev/fd/1',
      stderr_logfile_maxbytes: 0,
    },
  },
);

const LISTENER = `import sys
events, answers, lines = sys.stdin.buffer, sys.stdout, sys.stderr.buffer
rest = b''
while True:
    answers.write('READY\\n')
    answers.flush()
    header = dict(field.split(':') for field in events.readline().decode().split())
    data = rest + events.read(int(header['len'])).split(b'\\n', 1)[1]
    *whole, rest = data.split(b'\\n')
    lines.write(b''.join(b'[app] ' + line + b'\\n' for line in whole))
    lines.flush()
    answers.write('RESULT 2\\nOK')
    answers.flush()
`;

function supervisordWith(suffix: string, output: Settings, further: Record<string, Settings> = {}): Peer {
  return {
    name: `supervisord${suffix}`,
    programs: ['supervisord'],
    capacity: Number.POSITIVE_INFINITY,
    reaps: true,
    stopSignal: 'SIGTERM',
    lay(directory, services) {
      const scandir = serviceDirectories(join(directory, 'services'), services);
      const config = join(directory, 'supervisord.conf');
      writeFileSync(join(directory, 'listener.py'), LISTENER);
      writeFileSync(
        config,
        ini({
          supervisord: {
            nodaemon: 'true',
            // It warns otherwise.
            ...(process.getuid?.() === 0 && { user: 'root' }),
            logfile: '/dev/null',
            logfile_maxbytes: 0,
            pidfile: join(directory, 'supervisord.pid'),
            childlogdir: directory,
            minfds: Math.max(1024, services.length * 8),
          },
          ...further,
          // Of programs that are in no group it stops one after the other.
          'group:services': { programs: services.map(({ name }) => name).join(',') },
          ...Object.fromEntries(services.map((service) => program(scandir, service, output))),
        }),
      );
      return { argv: ['supervisord', '-c', config] };
    },
  };
}

function program(scandir: string, { name }: Service, output: Settings): [string, Settings] {
  const directory = join(scandir, name);
  const settings = { command: join(directory, 'run'), directory, autorestart: 'true', startsecs: 0 };
  return [`program:${name}`, { ...settings, redirect_stderr: 'true', ...output }];
}

function ini(sections: Record<string, Settings>): string {
  return Object.entries(sections)
    .map(([name, settings]) => {
      const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
      return `[${name}]\n${lines.join('')}`;
    })
    .join('\n');
}
