import type { ConsulAgent } from '../../consul.ts';
import { NODE, writeFiles } from '../../tree.ts';
import type { Bench } from '../context.ts';
import { THEIRS } from '../followers.ts';
import { type Life, wellBehaved } from '../life.ts';
import { onPath } from '../path.ts';
import { ours, oursWith } from '../peers/ours.ts';
import type { Peer } from '../peers/peer.ts';
import { runit } from '../peers/runit.ts';
import { s6 } from '../peers/s6.ts';
import { supervisord } from '../peers/supervisord.ts';
import { type Memory, memoryOf, supervising } from '../proc.ts';
import type { Quantity } from '../results.ts';
import { interleave, type Turn } from '../rounds.ts';

const ROUNDS = 5;
const SETTLE_MS = 5000;

export function templaterMemory(kind: keyof Memory, keys: number): Quantity {
  const name = { pss: 'PSS', rss: 'RSS', private: 'private' }[kind];
  return {
    measure: 'templater',
    what: `templater: ${name} of supervisor and templater, ${amount(keys)}`,
    unit: 'kB',
  };
}

/** Supervisor and templater together, with one well-behaved service, whatever makes them two. */
export async function templatersMemory(bench: Bench, consul: ConsulAgent): Promise<void> {
  for (const count of bench.quick ? [1, 100] : [1, 1000]) {
    const keys = Array.from({ length: count }, (_, i) => `many/${i}`);
    for (const key of keys) await consul.put(key, 'x'.repeat(20));
    const text = keys.map((key) => `{{key "${key}"}}\n`).join('');
    const theirs = onPath(THEIRS) ? [s6, runit, supervisord] : [];
    const pairs = [
      ...(bench.peers.includes(ours) ? [ourPair(consul, text)] : []),
      ...theirs.filter((peer) => bench.peers.includes(peer)).map((peer) => theirPair(peer, consul, text)),
    ];
    await interleave(bench, {
      what: `memory with ${amount(count)}`,
      rounds: bench.rounds(ROUNDS),
      turns: pairs.map((pair) => turn(bench, pair, count)),
      settleMs: bench.quick ? 500 : SETTLE_MS,
      together: true,
    });
  }
}

function turn({ stage }: Bench, peer: Peer, count: number): Turn {
  let life: Life | undefined;
  const over = (): void => {
    life?.end();
    life = undefined;
  };
  return {
    peer: peer.name,
    async begin() {
      life = stage.start(peer, wellBehaved(1), peer.runsOnNode ? stage.ownNode(peer.name) : NODE);
      // Our services run once their files are there; others' files come when they come, within the time to settle.
      await life.running().catch((error: unknown) => {
        over();
        throw error;
      });
      return [];
    },
    async finish() {
      const { pid, pids } = life as Life;
      const measured = memoryOf(supervising(pid, pids));
      over();
      return (['pss', 'private', 'rss'] as const).map((kind) => [
        templaterMemory(kind, count),
        measured[kind],
      ]);
    },
  };
}

function ourPair(consul: ConsulAgent, text: string): Peer {
  const template = `{{!--\ndest: \${HOME}/app.conf\non-change: none\n--}}\n${text}`;
  return oursWith('', { 's0000/templates/app.hbs': template }, { env: { CONSUL_HTTP_ADDR: consul.address } });
}

function theirPair(peer: Peer, consul: ConsulAgent, text: string): Peer {
  return {
    ...peer,
    name: `${peer.name} and ${THEIRS}`,
    lay(directory, services, node) {
      writeFiles(directory, { 'app.ctmpl': text });
      const template = `${directory}/app.ctmpl:${directory}/app.conf`;
      const run = `#!/bin/sh\nexec ${THEIRS} -consul-addr ${consul.address} -log-level err -template "${template}"\n`;
      return peer.lay(directory, [...services, { name: THEIRS, run }], node);
    },
  };
}

function amount(keys: number): string {
  return keys === 1 ? '1 key' : `${keys.toLocaleString('en')} keys`;
}
