/** Consul as the tree sees it: an agent behind a proxy that breaks, and the generations that were put. */
import { type ConsulAgent, startConsul } from '../consul.ts';
import { type Fault, type FaultProxy, startFaultProxy } from '../fault-proxy.ts';

const KEYS = 10;
/** Long enough for a file to be seen torn. */
const VALUE_BYTES = 2000;

export interface ConsulSide {
  readonly address: string;
  /** The newest that was put, and so may be seen. */
  readonly generation: number;
  /** All keys at once: nobody can see but one generation. Answers when Consul has it. */
  put(): Promise<void>;
  fault(fault: Fault): void;
  /** With nothing in it; the newest generation is put again, under a new number. */
  restart(): Promise<void>;
  /** Which generation a rendered file is of; undefined when it is none, or more than one. */
  generationOf(text: string): number | undefined;
  close(): Promise<void>;
}

export async function startConsulSide(): Promise<ConsulSide> {
  const agent: ConsulAgent = await startConsul();
  const proxy: FaultProxy = await startFaultProxy(agent.address);
  let generation = 0;
  let busy: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = busy.then(work, work);
    busy = done.catch(() => {});
    return done;
  };
  const put = async (): Promise<void> => {
    // Ahead of the request: it may be seen before we are told that it is done.
    generation++;
    const body = Array.from({ length: KEYS }, (_, i) => ({
      KV: { Verb: 'set', Key: `chaos/${i}`, Value: Buffer.from(valueIn(generation, i)).toString('base64') },
    }));
    const reply = await fetch(`http://${agent.address}/v1/txn`, {
      method: 'PUT',
      body: JSON.stringify(body),
    });
    if (!reply.ok) throw new Error(`Consul took no generation: ${reply.status} ${await reply.text()}`);
  };
  await put();
  return {
    address: proxy.address,
    get generation() {
      return generation;
    },
    put: () => inTurn(put),
    fault: (fault) => proxy.fault(fault),
    restart: () =>
      inTurn(async () => {
        await agent.restart();
        await put();
      }),
    generationOf,
    async close() {
      await proxy.close();
      await agent.stop();
    },
  };
}

function valueIn(generation: number, i: number): string {
  return `generation ${generation} ${String.fromCharCode(97 + i).repeat(VALUE_BYTES)}`;
}

function generationOf(text: string): number | undefined {
  const generation = Number(/^0=generation (\d+) /.exec(text)?.[1]);
  const whole = Array.from({ length: KEYS }, (_, i) => `${i}=${valueIn(generation, i)}\n`).join('');
  return text === `${whole}end\n` ? generation : undefined;
}
