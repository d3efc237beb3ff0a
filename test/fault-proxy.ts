/** An HTTP proxy in front of a Consul agent that does what an agent does when things go wrong. */
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** What happens to requests from now on. */
export type Fault =
  | { type: 'none' }
  /** Answers with this status instead of asking the agent. */
  | { type: 'status'; status: number; body?: string }
  /** The agent's answer, with these headers changed. */
  | { type: 'headers'; headers: Record<string, string> }
  /** The agent's headers and half of its body; then the connection is cut. */
  | { type: 'cut' }
  /** The agent's answer, with another body. */
  | { type: 'body'; body: string }
  /** The request is taken and never answered. */
  | { type: 'silence' }
  /** The agent's headers, and then a byte now and then, for ever. */
  | { type: 'trickle' }
  /** The first answer that there ever was to this query, with its index. */
  | { type: 'old' }
  /** The connection is closed as soon as it is made. */
  | { type: 'refuse' };

/** All that an agent, or what stands between, is known to do wrong; none of it may be taken for data. */
export const FAULTS: readonly Fault[] = [
  { type: 'status', status: 500, body: 'No cluster leader' },
  { type: 'status', status: 503 },
  { type: 'status', status: 429 },
  { type: 'status', status: 403, body: 'Permission denied' },
  { type: 'status', status: 400 },
  { type: 'status', status: 404, body: 'nobody here' },
  { type: 'status', status: 200, body: '<html>Sign in</html>' },
  { type: 'headers', headers: { 'x-consul-knownleader': 'false' } },
  { type: 'headers', headers: { 'x-consul-results-filtered-by-acls': 'true' } },
  { type: 'headers', headers: { 'x-consul-index': '0' } },
  { type: 'headers', headers: { 'x-consul-index': '1' } },
  { type: 'headers', headers: { 'x-consul-index': '18446744073709551615' } },
  { type: 'headers', headers: { 'x-consul-index': 'many' } },
  { type: 'cut' },
  { type: 'body', body: '[]' },
  { type: 'body', body: 'null' },
  { type: 'body', body: '[{}]' },
  { type: 'body', body: '[{"Key":"another","Value":null}]' },
  { type: 'body', body: '<html>Sign in</html>' },
  { type: 'silence' },
  { type: 'trickle' },
  { type: 'old' },
  { type: 'refuse' },
];

export interface FaultProxy {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  /** Paths with queries of all requests so far. */
  readonly requests: string[];
  /** Requests that are being held now. */
  readonly open: number;
  /** Sets the fault for requests to come. Those under way are cut, so that it takes effect at once. */
  fault(fault: Fault): void;
  close(): Promise<void>;
}

/** @param upstream the agent's address, or an answer for each request instead of an agent */
export async function startFaultProxy(upstream: string | Answerer): Promise<FaultProxy> {
  let fault: Fault = { type: 'none' };
  let open = 0;
  const sockets = new Set<Socket>();
  const requests: string[] = [];
  const first: Recorded = new Map();
  const server = createServer((incoming, outgoing) => {
    requests.push(incoming.url ?? '');
    open++;
    outgoing.on('close', () => open--);
    const { type } = fault;
    if (type === 'silence') return;
    if (type === 'status') {
      outgoing.writeHead(fault.status).end(fault.body ?? 'injected');
      return;
    }
    if (typeof upstream === 'function') upstream(incoming, outgoing);
    else forward(upstream, incoming, outgoing, () => fault, first);
  });
  server.on('connection', (socket) => {
    if (fault.type === 'refuse') return socket.destroy();
    sockets.add(socket);
    return socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    requests,
    get open() {
      return open;
    },
    fault(next) {
      fault = next;
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export type Answerer = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/** By path without index: the first answer. */
type Recorded = Map<string, { status: number; headers: OutgoingHttpHeaders; body: Buffer }>;

const TRICKLE_MS = 20;

function forward(
  upstream: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  fault: () => Fault,
  first: Recorded,
): void {
  const [host, port] = upstream.split(':');
  const { method, url: path, headers } = incoming;
  const asked = request({ host, port, method, path, headers, agent: false }, async (answer) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
    } catch {
      outgoing.destroy();
      return;
    }
    const body = Buffer.concat(chunks);
    const now = fault();
    const own = { ...answer.headers, 'content-length': String(body.length) };
    delete own['transfer-encoding'];
    const status = answer.statusCode ?? 500;
    const query = (path ?? '').replace(/&(index|wait)=[^&]*/g, '');
    if (now.type === 'none' && !first.has(query)) first.set(query, { status, headers: own, body });
    const old = first.get(query);
    if (now.type === 'cut') {
      outgoing.writeHead(status, own);
      outgoing.write(body.subarray(0, body.length >> 1), () => outgoing.destroy());
    } else if (now.type === 'body') {
      outgoing
        .writeHead(status, { ...own, 'content-length': String(Buffer.byteLength(now.body)) })
        .end(now.body);
    } else if (now.type === 'trickle') {
      outgoing.writeHead(status, own);
      const timer = setInterval(() => outgoing.write(' '), TRICKLE_MS);
      outgoing.on('close', () => clearInterval(timer));
    } else if (now.type === 'old' && old) {
      outgoing.writeHead(old.status, old.headers).end(old.body);
    } else outgoing.writeHead(status, { ...own, ...(now.type === 'headers' ? now.headers : {}) }).end(body);
  });
  asked.on('error', () => outgoing.destroy());
  outgoing.on('close', () => asked.destroy());
  incoming.pipe(asked);
}
