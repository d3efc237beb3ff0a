/** What was done, what was looked at, and the first thing that was not as it must be. */
import type { KNOWN } from './known.ts';

export interface Violation {
  invariant: string;
  expected: string;
  seen: string;
  step: number;
}

export interface Step {
  step: number;
  /** Ms from the beginning. */
  at: number;
  fault: string;
  what: string;
}

export class Verdicts {
  readonly faults = new Map<string, number>();
  readonly checks = new Map<string, number>();
  readonly known = new Map<string, number>();
  readonly steps: Step[] = [];
  violation: Violation | undefined;
  /** Settled by the first violation. */
  readonly violated: Promise<void>;
  #violated = (): void => {};

  constructor() {
    this.violated = new Promise((resolve) => {
      this.#violated = resolve;
    });
  }

  did(fault: string): void {
    add(this.faults, fault);
  }

  checked(invariant: string, times = 1): void {
    add(this.checks, invariant, times);
  }

  isKnown(what: typeof KNOWN extends ReadonlySet<infer T> ? T : never): void {
    add(this.known, what);
  }

  /** Of what is wrong the first counts: what follows may be its consequence. */
  violate(invariant: string, expected: string, seen: string): void {
    this.violation ??= { invariant, expected, seen, step: this.steps.at(-1)?.step ?? 0 };
    this.#violated();
  }
}

function add(counts: Map<string, number>, name: string, times = 1): void {
  counts.set(name, (counts.get(name) ?? 0) + times);
}
