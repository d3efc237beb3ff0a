/** The reading end of a FIFO that can stop to read, go away, and come back. */
import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';

export class FifoReader {
  readonly path: string;
  readonly #line: (line: string) => void;
  #socket: Socket | undefined;
  #rest = '';

  constructor(path: string, line: (line: string) => void) {
    this.path = path;
    this.#line = line;
    this.open();
  }

  open(): void {
    if (this.#socket) return;
    const socket = new Socket({
      fd: openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK),
      writable: false,
    });
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#line(line);
    });
    socket.on('error', () => {});
  }

  /** The pipe fills. */
  stall(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /** Nobody reads: who writes is told EPIPE. What a line had begun with is lost. */
  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#rest = '';
  }

  /** For a child's stdout; the caller closes it. */
  openWriter(): number {
    return openSync(this.path, constants.O_WRONLY);
  }
}
