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

interface Sent {
  signal: number;
  at: number;
}

/** What lasts on a little when its cause is over. */
const AFTERMATH_MS = 1000;

export class Ledger {
  readonly #signals = new Map<number, Sent[]>();
  readonly #ordered = new Map<string, Sent[]>();
  readonly toPid1: Sent[] = [];
  readonly #hardships: Interval[] = [];
  /** Of each finish that was killed: the pid of the run that it is about. */
  readonly finishes = new Set<string>();
  /** Of each crash hook that was killed: its arguments. */
  hooks = 0;
  /** Names that somebody ordered down, or once: when that was. */
  readonly unwanted = new Map<string, number>();

  /** A signal to a process, from outside. */
  sent(pid: number, signal: number): void {
    append(this.#signals, pid, { signal, at: performance.now() });
  }

  /** A signal to a service, through the socket. */
  ordered(name: string, signal: number): void {
    append(this.#ordered, name, { signal, at: performance.now() });
  }

  /** All that a run may have got from the adversary while it lived. */
  signalsTo(name: string, pid: number, from: number, to: number): number[] {
    const during = ({ at }: Sent): boolean => at >= from - AFTERMATH_MS && at <= to + AFTERMATH_MS;
    return [
      ...(this.#signals.get(pid) ?? []).filter(during),
      ...(this.#ordered.get(name) ?? []).filter(during),
    ].map(({ signal }) => signal);
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

function append<K>(map: Map<K, Sent[]>, key: K, sent: Sent): void {
  const list = map.get(key);
  if (list) list.push(sent);
  else map.set(key, [sent]);
}
