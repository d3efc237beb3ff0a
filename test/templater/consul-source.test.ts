/** The blocking-query loop against an agent that misbehaves in every way we know of. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import type { Log } from '../../src/log.ts';
import { createConsulSource } from '../../src/templater/source/consul.ts';
import { readConsulConfig } from '../../src/templater/source/consul-config.ts';
import type { Query } from '../../src/templater/source/query.ts';
import type { Answer, Source, SourceState } from '../../src/templater/source/source.ts';
import { type Answerer, type FaultProxy, startFaultProxy } from '../fault-proxy.ts';
import { tempDir, until } from '../tree.ts';

interface Followed {
  source: Source;
  states: SourceState[];
  said: string[];
  /** What was answered to the key "k": its value, or null. */
  answers: (string | null)[];
  continuous: boolean[];
  problems: (string | null)[];
  end: () => void;
}

const KEY: Query<'key'> = { kind: 'key', name: 'k', params: {} };

function follow(
  t: TestContext,
  address: string,
  options: {
    wait?: number;
    limit?: number;
    take?: (answer: Answer<'key'>) => void;
    env?: Record<string, string>;
  } = {},
): Followed {
  const { take, env = {}, ...times } = options;
  const said: string[] = [];
  const states: SourceState[] = [];
  const line = (event: string, fields = {}): void => void said.push(`${event} ${JSON.stringify(fields)}`);
  const log: Log = { debug: line, info: line, warn: line, error: line, child: () => log };
  const config = readConsulConfig(env, address);
  const source = createConsulSource({ config, log, onState: (state) => states.push(state), ...times });
  t.after(() => source.stop());
  const answers: (string | null)[] = [];
  const continuous: boolean[] = [];
  const problems: (string | null)[] = [];
  const end = source.subscribe(KEY, {
    answer(answer) {
      take?.(answer);
      answers.push(answer.data?.Value ?? null);
      continuous.push(answer.continuous);
    },
    problem: (cause) => {
      if (problems.at(-1) !== cause) problems.push(cause);
    },
  });
  return { source, states, said, answers, continuous, problems, end };
}

/** An agent with one key and a script: what the nth request (from 1) is answered, with which index; none: it is held. */
async function fake(
  t: TestContext,
  script: (n: number, index: string | null) => [value: string | null, index: string] | undefined,
): Promise<FaultProxy> {
  let n = 0;
  const answer: Answerer = (incoming, outgoing) => {
    const url = new URL(incoming.url ?? '', 'http://consul');
    const [value, index] = script(++n, url.searchParams.get('index')) ?? [];
    if (index !== undefined) reply(outgoing, value ?? null, index);
  };
  const proxy = await startFaultProxy(answer);
  t.after(() => proxy.close());
  return proxy;
}

function reply(outgoing: ServerResponse, value: string | null, index: string): void {
  outgoing.writeHead(value === null ? 404 : 200, { 'x-consul-index': index });
  outgoing.end(value === null ? '' : body(value));
}

function body(value: string): string {
  return JSON.stringify([{ Key: 'k', Value: Buffer.from(value).toString('base64'), ModifyIndex: 7 }]);
}

function indexes({ requests }: FaultProxy): (string | null)[] {
  return requests.map((path) => new URL(path, 'http://consul').searchParams.get('index'));
}

test('an index that runs backwards starts again at 0; what then is missing is not a deletion', async (t) => {
  const proxy = await fake(
    t,
    (n) =>
      (
        [
          ['a', '100'],
          [null, '50'],
          [null, '50'],
        ] as [string | null, string][]
      )[n - 1],
  );
  const { answers, continuous } = follow(t, proxy.address);
  await until('four requests', () => proxy.requests.length === 4);
  assert.deepEqual(indexes(proxy), [null, '100', null, '50']);
  assert.deepEqual(answers, ['a', null]);
  assert.deepEqual(continuous, [false, false]);
});

test('a deletion that is seen is continuous', async (t) => {
  const proxy = await fake(
    t,
    (n) =>
      (
        [
          ['a', '100'],
          [null, '101'],
        ] as [string | null, string][]
      )[n - 1],
  );
  const { answers, continuous } = follow(t, proxy.address);
  await until('both answers', () => answers.length === 2);
  assert.deepEqual(continuous, [false, true]);
});

