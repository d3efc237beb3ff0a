/** A client of the control socket: one request, or the events as they come. */
import { connect, type Socket } from 'node:net';
import type { EventRecord, Reply, Request } from '../../src/control/protocol.ts';

export type Asked = Partial<Request> & Pick<Request, 'do'>;

/**
 * Asks and waits for the last line.
 * @returns undefined when there is none within `limit` ms, for whatever reason
 */
export function ask(path: string, request: Asked, limit: number): Promise<Reply | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(path, () =>
      socket.write(`${JSON.stringify({ v: 1, services: [], ...request })}\n`),
    );
    const timer = setTimeout(() => settle(), limit);
    const settle = (reply?: Reply): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reply);
    };
    socket.setEncoding('utf8');
    socket.on('data', (piece: string) => {
      text += piece;
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const reply = JSON.parse(line) as Reply;
        if (!reply.ok || !reply.more) return settle(reply);
      }
    });
    socket.on('error', () => settle());
    socket.on('close', () => settle());
  });
}

/** All events of one tree, each once, in their order, through any number of connections. */
export class Follower {
  readonly events: EventRecord[] = [];
  /** How many were never seen: the ring had let them go. */
  lost = 0;
  /** The tree has said its last word, and we have all of them. */
  isWhole = false;
  /** How many connections it took. */
  connections = 0;
  readonly #path: () => string;
  readonly #take: (event: EventRecord) => void;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #seq = 0;
  #closed = false;

  constructor(path: () => string, take: (event: EventRecord) => void) {
    this.#path = path;
    this.#take = take;
    this.#connect();
  }

  get isConnected(): boolean {
    return this.#socket !== undefined && !this.#socket.connecting;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #connect(): void {
    let pieces: string[] = [];
    const socket = connect(this.#path(), () => {
      this.connections++;
      socket.write('{"v":1,"do":"events","services":[],"follow":true}\n');
    });
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (piece: string) => {
      const lines = piece.split('\n');
      for (const [i, line] of lines.entries()) {
        pieces.push(line);
        if (i === lines.length - 1) break;
        const whole = pieces.join('');
        pieces = [];
        this.#hear(JSON.parse(whole) as Reply);
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#socket = undefined;
      if (!this.#closed && !this.isWhole) this.#timer = setTimeout(() => this.#connect(), 50);
    });
  }

  #hear(reply: Reply): void {
    if (!reply.ok) return;
    if (!reply.more) {
      this.isWhole = true;
      return;
    }
    for (const event of reply.data as EventRecord[]) {
      if (event.seq <= this.#seq) continue;
      this.lost += event.seq - this.#seq - 1;
      this.#seq = event.seq;
      this.events.push(event);
      this.#take(event);
    }
  }
}
