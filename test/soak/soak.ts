/**
 * Whether a tree that works for long grows, or slows down:
 *
 *   npm run soak [-- --cycles 10000 --requests 100000 --renders 10000]
 *
 * Two trees, each PID 1 of a namespace of its own, do so many crashes with finish script and hook, requests on the control
 * socket, and renders from a Consul agent and from a file, in ten equal rounds behind five to warm up; the first three are
 * held against the last three. Needs the built bundle, `unshare`, `mkfifo` and Consul (which is
 * fetched where there is none). Takes some ten minutes; prints one table, and exits 1 when something is beyond its limit.
 */
import { parseArgs } from 'node:util';
import { soak } from './run.ts';
import { table } from './table.ts';

const { values } = parseArgs({
  options: {
    cycles: { type: 'string', default: '10000' },
    requests: { type: 'string', default: '100000' },
    renders: { type: 'string', default: '10000' },
  },
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const report = await soak(
  {
    cycles: Number(values.cycles),
    requests: Number(values.requests),
    renders: Number(values.renders),
    settleMs: 2000,
    rounds: 10,
    warmUp: 5,
  },
  (line) => console.log(line),
);
const { text, broken } = table(report);
console.log(text);
if (broken.length > 0) process.exitCode = 1;
