import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startConsul } from '../consul.ts';
import { CYCLING, cycles, makePipes } from './cycles.ts';
import type { Load } from './load.ts';
import { type Figures, measure, medianOf, type Subject, slopeOf } from './measure.ts';
import { consulSource, fileSource, RENDERED, renders } from './renders.ts';
import { ASKED, requests } from './requests.ts';
import { startWorld } from './world.ts';

export interface SoakOptions {
  cycles: number;
  requests: number;
  /** Half of them from Consul, half from a file. */
  renders: number;
  /** How long everything is left alone ahead of a measure, in ms. */
  settleMs: number;
  /** How many samples a measure is the median of; two a second. */
  samples: number;
}

export interface SoakReport {
  subjects: { name: string; before: Figures; after: Figures }[];
  loads: {
    name: string;
    operations: number;
    seconds: number;
    /** Latencies in ms of the first and of the last thousand operations; a render's is that of all files that change with it. */
    first: number[];
    last: number[];
    /** How RSS went meanwhile, in bytes by operation, of each subject. */
    slopes: Map<string, number>;
  }[];
}

const SAMPLE_MS = 500;
/**
 * What is done once before anything is measured, as a part of all: V8 compiles what is hot, its heap and malloc's find their
 * size. Of a templater's rescans that takes some hundreds.
 */
const WARM_UP = 0.5;
/** So many operations at the beginning are held against as many at the end; of few operations a fifth. */
const COMPARED = 1000;
/** No waiting: a latency is then ours alone. New config proves good soon, and has no part in what is measured. */
const SETTINGS = { SUPERVISE_WAIT: '0', SUPERVISE_SETTLE: '100ms' };

/** Runs all of it. @throws Error when an answer, a restart or a file does not come out as it must */
export async function soak(options: SoakOptions, say: (line: string) => void): Promise<SoakReport> {
  const ends: (() => unknown)[] = [];
  try {
    const consul = await startConsul();
    ends.push(() => consul.stop());
    const directory = mkdtempSync(join(tmpdir(), 'supervise-soak-'));
    ends.push(() => rmSync(directory, { recursive: true, force: true }));
    const path = join(directory, 'kv.json');
    const sources = { Consul: consulSource(consul), 'a file': fileSource(path) };
    for (const change of Object.values(sources)) await change(0);

    const busy = await startWorld(
      'busy tree',
      { ...CYCLING, ...ASKED, ...RENDERED },
      { ...SETTINGS, CONSUL_HTTP_ADDR: consul.address },
      makePipes,
    );
    ends.push(() => busy.stop());
    const second = await startWorld(
      'second tree',
      RENDERED,
      { ...SETTINGS, SUPERVISE_SOURCE: `file:${path}` },
      () => {},
    );
    ends.push(() => second.stop());
    const crashing = cycles(busy.directory);
    const asking = requests(busy.socket);
    ends.push(crashing.close, asking.close);
    const half = Math.ceil(options.renders / 2);
    const loads: [Load, number][] = [
      [crashing, options.cycles],
      [asking, options.requests],
      [renders('a value in Consul', busy.directory, sources.Consul), half],
      [renders('a value in a file', second.directory, sources['a file']), half],
    ];
    const subjects = [...busy.subjects, ...second.subjects];

    const warmUp = loads.map(([load, count]) => [load, Math.ceil(count * WARM_UP)] as const);
    say(
      `warming up with ${WARM_UP * 100} % of all: ${warmUp.map(([{ name }, count]) => `${count} × ${name}`).join(', ')}`,
    );
    for (const [load, count] of warmUp) await load.run(count, () => {});
    say(`settling for ${options.settleMs / 1000} s, then measuring`);
    const before = await measureAll(subjects, options);
    const results: SoakReport['loads'] = [];
    for (const [load, count] of loads) {
      say(`${count} × ${load.name}`);
      results.push(await observe(load, count, subjects));
    }
    say(`settling for ${options.settleMs / 1000} s, then measuring`);
    const after = await measureAll(subjects, options);
    return {
      subjects: subjects.map(({ name }, i) => ({
        name,
        before: before[i] as Figures,
        after: after[i] as Figures,
      })),
      loads: results,
    };
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

async function measureAll(
  subjects: readonly Subject[],
  { settleMs, samples }: SoakOptions,
): Promise<Figures[]> {
  await pause(settleMs);
  const all: Figures[][] = subjects.map(() => []);
  for (let i = 0; i < samples; i++) {
    await pause(SAMPLE_MS);
    for (const [j, subject] of subjects.entries()) all[j]?.push(measure(subject));
  }
  return all.map(medianOf);
}

async function observe(
  load: Load,
  count: number,
  subjects: readonly Subject[],
): Promise<SoakReport['loads'][number]> {
  const latencies: { ms: number; done: number }[] = [];
  let done = 0;
  const points = new Map(subjects.map(({ name }) => [name, [] as [number, number][]]));
  const timer = setInterval(() => {
    for (const subject of subjects) points.get(subject.name)?.push([done, measure(subject).rss]);
  }, SAMPLE_MS);
  const started = performance.now();
  try {
    await load.run(count, (ms, operations) => {
      done += operations;
      latencies.push({ ms, done });
    });
  } finally {
    clearInterval(timer);
  }
  const compared = Math.min(COMPARED, count / 5);
  const of = (fits: (done: number) => boolean): number[] =>
    latencies.filter((each) => fits(each.done)).map(({ ms }) => ms);
  return {
    name: load.name,
    operations: done,
    seconds: (performance.now() - started) / 1000,
    first: of((at) => at <= compared),
    last: of((at) => at > done - compared),
    slopes: new Map([...points].map(([name, each]) => [name, slopeOf(each)])),
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
