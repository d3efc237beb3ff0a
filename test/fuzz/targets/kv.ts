/** What a store may hold, and what Consul, or whoever answers in its place, may say. */
import { createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { remember } from '../../../src/templater/memory.ts';
import { compileTemplate, type World } from '../../../src/templater/render.ts';
import { createConsulSource } from '../../../src/templater/source/consul.ts';
import { readReply } from '../../../src/templater/source/consul-answer.ts';
import { inStore, type KvEntry } from '../../../src/templater/source/consul-body.ts';
import { readConsulConfig } from '../../../src/templater/source/consul-config.ts';
import type { Kind, Query } from '../../../src/templater/source/query.ts';
import { mutated } from '../bytes.ts';
import { SECRET, told } from '../oracle.ts';
import { SILENT } from '../silent.ts';
import type { Target } from '../target.ts';
import { WEIRD } from '../words.ts';

const name = fc.oneof(
  fc.constantFrom(...WEIRD.filter((each) => each.isWellFormed() && each !== '')),
  fc.constantFrom('a', 'b', 'app', 'app/rate', 'app/peers/', 'app/peers/1'),
);
const key = fc.oneof(
  { weight: 8, arbitrary: fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 3000 }).map((depth) => 'd/'.repeat(depth)) },
);
const bytes = fc.oneof(
  { weight: 40, arbitrary: fc.constantFrom(...WEIRD, '{"a":1}', 'value').map((text) => Buffer.from(text)) },
  { weight: 20, arbitrary: fc.uint8Array({ maxLength: 32 }).map((each) => Buffer.from(each)) },
  { weight: 1, arbitrary: fc.constant(Buffer.alloc(500_000, 'long ')) },
);
const store: fc.Arbitrary<[string, Buffer][]> = fc.uniqueArray(fc.tuple(key, bytes), {
  selector: ([each]) => each,
  maxLength: 8,
});

/** What goes through the whole store in each way there is. */
const WALKS = [
  '{{#each (tree "")}}{{json Path}}={{json Value}}\n{{/each}}',
  '{{#each (ls "")}}{{json Key}}={{json Value}}\n{{/each}}',
  '{{#each (safeTree "app")}}{{json Key}}\n{{/each}}',
  '{{json (explode (tree ""))}}',
  '{{toYAML (explode (tree ""))}}',
  '{{toTOML (explode (tree ""))}}',
  '{{#each (byKey (tree ""))}}{{json @key}}{{#each this}}{{json @key}}{{/each}}{{/each}}',
].map((text) => compileTemplate(text));

export const kv: Target<[string, Buffer][]> = {
  about: 'keys and values of a store, and the helpers that go through it',
  cases: store,
  async open() {
    for (const walk of WALKS) await walk.load();
    return {
      async act(pairs) {
        const entries = pairs.map(
          ([Key, Value]): KvEntry => ({ Key, Value: Value.length === 0 ? null : Value.toString('base64') }),
        );
        const world = worldOf(entries);
        const said = WALKS.map((walk) => {
          const { text, error = '', missing } = walk(world);
          told(error.replaceAll(/"(\\.|[^"\\])*"/g, '""'));
          return JSON.stringify([text, error, missing]);
        });
        checkStore(pairs, world);
        return said.join('\n').slice(0, 10_000);
      },
      close: async () => {},
    };
  },
};

function worldOf(entries: readonly KvEntry[]): World {
  const get = (query: Query) => {
    const fits = ({ Key }: KvEntry): boolean =>
      query.kind === 'key' ? Key === query.name : Key.startsWith(query.name);
    const content = inStore(query, entries.filter(fits));
    return remember(undefined, { data: content.part(query).data(), continuous: false });
  };
  return { get: get as World['get'], problem: () => null, env: {}, now: () => new Date(0) };
}

