/** Clients of the control socket: all verbs, and those who go away in the middle, say nonsense, or nothing. */
import { connect, type Socket } from 'node:net';
import { type Files, SLEEPER } from '../tree.ts';
import { type Load, within } from './load.ts';

const STEADY = Array.from({ length: 4 }, (_, i) => `steady${i}`);
/** Who follow at a time; each that is dropped makes room for the next. */
const FOLLOWERS = 16;
/** What is longer is refused. */
const TOO_LONG = 70_000;

export const ASKED: Files = Object.fromEntries(STEADY.map((name) => [`${name}/run`, SLEEPER]));

interface Answer {
  ok: boolean;
  exit?: number;
}

type Client = (turn: number) => Promise<void>;

/** Of a hundred requests, so many of each kind, always in the same order. */
const SHARES: readonly (readonly [share: number, client: (followers: Followers, path: string) => Client])[] =
  [
    [38, answered(() => ({ do: 'status' }))],
    [14, answered((name) => ({ do: 'status', services: [name] }))],
    [10, answered(() => ({ do: 'check' }))],
    [2, answered(() => ({ do: 'events' }))],
    [8, answered((name) => ({ do: 'wait', services: [name], until: 'up' }))],
    [3, answered((name) => ({ do: 'wait', services: [name], until: 'down', timeoutMs: 1 }), 99)],
    [4, answered((name) => ({ do: 'up', services: [name] }))],
    [4, answered((name) => ({ do: 'signal', services: [name], signal: 'CONT' }))],
    [1, answered((name) => ({ do: 'restart', services: [name], until: 'up' }))],
    [1, answered(() => ({ do: 'rescan' }))],
    [2, answered(() => ({ do: 'down', services: ['nobody'] }), 100)],
    [2, answered((name) => ({ do: 'wait', services: [name], until: 'never' }), 100)],
    [3, followed(() => ({ do: 'events', follow: true }))],
    [2, followed(() => ({ do: 'status', follow: true }))],
    [2, followed((name) => ({ do: 'wait', services: [name], until: 'down' }))],
    [1, refused('x'.repeat(TOO_LONG))],
    [1, refused('{"v":1,"do":\n')],
    [1, leaving('')],
    [1, leaving('{"v":1,"do":"sta')],
  ];

/** @param path of the socket */
export function requests(path: string): Load & { close(): void } {
  const followers = new Followers();
  const clients = spread(SHARES.flatMap(([share, make]) => Array(share).fill(make(followers, path))));
  let turn = 0;
  return {
    name: 'a request → its answer',
    async run(count, took) {
      for (let i = 0; i < count; i++, turn++) {
        const before = performance.now();
        await within('an answer', clients[turn % clients.length]?.(turn) ?? Promise.resolve());
        took(performance.now() - before, 1);
      }
      // Nobody is left: what is measured after this is the tree alone.
      followers.dropAll();
    },
    close: () => followers.dropAll(),
  };
}

/** Those who follow, the oldest first. */
class Followers {
  readonly #open: Socket[] = [];

  add(socket: Socket): void {
    this.#open.push(socket);
    if (this.#open.length > FOLLOWERS) this.#open.shift()?.destroy();
  }

  dropAll(): void {
    for (const socket of this.#open.splice(0)) socket.destroy();
  }
}

function answered(request: (name: string) => object, exit?: number) {
  return (_: Followers, path: string): Client =>
    async (turn) => {
      const text = await exchange(path, `${JSON.stringify({ v: 1, ...request(nameOf(turn)) })}\n`);
      const last = JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') as Answer;
      if (last.exit !== exit) throw new Error(`an unexpected answer: ${text.slice(0, 500)}`);
    };
}

/** Whoever asks for what goes on, reads the beginning, and is dropped some time later without a word. */
function followed(request: (name: string) => object) {
  return (followers: Followers, path: string): Client =>
    (turn) =>
      new Promise((resolve, reject) => {
        const line = JSON.stringify({ v: 1, ...request(nameOf(turn)) });
        const socket = connect(path, () => {
          socket.write(`${line}\n`, () => {
            // `wait` says nothing until it has happened.
            if (line.includes('"wait"')) resolve();
          });
        });
        socket.on('data', () => resolve()).on('error', reject);
        followers.add(socket);
      });
}

function refused(line: string) {
  return (_: Followers, path: string): Client =>
    async () => {
      const text = await exchange(path, line);
      if ((JSON.parse(text) as Answer).exit !== 100) throw new Error(`an unexpected answer: ${text}`);
    };
}

/** Goes away without a whole request. */
function leaving(beginning: string) {
  return (_: Followers, path: string): Client =>
    () =>
      new Promise((resolve, reject) => {
        const socket = connect(path, () => socket.write(beginning, () => socket.destroy()));
        socket.on('close', () => resolve()).on('error', reject);
      });
}

function exchange(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const pieces: string[] = [];
    const socket = connect(path, () => socket.write(line));
    socket.setEncoding('utf8').on('data', (piece: string) => pieces.push(piece));
    socket.on('close', () => resolve(pieces.join(''))).on('error', reject);
  });
}

function nameOf(turn: number): string {
  return STEADY[turn % STEADY.length] ?? '';
}

/** Neighbours apart, the same way every time: 37 and 100 have no common divisor. */
function spread<T>(list: readonly T[]): T[] {
  return list.map((_, i) => list[(i * 37) % list.length] as T);
}
