/** What was measured, and what could not be. */

/** One figure, of which each peer has samples. */
export interface Quantity {
  measure: string;
  /** What it is, as the table's heading says. */
  what: string;
  unit: string;
  /** For throughput: greater is better. */
  greater?: boolean;
}

export interface Series extends Quantity {
  peer: string;
  samples: number[];
}

export const FLOOR = 'floor';
export const OURS = 'supervise';

export class Results {
  readonly series: Series[] = [];
  /** What was not run, or not as often, and why. */
  readonly unrun: string[] = [];
  readonly #order: readonly string[];

  /** @param order the peers as tables show them */
  constructor(order: readonly string[]) {
    this.#order = order;
  }

  add(quantity: Quantity, peer: string, sample: number): void {
    const known = this.of(quantity, peer);
    if (known) known.samples.push(sample);
    else this.series.push({ ...quantity, peer, samples: [sample] });
  }

  of({ measure, what }: Pick<Quantity, 'measure' | 'what'>, peer: string): Series | undefined {
    return this.series.find((one) => one.measure === measure && one.what === what && one.peer === peer);
  }

  /** All peers' samples of it, as tables show them. */
  all({ measure, what }: Quantity): Series[] {
    // Who is no peer, but a way to use one, comes last, in the order in which it came.
    const place = ({ peer }: Series): number =>
      (this.#order.indexOf(peer) + 1 || Number.MAX_SAFE_INTEGER) - 1;
    return this.series
      .filter((one) => one.measure === measure && one.what === what)
      .sort((a, b) => place(a) - place(b));
  }

  median(quantity: Pick<Quantity, 'measure' | 'what'>, peer: string): number | undefined {
    const series = this.of(quantity, peer);
    return series && share(series.samples, 0.5);
  }

  /** Said once, however often it is found. */
  say(what: string): void {
    if (!this.unrun.includes(what)) this.unrun.push(what);
  }
}

/** The sample below which this share of them lies; the median is the mean of the two in the middle. */
export function share(samples: readonly number[], part: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const place = (sorted.length - 1) * part;
  const low = sorted[Math.floor(place)] ?? Number.NaN;
  const high = sorted[Math.ceil(place)] ?? Number.NaN;
  return low + (high - low) * (place - Math.floor(place));
}
