/** What the project promises of its speed and size, held against a run. */
import { startQuantity, stopQuantity } from './lives.ts';
import { CRASH } from './measures/crash.ts';
import { WAKEUPS } from './measures/idle.ts';
import { throughput } from './measures/logs.ts';
import { memoryQuantity } from './measures/memory.ts';
import { PUT_TO_FILE, THEIRS, templaterMemory } from './measures/templater.ts';
import { pm2 } from './peers/pm2.ts';
import { runit } from './peers/runit.ts';
import { s6 } from './peers/s6.ts';
import { supervisord } from './peers/supervisord.ts';
import { FLOOR, OURS, type Quantity, type Results } from './results.ts';
import { figure } from './table.ts';

export interface Bar {
  measure: string;
  bar: string;
  measured: string;
  /** Undefined where this run cannot tell, or where there is nothing to meet. */
  met: boolean | undefined;
}

export function judge(results: Results): Bar[] {
  const ours = (quantity: Quantity): number | undefined => results.median(quantity, OURS);
  const of = (quantity: Quantity, peer: string): number | undefined => results.median(quantity, peer);
  const perService = slope(ours(memoryQuantity('rss', 1)), ours(memoryQuantity('rss', 1000)), 999);

  const most = (
    measure: string,
    bar: string,
    value: number | undefined,
    limit: number,
    unit: string,
  ): Bar => ({
    measure,
    bar: `≤ ${bar}`,
    ...judged(value, (it) => it <= limit, unit),
  });
  const least = (
    measure: string,
    bar: string,
    value: number | undefined,
    limit: number,
    unit: string,
  ): Bar => ({
    measure,
    bar: `≥ ${bar}`,
    ...judged(value, (it) => it >= limit, unit),
  });
  /** Ours against another's, less being better. */
  const ahead = (measure: string, quantity: Quantity, peer: string, factor: number): Bar =>
    least(
      measure,
      `${factor === 1 ? '' : `${factor} × `}ahead of ${peer}`,
      ratio(of(quantity, peer), ours(quantity)),
      factor,
      '×',
    );

  const one = startQuantity(1);
  const thousand = startQuantity(1000);
  const memory = memoryQuantity('pss', 1000);
  const pipe = throughput('pipe');
  const put = PUT_TO_FILE;
  return [
    most('start, 1 service', '1.25 × node -e 0', ratio(ours(one), of(one, FLOOR)), 1.25, '×'),
    ahead('start, 1 service', one, supervisord.name, 4),
    ahead('start, 1 service', one, pm2.name, 4),
    most('start, 1,000 services', `0.7 × ${s6.name}`, ratio(ours(thousand), of(thousand, s6.name)), 0.7, '×'),
    ...[runit, supervisord, pm2].map(({ name }) => ahead('start, 1,000 services', thousand, name, 1)),
    most(
      'memory, 1 service',
      '1.15 × an idle node, PSS',
      ratio(ours(memoryQuantity('pss', 1)), of(memoryQuantity('pss', 1), FLOOR)),
      1.15,
      '×',
    ),
    ...[OURS, s6.name, supervisord.name].map((name) => {
      const peer = name === OURS ? OURS : `${name} and ${THEIRS}`;
      return {
        measure: name === OURS ? 'memory, supervisor and templater' : `memory, ${peer}`,
        bar: 'reported',
        ...judged(of(templaterMemory('pss', 1), peer), undefined, 'kB PSS'),
      };
    }),
    most('memory per further service', '20 kB RSS', perService, 20, 'kB'),
    ...[s6, runit].map(({ name }) => ahead('memory, 1,000 services', memory, name, 1)),
    most('crash → running again', '5 ms', ours(CRASH), 5, 'ms'),
    most('stop, 100 services', 'slowest service + 50 ms', ours(stopQuantity(100)), 50, 'ms'),
    most('idle', '0 wake-ups of PID 1 in 60 s', ours(WAKEUPS), 0, 'a minute'),
    least('log prefixing', `5 × ${supervisord.name}`, ratio(ours(pipe), of(pipe, supervisord.name)), 5, '×'),
    least('log prefixing', 'a third of s6-log', ratio(ours(pipe), of(pipe, 's6-log')), 1 / 3, '×'),
    of(put, THEIRS) === undefined
      ? most('PUT → file', '1.25 × a bare blocking query', ratio(ours(put), of(put, FLOOR)), 1.25, '×')
      : most('PUT → file', `1.25 × ${THEIRS}`, ratio(ours(put), of(put, THEIRS)), 1.25, '×'),
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
