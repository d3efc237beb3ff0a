/** One run of a supervisor, from its exec until nothing of it is left. */
import type { ChildProcess } from 'node:child_process';
import { type Bell, within } from './bell.ts';
import type { Service } from './peers/peer.ts';

/** Nobody takes longer who works at all. */
const LIMIT_MS = 120_000;

interface Parts {
  /** When it was executed, as performance.now() says. */
  started: number;
  child: ChildProcess;
  bell: Bell;
  services: number;
  stopSignal: NodeJS.Signals;
  discard: () => void;
}

export class Life {
  readonly #parts: Parts;
  readonly #exited: Promise<number>;
  /** The services' pids, once they run. */
  pids: number[] = [];
  /** When the last of them started, as performance.now() says. */
  since = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#exited = new Promise((resolve, reject) => {
      parts.child.once('exit', () => resolve(performance.now()));
      parts.child.once('error', reject);
    });
    // Whoever waits is told; here nobody does yet.
    this.#exited.catch(() => {});
  }

  get pid(): number {
    return this.#parts.child.pid ?? 0;
  }

  get bell(): Bell {
    return this.#parts.bell;
  }

  /** ms from exec until the last service runs its first line. */
  async running(): Promise<number> {
    const { bell, services, started } = this.#parts;
    const rings = await Promise.race([
      bell.rings(services, LIMIT_MS),
      this.#exited.then(() => {
        throw new Error('it ended before its services ran');
      }),
    ]);
    this.pids = rings.map(({ line }) => Number(line));
    this.since = rings.at(-1)?.at ?? started;
    return this.since - started;
  }

  /** When its one service ran again. */
  async again(limitMs: number): Promise<number> {
    const [ring] = await this.#parts.bell.rings(1, limitMs);
    this.pids = [Number(ring?.line)];
    this.since = ring?.at ?? Number.NaN;
    return this.since;
  }

  /** ms from the signal until the supervisor and all services are gone. */
  async stop(): Promise<number> {
    const { bell, child, stopSignal } = this.#parts;
    const told = performance.now();
    child.kill(stopSignal);
    const silent = await bell.silence(LIMIT_MS);
    const exited = await within(LIMIT_MS, 'its end', this.#exited);
    return Math.max(silent, exited) - told;
  }

  /** Nothing is left of it after this. */
  end(): void {
    this.#parts.bell.close();
    this.#parts.discard();
  }
}

/** `count` services that tell when they run, and end at once when told to. */
export function wellBehaved(count: number): Service[] {
  const run = '#!/bin/sh\nexec 9>"$BELL"\necho $$ >&9\nexec sleep 100000\n';
  return Array.from({ length: count }, (_, i) => ({ name: `s${String(i).padStart(4, '0')}`, run }));
}
