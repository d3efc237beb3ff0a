import { readFileSync } from 'node:fs';
import { oomCounters, parseOomKills } from '../core/cgroup.ts';

/** Tells whether the kernel killed for lack of memory, by the counter of our control group. Read only when somebody asks. */
export class OomWatch {
  readonly #file: string | undefined;
  #accounted = 0;

  /** Counts from now on. */
  constructor() {
    this.#file = findCounter();
    this.#accounted = this.#count() ?? 0;
  }

  /** Whether there was such a kill that no death was explained with yet; if so, this one is. */
  explains(): boolean {
    const count = this.#count() ?? 0;
    if (count <= this.#accounted) return false;
    this.#accounted++;
    return true;
  }

  #count(): number | undefined {
    return this.#file === undefined ? undefined : parseOomKills(readText(this.#file) ?? '');
  }
}

function findCounter(): string | undefined {
  const candidates = oomCounters(readText('/proc/self/cgroup') ?? '', readText('/proc/self/mountinfo') ?? '');
  return candidates.find((path) => parseOomKills(readText(path) ?? '') !== undefined);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
