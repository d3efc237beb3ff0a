/** A FIFO that services write to: the kernel tells when they start, and when the last who holds it is gone. */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';

export interface Ring {
  line: string;
  /** As performance.now() says. */
  at: number;
}

export class Bell {
  readonly path: string;
  /** For a process that is to hold it beside what it runs. */
  readonly fd: number;
  #held = true;
  readonly #socket: Socket;
  readonly #rings: Ring[] = [];
  #taken = 0;
  #told: (() => void) | undefined;
  readonly #silent: Promise<number>;

  constructor(path: string) {
    this.path = path;
    makeFifo(path);
    const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.fd = openSync(path, 'w');
    this.#socket = new Socket({ fd: reading, readable: true, writable: false });
    let rest = '';
    this.#socket.setEncoding('latin1').on('data', (text: string) => {
      const at = performance.now();
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#rings.push({ line, at });
      this.#told?.();
    });
    this.#silent = new Promise((resolve) => this.#socket.once('end', () => resolve(performance.now())));
  }

  /** Waits for as many further lines. */
  async rings(count: number, limitMs: number): Promise<Ring[]> {
    const from = this.#taken;
    const came = new Promise<void>((resolve) => {
      this.#told = (): void => {
        if (this.#rings.length >= from + count) resolve();
      };
      this.#told();
    });
    await within(limitMs, `${count} lines of the services`, came);
    this.#told = undefined;
    this.#taken = from + count;
    return this.#rings.slice(from, this.#taken);
  }

  /** When nobody but us had it open any more. */
  async silence(limitMs: number): Promise<number> {
    this.#letGo();
    return within(limitMs, 'the end of all', this.#silent);
  }

  close(): void {
    this.#letGo();
    this.#socket.destroy();
  }

  #letGo(): void {
    if (this.#held) closeSync(this.fd);
    this.#held = false;
  }
}

export function makeFifo(path: string): void {
  const { status, stderr } = spawnSync('mkfifo', [path], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`cannot make the FIFO ${path}: ${stderr}`);
}

/** @throws Error when it did not come in time */
export async function within<T>(limitMs: number, what: string, coming: Promise<T>): Promise<T> {
  const stopped = new AbortController();
  const late = setTimeout(limitMs, undefined, stopped).then(() => {
    throw new Error(`${what}: not within ${limitMs / 1000} s`);
  });
  try {
    return await Promise.race([coming, late]);
  } finally {
    late.catch(() => {});
    stopped.abort();
  }
}