test('an index of 0 is asked for as 1, a huge one as it is', async (t) => {
  const huge = '18446744073709551615';
  const proxy = await fake(
    t,
    (n) =>
      (
        [
          ['a', '0'],
          ['b', huge],
        ] as [string, string][]
      )[n - 1],
  );
  const { answers } = follow(t, proxy.address);
  await until('three requests', () => proxy.requests.length === 3);
  assert.deepEqual(indexes(proxy), [null, '1', huge]);
  assert.deepEqual(answers, ['a', 'b']);
});

test('wake-ups without news are told to nobody and slowed down; news is not', async (t) => {
  const began = performance.now();
  const proxy = await fake(t, (n) => ['a', String(n)]);
  const { answers } = follow(t, proxy.address);
  await until('six requests', () => proxy.requests.length === 6);
  assert.ok(performance.now() - began > 2000, 'two in a row are free, then one a second');
  assert.deepEqual(answers, ['a']);
  const busy = await fake(t, (n) => [String(n), String(n)]);
  const busyBegan = performance.now();
  const news = follow(t, busy.address);
  await until('twenty answers', () => news.answers.length >= 20);
  assert.ok(performance.now() - busyBegan < 2000);
});

test('an answer that was not taken is given again', async (t) => {
  const proxy = await fake(t, (n, index) => (index === null ? ['a', '5'] : n > 100 ? ['b', '6'] : undefined));
  let refusals = 2;
  const { answers, said, states } = follow(t, proxy.address, {
    take: () => {
      if (refusals-- > 0) throw new Error('not now');
    },
  });
  await until('the answer', () => answers.length === 1);
  await until('the blocking query', () => proxy.requests.length === 4);
  assert.deepEqual(indexes(proxy), [null, null, null, '5']);
  assert.equal(said.filter((each) => each.startsWith('could not take an answer')).length, 2);
  assert.equal(states.length, 1, 'that is no outage');
});

test('what Consul does wrong is tried again, from index 0, and never told as data', async (t) => {
  const value = { now: 'a', index: 1 };
  const waiting = new Set<ServerResponse>();
  const agent: Answerer = (incoming, outgoing) => {
    if (new URL(incoming.url ?? '', 'http://consul').searchParams.get('index') === String(value.index))
      waiting.add(outgoing);
    else reply(outgoing, value.now, String(value.index));
  };
  const server = createServer(agent);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const proxy = await startFaultProxy(`127.0.0.1:${(server.address() as { port: number }).port}`);
  t.after(() => proxy.close());
  const { answers, states, problems, said } = follow(t, proxy.address, { limit: 1000 });
  await until('the first answer', () => answers.length === 1);
  const faults: [Parameters<FaultProxy['fault']>[0], RegExp, 'away' | 'refused'][] = [
    [
      { type: 'status', status: 500, body: 'No cluster leader' },
      /consul answers 500: No cluster leader/,
      'away',
    ],
    [{ type: 'status', status: 503 }, /consul answers 503: injected/, 'away'],
    [{ type: 'status', status: 429 }, /consul answers 429/, 'away'],
    [
      { type: 'status', status: 403, body: 'Permission denied\n' },
      /consul answers 403: Permission denied$/,
      'refused',
    ],
    [{ type: 'status', status: 404 }, /the answer \(404\) has no X-Consul-Index/, 'refused'],
    [{ type: 'status', status: 200, body: '<html>' }, /the answer \(200\) has no X-Consul-Index/, 'refused'],
    [{ type: 'cut' }, /the connection was cut|cut off|aborted/, 'away'],
    [{ type: 'body', body: '[{"Key":"k","Value":"c2VjcmV0Iç' }, /^the answer is not JSON$/, 'away'],
    [{ type: 'body', body: '[]' }, /the answer is empty/, 'away'],
    [{ type: 'body', body: '[{"Key":"kk","Value":null}]' }, /the answer is to another query/, 'away'],
    [{ type: 'trickle' }, /no whole answer within 1.0s/, 'away'],
    [{ type: 'body', body: '{}' }, /expected it to be a list, got an object/, 'away'],
    [{ type: 'headers', headers: { 'x-consul-knownleader': 'false' } }, /without a leader/, 'away'],
    [
      { type: 'headers', headers: { 'x-consul-results-filtered-by-acls': 'true' } },
      /the token may not read all of it/,
      'refused',
    ],
    [{ type: 'headers', headers: { 'x-consul-index': 'many' } }, /has no X-Consul-Index/, 'refused'],
    [{ type: 'silence' }, /no whole answer within 1.0s/, 'away'],
  ];
  for (const [fault, message, effect] of faults) {
    // A query that rests between two requests would not notice that connections are cut.
    await until('a query that is held', () => waiting.size === 1);
    waiting.clear();
    const before = { answers: answers.length, requests: proxy.requests.length, states: states.length };
    value.now = `${value.now}+`;
    value.index++;
    proxy.fault(fault);
    const told = (): boolean =>
      effect === 'away' ? message.test(states.at(-1)?.cause ?? '') : message.test(problems.at(-1) ?? '');
    await until(`${JSON.stringify(fault)} to be told: ${effect}`, told).catch((error: Error) => {
      throw new Error(`${error.message}\n${JSON.stringify([states, problems, said], null, 1)}`);
    });
    await until('a second try', () => proxy.requests.length >= before.requests + 2);
    assert.ok(
      indexes(proxy)
        .slice(before.requests + 1)
        .every((index) => index === null),
      'each try starts from 0',
    );
    assert.equal(answers.length, before.answers);
    proxy.fault({ type: 'none' });
    await until(`the value after ${JSON.stringify(fault)}`, () => answers.at(-1) === value.now);
    await until(
      'the source to be back',
      () => states.at(-1)?.awaySince === null && (problems.at(-1) ?? null) === null,
    );
  }
});

