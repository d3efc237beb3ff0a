/** Ours first, then all that there are. */
import { onPath } from '../path.ts';
import { inits } from './inits.ts';
import { executable, ours } from './ours.ts';
import type { Peer } from './peer.ts';
import { pm2 } from './pm2.ts';
import { runit } from './runit.ts';
import { s6 } from './s6.ts';
import { supervisord } from './supervisord.ts';

export const PEERS: readonly Peer[] = [
  ours,
  ...(executable ? [executable] : []),
  s6,
  runit,
  supervisord,
  pm2,
  ...inits,
];

/** What keeps it from being run here, in words. */
export function absence({ programs }: Peer): string | undefined {
  const missing = programs.find((program) => onPath(program) === undefined);
  return missing && `${missing} is not on PATH`;
}
