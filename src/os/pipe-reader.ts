import { readSync } from 'node:fs';
import { Socket } from 'node:net';
import { PIPE_BYTES } from './pipe.ts';

/** Reads are taken one at a time and used up before the next, so that all pipes read into one buffer. */
const shared = Buffer.allocUnsafeSlow(PIPE_BYTES);

/** What comes out of a pipe, as soon as it comes. */
export class PipeReader {
  readonly #fd: number;
  readonly #socket: Socket;

  /**
   * @param fd its read end; it becomes non-blocking, which the write end, another description, does not notice
   * @param take gets the bytes for the time of the call, and says whether it wants more now; if not, `resume()` does
   * @param ended called when nobody is left who could write, and all was read; it is closed then
   */
  constructor(fd: number, take: (bytes: Buffer) => boolean, ended: () => void) {
    this.#fd = fd;
    this.#socket = new Socket({
      fd,
      readable: true,
      writable: false,
      onread: { buffer: shared, callback: (length: number) => take(shared.subarray(0, length)) },
    } as ConstructorParameters<typeof Socket>[0]);
    this.#socket.on('error', () => {});
    this.#socket.once('end', ended);
    this.#socket.resume();
  }

  /** Goes on after `take` wanted no more. */
  resume(): void {
    this.#socket.resume();
  }

  /** What is in the pipe at this moment, `into`'s length at the most. Returns how many bytes; 0 for none. */
  readNow(into: Buffer): number {
    // Its number may be another's by now.
    if (this.#socket.destroyed) return 0;
    try {
      return readSync(this.#fd, into);
    } catch {
      return 0; // EAGAIN: it is empty.
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
