/** What the adversary did to one tree, as far as it explains an end. Pids are those of the namespace; times are `performance.now()`. */
export type Hardship =
  /** No descriptors, no processes: what a shell needs may be refused to it. */
  | 'no descriptors'
  | 'no processes'
  | 'no disk'
  /** Our stdout has no reader. */
  | 'no reader'
  /** The scandir is not as it was, or is gone. */
  | 'scandir'
  /** PID 1 is stopped. */
  | 'frozen'
  /** Nobody new gets through to the socket. */
  | 'no control';

interface Interval {
  what: Hardship;
  from: number;
  to: number;
}

export interface Sent {
  signal: number;
  at: number;
}

/** What lasts on a little when its cause is over. */
const AFTERMATH_MS = 1000;
/** How long a run may live before we hear of it: PID 1 is frozen as it comes up, or nobody gets through to it. */
const UNHEARD_MS = 10_000;

export class Ledger {
  readonly #signals = new Map<number, (Sent & { isHeard: boolean })[]>();
  readonly #ordered = new Map<string, Sent[]>();
  readonly toPid1: Sent[] = [];
  readonly #hardships: Interval[] = [];
  /** Of each finish that was killed: the pid of the run that it is about. */
  readonly finishes = new Set<string>();
  /** Of each crash hook that was killed: its arguments. */
  hooks = 0;
  /** Names that somebody ordered down, or once: when that was. */
  readonly unwanted = new Map<string, number>();

  /** A signal to a process, from outside. @param isHeard the tree has told us of it */
  sent(pid: number, signal: number, isHeard: boolean): void {
    append(this.#signals, pid, { signal, at: performance.now(), isHeard });
  }

  /** A signal to a service, through the socket: it may wait there for a run that has yet to begin. */
  ordered(name: string, signal: number): void {
    append(this.#ordered, name, { signal, at: performance.now() });
  }

  /**
   * Takes the order that this signal came of.
   * @returns whether there was one, of that time or before
   */
  takeOrder(name: string, { signal, at }: Sent): boolean {
    const orders = this.#ordered.get(name) ?? [];
    const index = orders.findIndex((order) => order.signal === signal && order.at <= at);
    if (index >= 0) orders.splice(index, 1);
    return index >= 0;
  }

  /** All that a run may have got from outside while it lived. */
  signalsTo(pid: number, from: number, to: number): number[] {
    return (this.#signals.get(pid) ?? [])
      .filter(
        ({ at, isHeard }) => at >= from - (isHeard ? AFTERMATH_MS : UNHEARD_MS) && at <= to + AFTERMATH_MS,
      )
      .map(({ signal }) => signal);
  }

  /** @returns ends it */
  begin(what: Hardship): () => void {
    const interval = { what, from: performance.now(), to: Number.POSITIVE_INFINITY };
    this.#hardships.push(interval);
    return () => {
      interval.to = Math.min(interval.to, performance.now());
    };
  }

  /** Whether there was any of these in that time. */
  suffered(kinds: readonly Hardship[], from: number, to: number, aftermath = AFTERMATH_MS): boolean {
    return this.#hardships.some(
      (each) => kinds.includes(each.what) && each.from <= to && each.to + aftermath >= from,
    );
  }
}

function append<K, V>(map: Map<K, V[]>, key: K, sent: V): void {
  const list = map.get(key);
  if (list) list.push(sent);
  else map.set(key, [sent]);
}
