/** An HTTP proxy in front of a Consul agent that does what an agent does when things go wrong. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
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
  | { type: 'silence' };

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
    else forward(upstream, incoming, outgoing, () => fault);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
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

function forward(
  upstream: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  fault: () => Fault,
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
    if (now.type === 'cut') {
      outgoing.writeHead(status, own);
      outgoing.write(body.subarray(0, body.length >> 1), () => outgoing.destroy());
    } else if (now.type === 'body') {
      outgoing
        .writeHead(status, { ...own, 'content-length': String(Buffer.byteLength(now.body)) })
        .end(now.body);
    } else outgoing.writeHead(status, { ...own, ...(now.type === 'headers' ? now.headers : {}) }).end(body);
  });
  asked.on('error', () => outgoing.destroy());
  outgoing.on('close', () => asked.destroy());
  incoming.pipe(asked);
}
