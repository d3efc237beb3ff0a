/** What the services and hooks themselves have written down, read on as it grows. */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { truthName } from './services.ts';

/** One run, as it and its finish tell. */
export interface Told {
  pid: number;
  started: boolean;
  /** How it said that it was about to end. */
  declared: { code: number; signal: number }[];
  finishes: { code: number; signal: number }[];
  /** It was already followed by another run when its finish was told, or has found one alive. */
  overlap: string | undefined;
}

export class Truth {
  readonly runs = new Map<string, Told[]>();
  /** Lines of the crash hook: service, code, signal, crashes in a row, ms. */
  readonly crashes: string[] = [];
  readonly finish: string[] = [];
  readonly #directory: string;
  readonly #read = new Map<string, number>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  readOn(names: Iterable<string>): void {
    this.crashes.push(...this.#lines('.crash'));
    this.finish.push(...this.#lines('.finish'));
    for (const name of names) {
      const runs = this.runs.get(name) ?? [];
      this.runs.set(name, runs);
      for (const line of this.#lines(truthName(name))) take(runs, line);
    }
  }

  /** Whole lines that have come since the last time. */
  #lines(name: string): string[] {
    let fd: number;
    try {
      fd = openSync(join(this.#directory, name), 'r');
    } catch {
      return [];
    }
    const from = this.#read.get(name) ?? 0;
    const chunks: Buffer[] = [];
    for (let at = from; ; ) {
      const chunk = Buffer.alloc(65_536);
      const length = readSync(fd, chunk, 0, chunk.length, at);
      if (length === 0) break;
      chunks.push(chunk.subarray(0, length));
      at += length;
    }
    closeSync(fd);
    const bytes = Buffer.concat(chunks);
    const end = bytes.lastIndexOf(0x0a) + 1;
    this.#read.set(name, from + end);
    return bytes.toString('utf8', 0, end).split('\n').slice(0, -1);
  }
}

function take(runs: Told[], line: string): void {
  const [word, ...numbers] = line.split(' ');
  const [a = 0, b = 0, c = 0] = numbers.map(Number);
  const pid = word === 'finish' ? c : word === 'start' || word === 'two' ? a : b;
  const last = runs.at(-1);
  if (word === 'two') {
    runs.push({ pid, started: false, declared: [], finishes: [], overlap: `pid ${a} found pid ${b} alive` });
    return;
  }
  let run = last?.pid === pid && !(word === 'start' && last.started) ? last : undefined;
  if (!run && word === 'finish')
    run = runs.findLast((each) => each.pid === pid && each.finishes.length === 0);
  if (run && run !== last)
    run.overlap = `the finish of pid ${pid} was told after pid ${last?.pid} had started`;
  if (!run) {
    run = { pid, started: false, declared: [], finishes: [], overlap: undefined };
    runs.push(run);
  }
  if (word === 'start') run.started = true;
  else if (word === 'exit') run.declared.push({ code: a, signal: 0 });
  else if (word === 'kill') run.declared.push({ code: 256, signal: a });
  else if (word === 'finish') run.finishes.push({ code: a, signal: b });
}