/** `tree` shows all of it, and each key by its name is what was put there. */
function checkStore(pairs: readonly [string, Buffer][], world: World): void {
  const isText = (value: Buffer): boolean => Buffer.from(value.toString()).equals(value);
  if (!pairs.every(([, value]) => isText(value))) return;
  const tree = compileTemplate('{{#each (tree "")}}{{json Path}}\n{{/each}}')(world).text ?? '';
  const shown = tree
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as string);
  const lost = pairs.map(([each]) => each).filter((each) => !each.endsWith('/') && !shown.includes(each));
  if (lost.length > 0) throw new TypeError(`tree shows no ${JSON.stringify(lost[0])}`);
  for (const [each, value] of pairs) {
    if (/["'\\]|^\/|@[\w.-]+$|[{}]/.test(each)) continue;
    const { text, error } = compileTemplate(`{{key "${each}"}}`)(world);
    if (text !== value.toString()) throw new TypeError(`key ${JSON.stringify(each)} is ${text}: ${error}`);
  }
}

const QUERIES: readonly Query[] = [
  { kind: 'key', name: 'app/rate', params: {} },
  { kind: 'prefix', name: 'app/', params: {} },
  { kind: 'service', name: 'web', params: { status: 'passing' } },
  { kind: 'connect', name: 'web', params: { status: 'any' } },
  { kind: 'services', name: '', params: {} },
  { kind: 'nodes', name: '', params: {} },
  { kind: 'node', name: 'n1', params: {} },
  { kind: 'datacenters', name: '', params: {} },
  { kind: 'caRoots', name: '', params: {} },
  { kind: 'caLeaf', name: 'web', params: {} },
];

const PAIR = { LockIndex: 0, Key: 'app/rate', Flags: 0, Value: 'NQ==', CreateIndex: 7, ModifyIndex: 9 };
const NODE = { ID: '1', Node: 'n1', Address: '10.0.0.1', Datacenter: 'eu', TaggedAddresses: {}, Meta: {} };
const SERVICE = {
  ID: 'w1',
  Service: 'web',
  Tags: ['a'],
  Address: '',
  Meta: {},
  Port: 80,
  Weights: { Passing: 1 },
};
/** What Consul says to each. */
const ANSWERS: Readonly<Record<Exclude<Kind, 'file'>, unknown>> = {
  key: [PAIR],
  prefix: [PAIR, { ...PAIR, Key: 'app/peers/1' }],
  service: [{ Node: NODE, Service: SERVICE, Checks: [{ CheckID: 'c', Status: 'passing' }] }],
  connect: [{ Node: NODE, Service: SERVICE, Checks: [] }],
  services: { web: ['a', 'b'], db: [] },
  nodes: [NODE],
  node: { Node: NODE, Services: { w1: SERVICE } },
  datacenters: ['eu', 'us'],
  caRoots: { Roots: [{ ID: 'r', Name: 'n', RootCert: 'PEM', IntermediateCerts: ['PEM'], Active: true }] },
  caLeaf: {
    SerialNumber: '1',
    CertPEM: 'PEM',
    PrivateKeyPEM: SECRET,
    Service: 'web',
    ServiceURI: 'spiffe://',
  },
};

/** Stands for lists within lists, so many that no recursion gets through them. */
const DEEP = 'deep';
const DEPTHS = '['.repeat(50_000) + ']'.repeat(50_000);
const strange = fc.constantFrom<unknown>(
  ...[DEEP, null, 0, -1, 1e300, true, '', 'text', [], [null], [[]], {}, { __proto__: null }, { a: { b: 1 } }],
);

/** A value with some part of it of another type. */
function twisted(value: unknown): fc.Arbitrary<unknown> {
  if (typeof value !== 'object' || value === null) return fc.oneof(fc.constant(value), strange);
  const parts = Object.entries(value);
  if (parts.length === 0) return fc.oneof(fc.constant(value), strange);
  const change = fc.constantFrom(...parts).chain(([field, part]) =>
    fc.oneof({ weight: 3, arbitrary: twisted(part) }, { weight: 1, arbitrary: strange }).map((next) => {
      const copy: Record<string, unknown> = Object.fromEntries(parts);
      copy[field] = next;
      return Array.isArray(value) ? Object.values(copy) : copy;
    }),
  );
  return fc.oneof(
    { weight: 8, arbitrary: change },
    { weight: 1, arbitrary: strange },
    {
      weight: 1,
      arbitrary: fc.constant(JSON.parse(`{"__proto__":${JSON.stringify(value)},"constructor":1}`)),
    },
  );
}

interface Said {
  query: Query;
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Nearly always the first. */
function mostly<T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: 30, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: fc.constantFrom(usual, ...others) },
  );
}

