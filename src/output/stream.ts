import { type Format, wholeCharacters } from './format.ts';
import type { Sink, Writer } from './sink.ts';
import type { Tail } from './tail.ts';

/** A line up to this length is put together before it goes out; of a longer one, no more than this is kept. */
export const MOST_LINE = 65_536;

const NEWLINE = 0x0a;
const NOTHING = Buffer.alloc(0);

/**
 * One stream of one service, on its way from the pipe to the sink: whole lines, each dressed by the format. While the sink
 * admits nobody, what was read is kept, and the pipe is read no further.
 */
export class LineStream implements Writer {
  readonly #name: string;
  readonly #format: Format;
  readonly #sink: Sink;
  readonly #tail: Tail;
  readonly #resume: () => void;
  /** The beginning of a line whose end was not read yet: the first bytes of this buffer. */
  #buffer = NOTHING;
  #carried = 0;
  /** What was read and could not go on. */
  #backlog = NOTHING;
  /** A line that is too long is going out; nobody else is admitted. */
  #holding = false;
  #brokenOff = false;
  /** Pieces of a line went out as lines of their own, and its end is still to come. */
  #inPieces = false;

  /** @param resume called when more may be read */
  constructor(options: { name: string; format: Format; sink: Sink; tail: Tail; resume: () => void }) {
    this.#name = options.name;
    this.#format = options.format;
    this.#sink = options.sink;
    this.#tail = options.tail;
    this.#resume = options.resume;
  }

  /** How much was read and waits for the sink. */
  get waiting(): number {
    return this.#backlog.length;
  }

  /** Takes what was read. Returns whether more may be. */
  take(bytes: Buffer): boolean {
    if (this.#backlog.length > 0) this.#backlog = Buffer.concat([this.#backlog, bytes]);
    else this.#process(bytes);
    return this.#backlog.length === 0;
  }

  /** Whoever wrote is gone: a last line without an end gets one. */
  endLine(): void {
    if (this.#backlog.length === 0) this.#brokenOff = false;
    const inLine =
      this.#backlog.length > 0
        ? this.#backlog[this.#backlog.length - 1] !== NEWLINE
        : this.#carried > 0 || this.#holding || this.#inPieces;
    if (inLine) this.take(Buffer.from('\n'));
  }

  go(): void {
    const bytes = this.#backlog;
    this.#backlog = NOTHING;
    this.#process(bytes);
    if (this.#backlog.length === 0) this.#resume();
  }

  breakOff(): void {
    if (!this.#holding || this.#backlog.length > 0) return;
    this.#sink.write(Buffer.from('\n'));
    this.#brokenOff = true;
    this.#holding = false;
    this.#sink.release(this);
  }

  #process(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const to = Math.min(at + MOST_LINE, bytes.length);
      const last = bytes.lastIndexOf(NEWLINE, to - 1) + 1;
      const resumed = this.#holding || this.#brokenOff;
      if (!this.#sink.admits(this)) {
        const rest = bytes.subarray(at);
        // The beginning of a line needs no sink yet.
        if (!resumed && last <= at && this.#carried + rest.length <= MOST_LINE) this.#carry(rest);
        else {
          this.#backlog = Buffer.from(rest);
          this.#sink.park(this);
        }
        return;
      }
      if (resumed) at = this.#goOn(bytes, at);
      else if (at < last) at = this.#lines(bytes, at, last);
      else at = this.#begin(bytes, at, to);
    }
  }

  #lines(bytes: Buffer, from: number, last: number): number {
    const carry = this.#buffer.subarray(0, this.#carried);
    const send = (dressed: Buffer): boolean => {
      this.#sink.write(dressed);
      return this.#sink.admits(this);
    };
    const to = this.#format.lines(carry, bytes, from, last, send);
    this.#tail.add(this.#name, carry);
    this.#tail.add(this.#name, bytes.subarray(from, to));
    this.#dropCarry();
    this.#inPieces = false;
    return to;
  }

  /** The beginning of a line: kept, or sent on where it is too long for that. */
  #begin(bytes: Buffer, from: number, to: number): number {
    const rest = bytes.subarray(from, to);
    if (this.#carried + rest.length <= MOST_LINE) {
      this.#carry(rest);
      return to;
    }
    const all = Buffer.concat([this.#buffer.subarray(0, this.#carried), rest]);
    this.#dropCarry();
    const opening = this.#format.opening(false);
    if (opening) {
      this.#sink.hold(this);
      this.#holding = true;
      this.#tail.add(this.#name, all);
      this.#sink.write(Buffer.concat([opening, all]));
    } else {
      this.#inPieces = true;
      const whole = wholeCharacters(all);
      const piece = all.subarray(0, whole);
      this.#tail.add(this.#name, piece);
      this.#sink.write(this.#format.piece(piece));
      this.#carry(all.subarray(whole));
    }
    return to;
  }

  /** The rest of a line of which pieces went out. */
  #goOn(bytes: Buffer, from: number): number {
    const end = bytes.indexOf(NEWLINE, from) + 1 || bytes.length;
    const piece = bytes.subarray(from, end);
    this.#tail.add(this.#name, piece);
    if (this.#holding) this.#sink.write(piece);
    else this.#sink.write(Buffer.concat([this.#format.opening(true) ?? NOTHING, piece]));
    const ended = bytes[end - 1] === NEWLINE;
    this.#brokenOff = false;
    if (ended) {
      this.#holding = false;
      this.#sink.release(this);
    } else if (!this.#holding) {
      this.#holding = true;
      this.#sink.hold(this);
    }
    return end;
  }

  #carry(bytes: Buffer): void {
    const size = this.#carried + bytes.length;
    if (size > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(MOST_LINE, Math.max(1024, size * 2)));
      this.#buffer.copy(larger, 0, 0, this.#carried);
      this.#buffer = larger;
    }
    bytes.copy(this.#buffer, this.#carried);
    this.#carried = size;
  }

  #dropCarry(): void {
    this.#carried = 0;
    // Who once had a long line need not keep room for the next.
    if (this.#buffer.length > 4096) this.#buffer = NOTHING;
  }
}
