import type { Ms } from './core/duration.ts';
import type { Log } from './log.ts';
import { Patience } from './patience.ts';

/** Whoever waits this long is told of, with what it waits for. */
const PATIENCE: Ms = 5000;

/** Something that keeps a service from starting. */
export interface Lack {
  what: string;
  /** How that stands; no news of its own. */
  state?: string;
}

export interface WaitingListener {
  /** What keeps a service that is to start from it; none for any other. */
  lacksOf(service: string): readonly Lack[];
  log(service: string): Log | undefined;
}

/** Says what services wait for that have waited for long; and again, once, for each other thing that it turns out to be. */
export class Waiting {
  readonly #listener: WaitingListener;
  /** Service → all that was said of it since it was to start. */
  readonly #told = new Map<string, Set<string>>();
  readonly #patience: Patience;

  constructor(listener: WaitingListener, patience = PATIENCE) {
    this.#listener = listener;
    this.#patience = new Patience(patience, (service) => this.#tell(service));
  }

  /** A service waits; called again when it waits for something else. */
  begin(service: string, lacks: readonly Lack[]): void {
    if (!this.#told.get(service)?.has(summary(lacks))) this.#patience.begin(service);
  }

  /** It is started, or is not to be any more. */
  forget(service: string): void {
    this.#told.delete(service);
    this.#patience.forget(service);
  }

  #tell(service: string): void {
    this.#patience.forget(service);
    const lacks = this.#listener.lacksOf(service);
    const told = this.#told.get(service) ?? new Set();
    const all = summary(lacks);
    if (lacks.length === 0 || told.has(all)) return;
    this.#told.set(service, told.add(all));
    this.#listener.log(service)?.warn('still waiting', { for: lacks.map(inWords).join(', ') });
  }
}

export function inWords({ what, state }: Lack): string {
  return state === undefined ? what : `${what} (${state})`;
}

function summary(lacks: readonly Lack[]): string {
  return lacks.map(({ what }) => what).join('\n');
}
