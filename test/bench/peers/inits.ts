/** Those that run one command, forward signals and reap. They restart nothing. */
import { onlyRun, type Peer } from './peer.ts';

export const inits: readonly Peer[] = [
  init('tini', ['-s', '--']),
  init('dumb-init', ['--']),
  init('catatonit', ['--']),
];

function init(name: string, options: readonly string[]): Peer {
  return {
    name,
    programs: [name],
    capacity: 1,
    reaps: true,
    stopSignal: 'SIGTERM',
    lay: (directory, services) => ({ argv: [name, ...options, onlyRun(directory, services)] }),
  };
}