test('stopping, and dropping a query, cut the request that is under way', async (t) => {
  const proxy = await fake(t, (n) => (n === 1 ? ['a', '5'] : undefined));
  const followed = follow(t, proxy.address);
  await until('the blocking query', () => proxy.requests.length === 2);
  followed.end();
  await until('no open request', () => proxy.open === 0);
  const again = follow(t, (await fake(t, () => undefined)).address);
  await again.source.stop();
  assert.deepEqual(again.said, []);
});

test('the token is read from its file each time, sent as a header, and never told', async (t) => {
  const tokens: unknown[] = [];
  const proxy = await startFaultProxy((incoming, outgoing) => {
    tokens.push(incoming.headers['x-consul-token']);
    outgoing.writeHead(403).end('Permission denied');
  });
  t.after(() => proxy.close());
  const directory = tempDir(t);
  const file = join(directory, 'token');
  writeFileSync(file, 'secret-one\n');
  const { said, problems } = follow(t, proxy.address, { env: { CONSUL_HTTP_TOKEN_FILE: file } });
  await until('a request', () => tokens.length > 0);
  writeFileSync(file, 'secret-two');
  await until('the new token', () => tokens.at(-1) === 'secret-two');
  assert.equal(tokens[0], 'secret-one');
  assert.doesNotMatch(JSON.stringify([said, problems]), /secret/);
});

test('stale answers are taken from any server that has heard from the leader lately, else from the leader', async (t) => {
  const held: ServerResponse[] = [];
  const say = (outgoing: ServerResponse, value: string, age: number): void =>
    void outgoing.writeHead(200, { 'x-consul-index': '5', 'x-consul-lastcontact': age }).end(body(value));
  const proxy = await startFaultProxy((incoming, outgoing) => {
    const { searchParams } = new URL(incoming.url ?? '', 'http://consul');
    if (searchParams.has('index')) held.push(outgoing);
    else if (searchParams.has('stale')) say(outgoing, 'too old', 5000);
    else say(outgoing, 'fresh', 0);
  });
  t.after(() => proxy.close());
  const { answers } = follow(t, proxy.address, { env: { SUPERVISE_MAX_STALE: '2s' } });
  await until('a query that is held', () => held[0]);
  assert.deepEqual(answers, ['fresh']);
  if (held[0]) say(held[0], 'old enough', 1000);
  await until('the next', () => held[1]);
  assert.deepEqual(answers, ['fresh', 'old enough']);
  assert.ok(proxy.requests.filter((path) => path.includes('index=')).every((path) => path.includes('stale')));
});

test('a value of 512 kB', async (t) => {
  const large = 'x'.repeat(512 * 1024);
  const proxy = await fake(t, (n) => (n === 1 ? [large, '5'] : undefined));
  const { answers } = follow(t, proxy.address);
  await until('the value', () => answers[0] === large);
});

