/** What the adversary's faults have in hand: the tree that lives now, what is known of it, and what is held until it is let go. */
import { availableParallelism, loadavg } from 'node:os';
import type { Arena } from './arena.ts';
import type { Book } from './book.ts';
import type { ConsulSide } from './consul-side.ts';
import type { Ledger } from './ledger.ts';
import { innerPid, type Process, processes } from './processes.ts';
import type { Random } from './random.ts';
import type { Company } from './services.ts';
import type { Subject } from './subject.ts';
import type { Verdicts } from './verdicts.ts';

export interface World {
  readonly arena: Arena;
  readonly company: Company;
  readonly consul: ConsulSide;
  readonly verdicts: Verdicts;
  readonly held: Held;
  /** Orders that have yet to be answered. */
  errands: Promise<unknown>[];
  /** These are of the tree that lives now. */
  subject: Subject;
  ledger: Ledger;
  book: Book;
}

export interface Fault {
  name: string;
  weight: number;
  /** What it holds; it is passed over while that is held. */
  holds?: string;
  /** @returns what was done, in words that can be read years later */
  act(world: World, random: Random): string | Promise<string>;
}

/** Faults that last: each is ended by its time, or by the calm. */
export class Held {
  readonly #ends = new Map<string, { end: () => void | Promise<void>; timer: NodeJS.Timeout }>();

  has(name: string): boolean {
    return this.#ends.has(name);
  }

  get names(): string[] {
    return [...this.#ends.keys()];
  }

  hold(name: string, ms: number, end: () => void | Promise<void>): void {
    const timer = setTimeout(() => void this.release(name), ms);
    this.#ends.set(name, { end, timer });
  }

  async release(name: string): Promise<void> {
    const held = this.#ends.get(name);
    if (!held) return;
    this.#ends.delete(name);
    clearTimeout(held.timer);
    await held.end();
  }

  async releaseAll(): Promise<void> {
    await Promise.all(this.names.map((name) => this.release(name)));
  }
}

/** The run of a service, if it lives. */
export function runOf(
  { book, subject }: World,
  name: string,
): { process: Process; inner: number } | undefined {
  const run = book.running.get(name);
  if (!run) return undefined;
  const process = processes().find(({ pid, ppid, state }) => {
    return ppid === subject.pid && state !== 'Z' && innerPid(pid) === run.pid;
  });
  return process && { process, inner: run.pid };
}

/** A bound of so many ms, where each CPU has one thing to do; what all of them share takes longer. */
export function patience(ms: number): number {
  return ms * Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
