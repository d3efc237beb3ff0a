import { readFileSync, watch } from 'node:fs';
import { oomCounters, parseOomKills } from '../core/cgroup.ts';

/** From the kernel's count of a kill to our hearing of the death that it caused, at the most. */
const EXPLAINS_MS = 2000;

/** Tells whether the kernel killed for lack of memory, by the counter of our control group. Read only when somebody asks. */
export class OomWatch {
  readonly #file: string | undefined;
  #accounted = 0;

  #forgetting: NodeJS.Timeout | undefined;

  /** Counts from now on. */
  constructor(file: string | undefined = findCounter()) {
    this.#file = file;
    this.#accounted = this.#count() ?? 0;
    if (file === undefined) return;
    try {
      // cgroup v2 says when it counts; v1 does not, and there a kill of nobody's waits for the next death.
      watch(file, { persistent: false }, () => this.#forgetLater()).on('error', () => {});
    } catch {
      // No inotify to be had.
    }
  }

  /** Whether there was such a kill that no death was explained with yet; if so, this one is. */
  explains(): boolean {
    const count = this.#count() ?? 0;
    if (count <= this.#accounted) return false;
    this.#accounted++;
    return true;
  }

  /** A kill that no death of ours came with was of somebody's child, and is not to explain a later death. */
  #forgetLater(): void {
    if (this.#forgetting) return;
    const seen = this.#count() ?? 0;
    if (seen <= this.#accounted) return;
    this.#forgetting = setTimeout(() => {
      this.#forgetting = undefined;
      this.#accounted = Math.max(this.#accounted, seen);
      this.#forgetLater();
    }, EXPLAINS_MS).unref();
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
