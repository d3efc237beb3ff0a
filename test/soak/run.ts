import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startConsul } from '../consul.ts';
import { CYCLING, cycles, makePipes } from './cycles.ts';
import type { Load } from './load.ts';
import { type Figures, measure, median, medianOf, type Subject, slopeOf } from './measure.ts';
import { consulSource, fileSource, RENDERED, renders } from './renders.ts';
import { ASKED, requests } from './requests.ts';
import { startWorld } from './world.ts';

export interface SoakOptions {
  cycles: number;
  requests: number;
  /** Half of them from Consul, half from a file. */
  renders: number;
  /** How long everything is left alone at the end of a round, in ms. */
  settleMs: number;
  /**
   * All is done in so many equal rounds, and what a process takes is the median of many samples over several of them: V8
   * collects when it likes to, so one moment says nothing.
   */
  rounds: number;
  /** Rounds ahead of all that, in which the code gets hot, and heaps find their size. */
  warmUp: number;
}

export interface SoakReport {
  /** `slope`: how its RSS went, in bytes a round, by the line that fits all rounds best. */
  subjects: { name: string; before: Figures; after: Figures; slope: number }[];
  loads: {
    name: string;
    operations: number;
    seconds: number;
    /** Latencies in ms of the first and of the last thousand operations; a render's is that of all files that change with it. */
    first: number[];
    last: number[];
  }[];
}

/** The first and the last so many rounds are held against each other; of few rounds less than half. */
const COMPARED_ROUNDS = 3;
/** Of few operations a fifth. */
const COMPARED_OPERATIONS = 1000;
const SAMPLE_MS = 500;
/** At rest. */
const SAMPLES = 3;
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

    const services = { ...CYCLING, ...ASKED, ...RENDERED };
    const env = { ...SETTINGS, CONSUL_HTTP_ADDR: consul.address };
    const busy = await startWorld('busy tree', services, env, makePipes);
    ends.push(() => busy.stop());
    const fileEnv = { ...SETTINGS, SUPERVISE_SOURCE: `file:${path}` };
    const second = await startWorld('second tree', RENDERED, fileEnv, () => {});
    ends.push(() => second.stop());
    const crashing = cycles(busy.directory);
    const asking = requests(busy.socket);
    ends.push(crashing.close, asking.close);
    const half = options.renders / 2 / options.rounds;
    const works = [
      new Work(crashing, options.cycles / options.rounds),
      new Work(asking, options.requests / options.rounds),
      new Work(renders('a value in Consul', busy.directory, sources.Consul), half),
      new Work(renders('a value in a file', second.directory, sources['a file']), half),
    ];
    const subjects = [...busy.subjects, ...second.subjects];

    say(`a round: ${works.map(({ share, load }) => `${share} × ${load.name}`).join(', ')}`);
    say(`${options.warmUp} rounds to warm up, ${options.rounds} that are measured`);
    for (let i = 0; i < options.warmUp; i++) await round(works, subjects, options);
    for (const work of works) work.begin();
    const rounds: Round[] = [];
    for (let i = 1; i <= options.rounds; i++) {
      say(`round ${i} of ${options.rounds}`);
      rounds.push(await round(works, subjects, options));
    }
    return {
      subjects: subjects.map(({ name }, i) =>
        compare(
          name,
          rounds.map((each) => each[i] ?? NOTHING),
        ),
      ),
      loads: works.map((work) => work.report()),
    };
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

/** Of each subject: its RSS all the time, and all of its figures at rest. */
type Round = { rss: number[]; atRest: Figures[] }[];
const NOTHING: Round[number] = { rss: [], atRest: [] };

async function round(
  works: readonly Work[],
  subjects: readonly Subject[],
  options: SoakOptions,
): Promise<Round> {
  const found: Round = subjects.map(() => ({ rss: [], atRest: [] }));
  const sample = (): Figures[] =>
    subjects.map((subject, i) => {
      const figures = measure(subject);
      found[i]?.rss.push(figures.rss);
      return figures;
    });
  const timer = setInterval(sample, SAMPLE_MS);
  try {
    for (const work of works) await work.run();
    await pause(options.settleMs);
  } finally {
    clearInterval(timer);
  }
  for (let i = 0; i < SAMPLES; i++) {
    await pause(SAMPLE_MS);
    for (const [j, figures] of sample().entries()) found[j]?.atRest.push(figures);
  }
  return found;
}

function compare(name: string, rounds: readonly Round[number][]): SoakReport['subjects'][number] {
  const over = (some: readonly Round[number][]): Figures => {
    const rest = medianOf(some.flatMap(({ atRest }) => atRest));
    return { ...rest, rss: median(some.flatMap(({ rss }) => rss)) };
  };
  const compared = Math.min(COMPARED_ROUNDS, Math.floor(rounds.length / 2));
  return {
    name,
    before: over(rounds.slice(0, compared)),
    after: over(rounds.slice(-compared)),
    slope: slopeOf(rounds.map(({ rss }, i) => [i, median(rss)])),
  };
}

/** One load, round by round. */
class Work {
  readonly load: Load;
  /** Operations of a round. */
  readonly share: number;
  #latencies: { ms: number; done: number }[] = [];
  #done = 0;
  #seconds = 0;

  constructor(load: Load, share: number) {
    this.load = load;
    this.share = Math.ceil(share);
  }

  /** Forgets what was done to warm up. */
  begin(): void {
    this.#latencies = [];
    this.#done = 0;
    this.#seconds = 0;
  }

  async run(): Promise<void> {
    const started = performance.now();
    await this.load.run(this.share, (ms, operations) => {
      this.#done += operations;
      this.#latencies.push({ ms, done: this.#done });
    });
    this.#seconds += (performance.now() - started) / 1000;
  }

  report(): SoakReport['loads'][number] {
    const operations = this.#done;
    const compared = Math.min(COMPARED_OPERATIONS, operations / 5);
    const of = (fits: (done: number) => boolean): number[] =>
      this.#latencies.filter(({ done }) => fits(done)).map(({ ms }) => ms);
    return {
      name: this.load.name,
      operations,
      seconds: this.#seconds,
      first: of((done) => done <= compared),
      last: of((done) => done > operations - compared),
    };
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
