import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Ms } from '../../core/duration.ts';
import { formatDuration } from '../../core/duration.ts';
import type { Reply } from './consul-answer.ts';
import type { ConsulConfig } from './consul-config.ts';

export interface Requester {
  /**
   * One GET.
   * @param limit from the first byte sent to the last received
   * @param mostBytes a larger answer is cut off
   * @throws TooLarge, or Error when there is no whole answer in time
   */
  get(
    path: string,
    options: { limit: Ms; mostBytes?: number | undefined; signal: AbortSignal },
  ): Promise<Reply>;
  /** With other certificates from now on; what is under way is cut. */
  renew(tls: ConsulConfig['tls']): void;
  close(): void;
}

/** A larger answer is refused: it would rather be a mistake than a config. */
const MOST_BYTES = 64 * 1024 * 1024;
const KEEP_ALIVE: Ms = 15_000;
/** The kernel would try for two minutes, at ever longer intervals, and notice late that the way is open again. */
const CONNECT_LIMIT: Ms = 3000;
/**
 * Consul allows an address 200 connections by default, and there may be a dozen containers behind one. HTTP/1.1 has one for
 * each query that waits; the others are for queries that are answered at once.
 */
export const MOST_WAITING = 14;
const MOST_CONNECTIONS = 18;

/** An answer that is not wanted to its end. */
export class TooLarge extends Error {}

export function createRequester(config: ConsulConfig): Requester {
  const sockets = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE, maxSockets: MOST_CONNECTIONS };
  // To load TLS takes 4 ms, and most agents are next door.
  const secure = config.secure ? process.getBuiltinModule('node:https') : undefined;
  const create = (tls: ConsulConfig['tls']): Agent =>
    secure ? new secure.Agent({ ...sockets, ...tls }) : new Agent(sockets);
  let agent = create(config.tls);

  return {
    async get(path, { limit, mostBytes = MOST_BYTES, signal }) {
      const headers = await config.headers();
      signal.throwIfAborted();
      const options = {
        host: config.host,
        port: config.port,
        socketPath: config.socketPath,
        path: config.prefix + path,
        headers: { accept: 'application/json', ...headers },
        agent,
      };
      const request = (secure ? secure.request : httpRequest)(options);
      // Not its own `signal`, which costs a tenth of a millisecond between an answer and what is made of it.
      const cut = (): void => void request.destroy(signal.reason);
      signal.addEventListener('abort', cut);
      return exchange(request, limit, mostBytes).finally(() => signal.removeEventListener('abort', cut));
    },
    renew(tls) {
      const old = agent;
      agent = create(tls);
      old.destroy();
    },
    close() {
      agent.destroy();
    },
  };
}

function exchange(request: ClientRequest, limit: Ms, mostBytes: number): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      request.destroy();
      reject(error);
    };
    // Counted from the moment there is a connection to send it on: in a queue nothing is late yet.
    request.once('socket', (socket) => {
      const within = (ms: Ms, what: string): void => {
        timer = setTimeout(() => fail(new Error(`${what} within ${formatDuration(ms)}`)), ms);
      };
      if (!socket.connecting) return within(limit, 'no whole answer');
      within(CONNECT_LIMIT, 'no connection');
      socket.once('connect', () => {
        clearTimeout(timer);
        if (!request.destroyed) within(limit, 'no whole answer');
      });
    });
    request.on('error', fail);
    request.on('response', (response) => {
      read(response, mostBytes).then((body) => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      }, fail);
    });
    request.end();
  });
}

/** By its events: an iterator of it takes several turns more. */
function read(response: IncomingMessage, mostBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > mostBytes) reject(new TooLarge(`the answer is larger than ${mostBytes / 1024 / 1024} MiB`));
    });
    response.on('end', () => {
      if (response.complete) resolve(Buffer.concat(chunks).toString('utf8'));
    });
    response.on('error', reject);
    response.on('close', () => reject(new Error('the answer was cut off')));
  });
}
