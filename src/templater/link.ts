import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import { decodeOrder, encode, LINK_ENV, MAX_LINE, type Order, type Report } from '../core/link.ts';
import { causeOf, UserError } from '../errors.ts';

/** The templater's end of its line to the tree. */
export interface Link {
  send(report: Report): void;
  close(): void;
}

/**
 * Opens the descriptor that the tree handed down, if it did.
 * @param onOrder called for each order; what is no order is passed over, since a newer tree may know more of them
 * @param onEnd called once when the tree is gone
 * @throws UserError when the variable names no open descriptor
 */
export function openLink(
  env: Readonly<Record<string, string | undefined>>,
  onOrder: (order: Order) => void,
  onEnd: () => void,
): Link | undefined {
  const text = env[LINK_ENV];
  if (text === undefined || text === '') return undefined;
  let socket: Socket;
  try {
    const fd = Number(text);
    if (!/^\d+$/.test(text)) throw new Error('it is not a number');
    fstatSync(fd);
    socket = new Socket({ fd, readable: true, writable: true });
  } catch (error) {
    throw new UserError(`cannot use ${LINK_ENV}=${text}: ${causeOf(error)}`, {
      hint: `unset ${LINK_ENV}: only supervise sets it, for the templater that it starts`,
    });
  }
  let ended = false;
  const end = (): void => {
    if (!ended) onEnd();
    ended = true;
  };
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = (lines.pop() ?? '').slice(0, MAX_LINE);
    for (const line of lines) {
      const order = decodeOrder(line);
      if (order) onOrder(order);
    }
  });
  // A tree that was killed may show as a reset, or as a refused write, ahead of the end.
  socket.on('error', end);
  socket.on('end', end);
  socket.on('close', end);
  return {
    send(report) {
      if (!ended) socket.write(encode(report));
    },
    close() {
      ended = true;
      socket.end();
      socket.destroySoon();
    },
  };
}