test('a Unix socket, and a path in front of /v1', async (t) => {
  const socket = join(tempDir(t), 'consul.sock');
  const paths: string[] = [];
  const server = createServer((incoming, outgoing) => {
    paths.push(incoming.url ?? '');
    if (!incoming.url?.includes('index=')) reply(outgoing, 'a', '5');
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  const followed = follow(t, `unix://${socket}`, { env: { CONSUL_NAMESPACE: 'team' } });
  await until('the answer', () => followed.answers[0] === 'a');
  assert.equal(paths[0], '/v1/kv/k?ns=team');
  const proxy = await fake(t, (n) => (n === 1 ? ['a', '5'] : undefined));
  const prefixed = follow(t, `http://${proxy.address}/consul/`);
  await until('the answer', () => prefixed.answers[0] === 'a');
  assert.equal(proxy.requests[0], '/consul/v1/kv/k?');
});

test('more queries than connections: each has its turn, and the agent keeps connections for others', async (t) => {
  let open = 0;
  let most = 0;
  const changed = new Set<string>();
  const proxy = await startFaultProxy((incoming, outgoing) => {
    const url = new URL(incoming.url ?? '', 'http://consul');
    most = Math.max(most, ++open);
    outgoing.on('close', () => open--);
    const answer = (): void => {
      const news = changed.has(url.pathname);
      const list = [{ Node: { Node: 'n', Address: '1.1.1.1' }, Service: { ID: 'w', Port: news ? 2 : 1 } }];
      outgoing.writeHead(200, { 'x-consul-index': news ? '6' : '5' }).end(JSON.stringify(list));
    };
    const wait = /^(\d+)ms$/.exec(url.searchParams.get('wait') ?? '')?.[1];
    const timer = setTimeout(answer, Number(wait ?? 0));
    outgoing.on('close', () => clearTimeout(timer));
  });
  t.after(() => proxy.close());
  const { source } = follow(t, proxy.address);
  const ports = new Map<string, number>();
  for (let i = 0; i < 250; i++)
    source.subscribe(
      { kind: 'service', name: `s${i}`, params: { status: 'passing' } },
      { answer: ({ data }) => void ports.set(`s${i}`, data?.[0]?.Port ?? 0), problem: () => {} },
    );
  await until('all first answers', () => ports.size === 250);
  assert.ok(source.explain?.().some(({ connection }) => connection === 'queued'));
  for (let i = 0; i < 250; i++) changed.add(`/v1/health/service/s${i}`);
  await until('all changes', () => [...ports.values()].every((port) => port === 2));
  assert.ok(most <= 18, `${most} connections at once`);
});

test('with more queries than connections it is told soon that nobody answers', async (t) => {
  const proxy = await startFaultProxy(() => {});
  t.after(() => proxy.close());
  const { source, states } = follow(t, proxy.address, { limit: 500 });
  for (let i = 0; i < 200; i++)
    source.subscribe({ kind: 'service', name: `s${i}`, params: {} }, { answer: () => {}, problem: () => {} });
  const began = performance.now();
  await until('the outage', () => typeof states[0]?.awaySince === 'number');
  // One after the other, 18 at a time, they would take 5 s.
  assert.ok(performance.now() - began < 3000);
});

test('a directory that is too large to be one query is asked for in pieces', async (t) => {
  const proxy = await startFaultProxy((incoming, outgoing) => {
    const { pathname, searchParams } = new URL(incoming.url ?? '', 'http://consul');
    if (searchParams.has('index')) return;
    const Key = pathname.slice('/v1/kv/'.length);
    const Value = searchParams.has('recurse') ? 'x'.repeat(9 * 2 ** 20) : 'YQ==';
    outgoing.writeHead(200, { 'x-consul-index': '5' }).end(JSON.stringify([{ Key, Value }]));
  });
  t.after(() => proxy.close());
  const { source, states, said } = follow(t, proxy.address);
  let answers = 0;
  for (let i = 0; i < 8; i++)
    source.subscribe(
      { kind: 'key', name: `wide/${i}`, params: {} },
      { answer: ({ data }) => void (data?.Value === 'a' && answers++), problem: () => {} },
    );
  await until('all answers', () => answers === 8);
  assert.equal(states.length, 1, 'that is no outage');
  assert.equal(proxy.requests.filter((path) => path.includes('recurse')).length, 1);
  assert.equal(said.filter((line) => line.startsWith('split a query')).length, 1);
});

test('TLS, with certificates that are replaced while we run', async (t) => {
  const tls = join(import.meta.dirname, 'fixtures/tls');
  const pem = (name: string): string => readFileSync(join(tls, name), 'utf8');
  const seen: string[] = [];
  const options = { ca: pem('ca.pem'), cert: pem('server.pem'), key: pem('server.key'), requestCert: true };
  const server = createSecureServer(options, (incoming, outgoing) => {
    seen.push(new X509Certificate((incoming.socket as TLSSocket).getPeerCertificate().raw).fingerprint256);
    if (!incoming.url?.includes('index=')) reply(outgoing, 'a', '5');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  const directory = tempDir(t);
  const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  const put = (path: string, name: string): void => {
    writeFileSync(`${path}.new`, pem(name));
    renameSync(`${path}.new`, path);
  };
  const fingerprint = (name: string): string => new X509Certificate(pem(name)).fingerprint256;
  put(ca, 'ca.pem');
  put(cert, 'server.pem');
  put(key, 'server.key');
  const { answers, said, states } = follow(t, `127.0.0.1:${(server.address() as { port: number }).port}`, {
    env: {
      CONSUL_HTTP_SSL: '1',
      CONSUL_CACERT: ca,
      CONSUL_CLIENT_CERT: cert,
      CONSUL_CLIENT_KEY: key,
      CONSUL_TLS_SERVER_NAME: 'server.dc1.consul',
    },
  });
  await until('it waits', () => answers[0] === 'a' && seen.length === 2);
  assert.equal(seen[1], fingerprint('server.pem'));
  put(cert, 'client.pem');
  await until('the half of it to be passed over', () =>
    said.some((line) => line.startsWith('did not take the certificates')),
  );
  put(key, 'client.key');
  await until('the new one', () => seen.includes(fingerprint('client.pem')));
  assert.equal(said.filter((line) => line.startsWith('read other certificates')).length, 1);
  assert.equal(states.length, 1, 'that is no outage');
});

test('TLS, with a name of its own and a certificate of ours', async (t) => {
  const tls = join(import.meta.dirname, 'fixtures/tls');
  const pem = (name: string): string => readFileSync(join(tls, name), 'utf8');
  const options = { ca: pem('ca.pem'), cert: pem('server.pem'), key: pem('server.key'), requestCert: true };
  const server = createSecureServer(options, (incoming, outgoing) => {
    if (!incoming.url?.includes('index=')) reply(outgoing, 'a', '5');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  const address = `127.0.0.1:${(server.address() as { port: number }).port}`;
  const env = {
    CONSUL_HTTP_SSL: '1',
    CONSUL_CACERT: join(tls, 'ca.pem'),
    CONSUL_CLIENT_CERT: join(tls, 'client.pem'),
    CONSUL_CLIENT_KEY: join(tls, 'client.key'),
    CONSUL_TLS_SERVER_NAME: 'server.dc1.consul',
  };
  const good = follow(t, address, { env });
  await until('the answer', () => good.answers[0] === 'a');
  const nameless = follow(t, address, { env: { ...env, CONSUL_CLIENT_CERT: '', CONSUL_CLIENT_KEY: '' } });
  await until('the refusal', () => nameless.states[0]?.awaySince);
  const directory = tempDir(t);
  writeFileSync(join(directory, 'note.txt'), 'no certificate');
  writeFileSync(join(directory, 'ca.pem'), pem('ca.pem'));
  const listed = follow(t, address, { env: { ...env, CONSUL_CACERT: '', CONSUL_CAPATH: directory } });
  await until('the answer', () => listed.answers[0] === 'a');
  const stranger = follow(t, address, { env: { ...env, CONSUL_CACERT: '' } });
  await until('the refusal', () => /certificate/.test(stranger.states[0]?.cause ?? ''));
  const careless = follow(t, address, {
    env: { ...env, CONSUL_CACERT: '', CONSUL_HTTP_SSL_VERIFY: 'false' },
  });
  await until('the answer', () => careless.answers[0] === 'a');
  assert.equal(stranger.answers.length, 0);
});