const said: fc.Arbitrary<Said> = fc.constantFrom(...QUERIES).chain((query) => {
  const answer = ANSWERS[query.kind as Exclude<Kind, 'file'>];
  const text = JSON.stringify(answer);
  const written = twisted(answer).map((each) => JSON.stringify(each).replaceAll(`"${DEEP}"`, DEPTHS));
  return fc.record({
    query: fc.constant(query),
    status: mostly(200, 404, 403, 429, 500, 204, 301, 0),
    headers: fc.record({
      'x-consul-index': mostly(
        '1',
        '0',
        '-1',
        '18446744073709551615',
        '99999999999999999999',
        'x',
        '',
        '1e3',
      ),
      'x-consul-knownleader': mostly('true', 'false', '', 'x'),
      'x-consul-lastcontact': mostly('0', '1', '-1', 'x', '1e999'),
      'x-consul-results-filtered-by-acls': mostly('false', 'true', ''),
    }),
    body: fc.oneof(
      { weight: 1, arbitrary: fc.constant(text) },
      { weight: 4, arbitrary: written },
      { weight: 1, arbitrary: mutated([Buffer.from(text)]).map(String) },
    ),
  });
});

export const answers: Target<Said> = {
  about: 'answers of Consul, read and rendered',
  cases: said,
  async open() {
    return {
      async act({ query, ...reply }) {
        // What is no answer is told in its own words, whatever they are.
        const body = reply.status === 200 ? reply.body : reply.body.replaceAll(SECRET, '');
        const { index: at, part } = readReply(query, { ...reply, body });
        const { data, mark, bytes: size } = part(query);
        if (at < 0n) throw new TypeError(`index ${at}`);
        const content = data();
        // What templates do with it: each field is read.
        return JSON.stringify([String(at), mark.length, size, describeData(content)]).slice(0, 10_000);
      },
      close: async () => {},
    };
  },
};

/** Reads all of it, as `{{json}}` does; values that are no text say so. */
function describeData(content: unknown): string {
  try {
    return JSON.stringify(content);
  } catch (error) {
    if (error instanceof Error && /is not text \(invalid UTF-8\)$/.test(error.message)) return error.message;
    throw error;
  }
}

/** The same as it comes over the wire. */
export const wire: Target<Buffer> = {
  about: 'HTTP as Consul’s client here reads it',
  cases: mutated(
    [
      `HTTP/1.1 200 OK\r\nX-Consul-Index: 5\r\nContent-Type: application/json\r\nContent-Length: ${JSON.stringify([PAIR]).length}\r\n\r\n${JSON.stringify([PAIR])}`,
      `HTTP/1.1 200 OK\r\nX-Consul-Index: 5\r\nTransfer-Encoding: chunked\r\n\r\n${JSON.stringify([PAIR]).length.toString(16)}\r\n${JSON.stringify([PAIR])}\r\n0\r\n\r\n`,
      'HTTP/1.1 404 Not Found\r\nX-Consul-Index: 18446744073709551615\r\nContent-Length: 0\r\n\r\n',
      'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 9\r\n\r\nno leader',
      'HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n',
    ].map((text) => Buffer.from(text)),
  ),
  async open() {
    let reply: Buffer = Buffer.alloc(0);
    const open = new Set<Socket>();
    const server = createServer((socket) => {
      open.add(socket);
      socket.on('error', () => {}).on('close', () => open.delete(socket));
      socket.once('data', () => socket.end(reply));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const config = readConsulConfig({}, `127.0.0.1:${port}`);
    return {
      async act(bytesOfReply) {
        reply = bytesOfReply;
        let away: ((cause: string) => void) | undefined;
        const source = createConsulSource({
          config,
          log: SILENT,
          limit: 500,
          wait: 100,
          onState: ({ cause }) => {
            if (cause !== null) away?.(cause);
          },
        });
        const heard = new Promise<string>((resolve) => {
          away = (cause) => resolve(`away: ${cause}`);
          source.subscribe(QUERIES[0] as Query<'key'>, {
            answer: ({ data }) => resolve(`data: ${describeData(data)}`),
            problem: (cause) => {
              if (cause !== null) resolve(`problem: ${cause}`);
            },
          });
        });
        try {
          const words = await heard;
          return words.startsWith('data') ? words : told(words);
        } finally {
          await source.stop();
        }
      },
      async close() {
        for (const socket of open) socket.destroy();
        server.close();
      },
    };
  },
};
