/** A ring starts small: most services say little. */
const FIRST_BYTES = 4096;
/** The last that is kept of each service. */
export const TAIL_BYTES = 65_536;

const NEWLINE = 0x0a;

/** The last output of a service, both streams in the order in which their lines came, and whoever follows it. */
export class Tail {
  #ring = Buffer.alloc(0);
  /** Bytes that the ring holds, and where the next goes. */
  #size = 0;
  #next = 0;
  /** The stream that is in the middle of a line. */
  #open: string | undefined;
  readonly #followers = new Set<(bytes: Buffer) => void>();

  /** Takes whole lines, or a piece of one. The bytes are copied. */
  add(stream: string, bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#open !== undefined && this.#open !== stream) this.#take(Buffer.from('\n'));
    this.#open = bytes[bytes.length - 1] === NEWLINE ? undefined : stream;
    this.#take(bytes);
  }

  /** A copy of what is kept, oldest first; it may begin in the middle of a line. */
  bytes(): Buffer {
    const start = (this.#next - this.#size + this.#ring.length) % (this.#ring.length || 1);
    return start < this.#next || this.#size === 0
      ? Buffer.from(this.#ring.subarray(start, start + this.#size))
      : Buffer.concat([this.#ring.subarray(start), this.#ring.subarray(0, this.#next)]);
  }

  /** The same, from the beginning of a line. */
  lines(): Buffer {
    const bytes = this.bytes();
    return this.#size < TAIL_BYTES ? bytes : bytes.subarray(bytes.indexOf(NEWLINE) + 1);
  }

  /** Calls back with all that comes from now on; the bytes are only good for the time of the call. Returns how to stop. */
  follow(take: (bytes: Buffer) => void): () => void {
    this.#followers.add(take);
    return () => this.#followers.delete(take);
  }

  #take(all: Buffer): void {
    for (const follower of this.#followers) follower(all);
    const bytes = all.length > TAIL_BYTES ? all.subarray(all.length - TAIL_BYTES) : all;
    this.#grow(this.#size + bytes.length);
    const before = bytes.copy(this.#ring, this.#next);
    if (before < bytes.length) bytes.copy(this.#ring, 0, before);
    this.#next = (this.#next + bytes.length) % this.#ring.length;
    this.#size = Math.min(this.#size + bytes.length, this.#ring.length);
  }

  #grow(needed: number): void {
    if (needed <= this.#ring.length || this.#ring.length === TAIL_BYTES) return;
    let length = this.#ring.length || FIRST_BYTES;
    while (length < needed && length < TAIL_BYTES) length *= 2;
    const kept = this.bytes();
    this.#ring = Buffer.alloc(length);
    kept.copy(this.#ring);
    this.#next = kept.length % length;
  }
}
