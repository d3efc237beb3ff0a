/** A client of the control socket that may say anything, in any pieces. */
import { connect } from 'node:net';
import type { RunningTree } from '../tree.ts';

export interface Conversation {
  bytes: Buffer;
  /** Where it is cut, as parts of the whole. */
  cuts: readonly number[];
  /** Says no more, or is gone without waiting for an answer. */
  leaves: 'after the answer' | 'at once';
}

/** A whole request without fields. */
export function sayingAll(verb: string): Conversation {
  return { bytes: Buffer.from(`{"v":1,"do":"${verb}"}\n`), cuts: [], leaves: 'after the answer' };
}

/** @returns all that was answered until the connection was closed */
export function converse(path: string, { bytes, cuts, leaves }: Conversation): Promise<string> {
  return new Promise((resolve, reject) => {
    const pieces: string[] = [];
    const ends = [...cuts].sort((a, b) => a - b).map((cut) => Math.floor(cut * bytes.length));
    const chunks = [0, ...ends].map((from, i) => bytes.subarray(from, ends[i]));
    const socket = connect(path);
    const next = (): void => {
      const chunk = chunks.shift();
      // Cut off, for it was answered before it had said all.
      if (socket.destroyed || socket.writableEnded) return;
      if (chunk) socket.write(chunk, () => setImmediate(next));
      else if (leaves === 'at once') socket.destroy();
      else socket.end();
    };
    socket.on('connect', next);
    socket.setEncoding('utf8').on('data', (piece: string) => pieces.push(piece));
    socket.on('close', () => resolve(leaves === 'at once' ? '' : pieces.join('')));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // Whoever still talks when it was answered is cut off.
      if (error.code !== 'EPIPE' && error.code !== 'ECONNRESET') reject(error);
    });
  });
}

/** Has the tree stop when this process is ended ahead of time. */
export function withUs(tree: RunningTree): void {
  const end = (): boolean => tree.child.kill('SIGTERM');
  process.once('exit', end);
  void tree.ended.then(() => process.off('exit', end));
}

/** @throws TypeError where the tree has noticed a mistake of its own */
export function mistakesOf(tree: RunningTree): void {
  for (const msg of ['survived a mistake', 'mishandled a request'])
    for (const event of tree.eventsOf(msg)) throw new TypeError(`${msg}: ${String(event['error'])}`);
}
