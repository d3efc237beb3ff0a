/** What the project promises of its speed and size, held against a run. */
import { THEIRS } from './followers.ts';
import { startQuantity, stopQuantity } from './lives.ts';
import { CRASH } from './measures/crash.ts';
import { WAKEUPS } from './measures/idle.ts';
import { throughput } from './measures/logs.ts';
import { memoryQuantity } from './measures/memory.ts';
import { PUT_TO_FILE } from './measures/templater.ts';
import { templaterMemory } from './measures/templater-memory.ts';
import type { Peer } from './peers/peer.ts';
import { pm2 } from './peers/pm2.ts';
import { runit } from './peers/runit.ts';
import { s6 } from './peers/s6.ts';
import { prefixingSupervisord, supervisord } from './peers/supervisord.ts';
import { FLOOR, OURS, type Quantity, type Results } from './results.ts';
import { figure } from './table.ts';

export interface Bar {
  /** The measure that must be run for it. */
  of: string;
  what: string;
  bar: string;
  measured: string;
  /** Undefined where this run cannot tell, or where there is nothing to meet. */
  met: boolean | undefined;
}

export function judge(results: Results): Bar[] {
  const ours = (quantity: Quantity): number | undefined => results.median(quantity, OURS);
  /** A figure of ours against an absolute limit. */
  const atMost = (what: string, bar: string, quantity: Quantity, limit: number): Bar => ({
    of: quantity.measure,
    what,
    bar,
    ...judged(ours(quantity), (it) => it <= limit, quantity.unit),
  });
  /** Ours as a multiple of another's. */
  const multiple = (
    what: string,
    bar: string,
    quantity: Quantity,
    peer: string,
    isMet: (times: number) => boolean,
  ): Bar => ({
    of: quantity.measure,
    what,
    bar,
    ...judged(ratio(ours(quantity), results.median(quantity, peer)), isMet, `× ${peer}`),
  });
  /** Ours is less than another's, by this factor. */
  const ahead = (what: string, quantity: Quantity, { name }: Peer, factor = 1): Bar =>
    multiple(
      what,
      factor === 1 ? `ahead of ${name}` : `${factor} × ahead of ${name}`,
      quantity,
      name,
      (times) => times * factor <= 1,
    );

  const [one, thousand] = [startQuantity(1), startQuantity(1000)];
  const [small, large] = [memoryQuantity('pss', 1), memoryQuantity('pss', 1000)];
  const pipe = throughput('pipe');
  const isTheirsHere = results.of(PUT_TO_FILE, THEIRS) !== undefined;
  /** The first hundred bring code into memory that the others find there. */
  const perService = (from: number): Bar => ({
    of: 'memory',
    what: `memory per further service, ${from} to 1,000`,
    bar: '≤ 20 kB RSS',
    ...judged(
      slope(ours(memoryQuantity('rss', from)), ours(memoryQuantity('rss', 1000)), 1000 - from),
      (it) => it <= 20,
      'kB',
    ),
  });
  return [
    multiple('start, 1 service', '≤ 1.25 × node -e 0', one, FLOOR, (times) => times <= 1.25),
    ahead('start, 1 service', one, supervisord, 4),
    ahead('start, 1 service', one, pm2, 4),
    multiple('start, 1,000 services', '≤ 0.7 × s6', thousand, s6.name, (times) => times <= 0.7),
    ...[runit, supervisord, pm2].map((peer) => ahead('start, 1,000 services', thousand, peer)),
    multiple('memory, 1 service, PSS', '≤ 1.15 × an idle node', small, FLOOR, (times) => times <= 1.15),
    ...[OURS, `${s6.name} and ${THEIRS}`, `${supervisord.name} and ${THEIRS}`].map((peer) => ({
      of: 'templater',
      what: `memory with a templater, ${peer}`,
      bar: 'reported',
      ...judged(results.median(templaterMemory('pss', 1), peer), undefined, 'kB PSS'),
    })),
    ...[1, 100].map(perService),
    ...[s6, runit].map((peer) => ahead('memory, 1,000 services, PSS', large, peer)),
    atMost('crash → running again', '≤ 5 ms', CRASH, 5),
    atMost('stop, 100 services', '≤ slowest service + 50 ms', stopQuantity(100), 50),
    atMost('idle', '0 wake-ups of PID 1 in 60 s', WAKEUPS, 0),
    multiple('log prefixing', '≥ 5 × supervisord', pipe, supervisord.name, (times) => times >= 5),
    multiple(
      'log prefixing',
      '≥ 5 × supervisord with a prefix',
      pipe,
      prefixingSupervisord.name,
      (times) => times >= 5,
    ),
    multiple('log prefixing', '≥ a third of s6-log', pipe, 's6-log', (times) => times >= 1 / 3),
    isTheirsHere
      ? multiple('PUT → file', `≤ 1.25 × ${THEIRS}`, PUT_TO_FILE, THEIRS, (times) => times <= 1.25)
      : multiple('PUT → file', '≤ 1.25 × a bare query', PUT_TO_FILE, FLOOR, (times) => times <= 1.25),
  ];
}

function judged(
  value: number | undefined,
  isMet: ((value: number) => boolean) | undefined,
  unit: string,
): Pick<Bar, 'measured' | 'met'> {
  if (value === undefined) return { measured: 'not measured', met: undefined };
  return { measured: `${figure(value)} ${unit}`, met: isMet?.(value) };
}

function ratio(value: number | undefined, base: number | undefined): number | undefined {
  return value === undefined || base === undefined ? undefined : value / base;
}

function slope(from: number | undefined, to: number | undefined, steps: number): number | undefined {
  return from === undefined || to === undefined ? undefined : (to - from) / steps;
}
