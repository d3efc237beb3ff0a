/** How big a process is, as the kernel and its own probe (probe.cjs) say. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes, and how many. */
export interface Figures {
  rss: number;
  pss: number;
  /** What V8 holds, garbage included: one sample says little. */
  heap: number;
  descriptors: number;
  threads: number;
  /** What keeps its loop alive: timers, sockets, pipes, children, requests. */
  handles: number;
}

export interface Subject {
  name: string;
  pid: number;
  /** Where its probe writes. */
  probes: string;
}

export function measure({ pid, probes }: Subject): Figures {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  // Its pid as it is known to itself: the innermost namespace comes last.
  const inner = /^NSpid:.*?(\d+)$/m.exec(status)?.[1] ?? String(pid);
  const probe = JSON.parse(readFileSync(join(probes, inner), 'utf8')) as { heap: number; handles: string[] };
  return {
    rss: kilobytes(status, 'VmRSS'),
    pss: kilobytes(rollup, 'Pss'),
    heap: probe.heap,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    threads: Number(/^Threads:\s+(\d+)$/m.exec(status)?.[1]),
    handles: probe.handles.length,
  };
}

/** Of each figure the median: V8 collects when it likes to. */
export function medianOf(samples: readonly Figures[]): Figures {
  const of = (name: keyof Figures): number => median(samples.map((sample) => sample[name]));
  return {
    rss: of('rss'),
    pss: of('pss'),
    heap: of('heap'),
    descriptors: of('descriptors'),
    threads: of('threads'),
    handles: of('handles'),
  };
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The slope of the line that fits best (least squares), in units of y by units of x; 0 for fewer than two points. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (at: 0 | 1): number => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  let [above, below] = [0, 0];
  for (const [x, y] of points) {
    above += (x - meanX) * (y - meanY);
    below += (x - meanX) ** 2;
  }
  return below === 0 ? 0 : above / below;
}

function kilobytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024;
}
