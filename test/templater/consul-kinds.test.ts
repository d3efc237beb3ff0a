/** Each kind of query, answered by a real agent. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import type { Log } from '../../src/log.ts';
import { createConsulSource } from '../../src/templater/source/consul.ts';
import { readConsulConfig } from '../../src/templater/source/consul-config.ts';
import type { DataOf, Kind, Params, Query } from '../../src/templater/source/query.ts';
import type { Answer, Source } from '../../src/templater/source/source.ts';
import { type ConsulAgent, startConsul } from '../consul.ts';
import { tempDir, until } from '../tree.ts';

let consul: ConsulAgent;
before(async () => {
  consul = await startConsul({ config: { node_meta: { zone: 'a' } } });
});
after(() => consul.stop());

const QUIET: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => QUIET };

function open(t: TestContext, address = consul.address, env: Record<string, string> = {}): Source {
  const source = createConsulSource({
    config: readConsulConfig(env, address),
    log: QUIET,
    onState: () => {},
  });
  t.after(() => source.stop());
  return source;
}

/** Keys `0`, `1` … below a prefix, `v0`, `v1` … in them. */
async function putMany(prefix: string, count: number): Promise<void> {
  for (let i = 0; i < count; i += 64) {
    const body = Array.from({ length: Math.min(64, count - i) }, (_, j) => ({
      KV: { Verb: 'set', Key: `${prefix}${i + j}`, Value: Buffer.from(`v${i + j}`).toString('base64') },
    }));
    const reply = await fetch(`http://${consul.address}/v1/txn`, {
      method: 'PUT',
      body: JSON.stringify(body),
    });
    assert.equal(reply.status, 200);
  }
}

interface Followed<K extends Kind> {
  query: Query<K>;
  answers: Answer<K>[];
  problem: string | null;
  /** The data of the last answer, which is waited for until it fits. */
  data(fits?: (data: DataOf[K] | null) => boolean): Promise<DataOf[K] | null>;
}

function follow<K extends Kind>(source: Source, kind: K, name = '', params: Params = {}): Followed<K> {
  const followed: Followed<K> = {
    query: { kind, name, params },
    answers: [],
    problem: null,
    async data(fits = () => true) {
      await until(`an answer to ${kind} ${name}`, () => {
        const last = followed.answers.at(-1);
        return last && fits(last.data);
      });
      return followed.answers.at(-1)?.data ?? null;
    },
  };
  source.subscribe(followed.query, {
    answer: (answer) => void followed.answers.push(answer),
    problem: (cause) => {
      followed.problem = cause;
    },
  });
  return followed;
}

test('services, nodes and datacenters of the catalog, in order, and again when they change', async (t) => {
  const source = open(t);
  await consul.register({ name: 'web', id: 'w1', tags: ['b', 'a'], port: 80, meta: { v: '1' } });
  const services = follow(source, 'services');
  const both = await services.data((data) => data?.length === 2);
  assert.deepEqual(JSON.stringify(both), '[{"Name":"consul","Tags":[]},{"Name":"web","Tags":["a","b"]}]');
  // The agent tells of itself a while after there is a leader.
  const nodes = await follow(source, 'nodes').data((data) => data?.[0]?.Meta['zone'] === 'a');
  assert.equal(nodes?.length, 1);
  const { Node: name = '', Address, Datacenter, Meta } = nodes?.[0] ?? {};
  assert.deepEqual([Address, Datacenter, Meta?.['zone']], ['127.0.0.1', 'dc1', 'a']);
  for (const asked of [name, '']) {
    const node = await follow(source, 'node', asked).data((data) => data?.Services.length === 2);
    assert.equal(node?.Node.Node, name);
    assert.deepEqual(node?.Services.map(({ ID, Port, Tags, Meta }) => [ID, Port, Tags, Meta['v']])[1], [
      'w1',
      80,
      ['a', 'b'],
      '1',
    ]);
  }
  assert.equal(await follow(source, 'node', 'none').data(), null);
  assert.deepEqual(await follow(source, 'datacenters').data(), ['dc1']);
  assert.equal(source.explain?.().find(({ query }) => query === 'datacenters')?.connection, 'polled');
  await consul.register({ name: 'api', id: 'a1' });
  await services.data((data) => data?.length === 3);
  await consul.deregister('a1');
  await services.data((data) => data?.length === 2);
  await consul.deregister('w1');
});

test('the mesh: instances, root certificates, a leaf with its key', async (t) => {
  const source = open(t);
  // The client library does not let a service be native without a sidecar.
  const body = JSON.stringify({ Name: 'mesh', ID: 'm1', Port: 1234, Connect: { Native: true } });
  await fetch(`http://${consul.address}/v1/agent/service/register`, { method: 'PUT', body });
  const instances = await follow(source, 'connect', 'mesh', { status: 'passing' }).data(
    (all) => all !== null,
  );
  assert.equal(instances?.[0]?.Port, 1234);
  const [root] = (await follow(source, 'caRoots').data()) ?? [];
  assert.equal(root?.Active, true);
  assert.match(root?.RootCert ?? '', /^-----BEGIN CERTIFICATE-----/);
  assert.equal(root?.RootCertPEM, root?.RootCert);
  const leaf = await follow(source, 'caLeaf', 'mesh').data();
  assert.match(leaf?.CertPEM ?? '', /^-----BEGIN CERTIFICATE-----/);
  assert.match(leaf?.PrivateKeyPEM ?? '', /PRIVATE KEY-----/);
  assert.equal(leaf?.Service, 'mesh');
  await consul.deregister('m1');
});

test('filter, tag, near and dc are passed on', async (t) => {
  const source = open(t);
  await consul.register({ name: 'pick', id: 'p1', port: 1, tags: ['v1'] });
  await consul.register({ name: 'pick', id: 'p2', port: 2, tags: ['v2'] });
  const ports = async (params: Params): Promise<unknown> =>
    (await follow(source, 'service', 'pick', params).data((data) => data !== null))?.map(({ Port }) => Port);
  assert.deepEqual(await ports({ filter: 'Service.Port == 2' }), [2]);
  assert.deepEqual(await ports({ tag: 'v1' }), [1]);
  assert.deepEqual(await ports({ near: '_agent', dc: 'dc1', tag: 'v2' }), [2]);
  await follow(source, 'nodes', '', { filter: 'Meta.zone == a' }).data((data) => data?.length === 1);
  assert.equal(await follow(source, 'nodes', '', { filter: 'Meta.zone == b' }).data(), null);
  const nowhere = follow(source, 'key', 'x', { dc: 'nowhere' });
  await until('the refusal', () => /No path to datacenter/.test(nowhere.problem ?? ''));
  const unfit = follow(source, 'service', 'pick', { filter: 'Service.Port ==' });
  await until('the refusal', () => /boolean expression/.test(unfit.problem ?? ''));
});

test('keys of one directory are one query; as they come and go nobody is told anything twice', async (t) => {
  const source = open(t);
  for (let i = 0; i < 10; i++) await consul.put(`one/${i}`, `v${i}`);
  const followed = Array.from({ length: 7 }, (_, i) => follow(source, 'key', `one/${i}`));
  for (const each of followed) await each.data();
  const how = (): string[] => source.explain?.().map(({ connection }) => connection) ?? [];
  assert.deepEqual(new Set(how()), new Set(['own']));
  const more = [7, 8, 9, 10].map((i) => follow(source, 'key', `one/${i}`));
  assert.equal((await more[2]?.data())?.Value, 'v9');
  assert.equal(await more[3]?.data(), null);
  assert.deepEqual(new Set(how()), new Set(['shared']));
  assert.equal(source.explain?.()[0]?.sharedWith, 'keys under "one/"');
  await until('all to be asked', () => source.explain?.().every(({ index }) => index !== null));
  await consul.put('one/3', 'new');
  await consul.delete('one/4');
  await consul.put('one/10', 'late');
  assert.equal((await followed[3]?.data((data) => data?.Value === 'new'))?.Value, 'new');
  await followed[4]?.data((data) => data === null);
  assert.deepEqual(followed[4]?.answers.slice(1), [{ data: null, continuous: true }]);
  await more[3]?.data((data) => data?.Value === 'late');
  for (const i of [0, 1, 2, 5, 6]) assert.equal(followed[i]?.answers.length, 1, `one/${i}`);
});

test('a directory that holds far more than is wanted of it is not one query', async (t) => {
  await putMany('wide/', 200);
  const source = open(t);
  const followed = Array.from({ length: 8 }, (_, i) => follow(source, 'key', `wide/${i}`));
  for (const [i, each] of followed.entries()) assert.equal((await each.data())?.Value, `v${i}`);
  assert.deepEqual(new Set(source.explain?.().map(({ connection }) => connection)), new Set(['own']));
  const rest = Array.from({ length: 60 }, (_, i) => follow(source, 'key', `wide/${i + 8}`));
  for (const each of rest) await each.data();
  assert.equal(source.explain?.()[0]?.connection, 'shared');
  for (const each of followed) assert.equal(each.answers.length, 1);
});

test('keys with a busy neighbour are asked for by themselves', async (t) => {
  await putMany('busy/', 8);
  const source = open(t);
  const followed = Array.from({ length: 8 }, (_, i) => follow(source, 'key', `busy/${i}`));
  for (const each of followed) await each.data();
  assert.equal(source.explain?.()[0]?.connection, 'shared');
  await until('the split', async () => {
    await consul.put('busy/counter', String(performance.now()));
    return source.explain?.()[0]?.connection === 'own';
  });
  await consul.put('busy/3', 'new');
  await followed[3]?.data((data) => data?.Value === 'new');
  assert.deepEqual(
    followed.map(({ answers }) => answers.length),
    [1, 1, 1, 2, 1, 1, 1, 1],
  );
});

test('with too many queries even a prefix that holds far more than is wanted is one', async (t) => {
  for (let i = 0; i < 20; i++) await putMany(`press/${i}/`, 100);
  const source = open(t);
  const followed = Array.from({ length: 40 }, (_, i) => follow(source, 'key', `press/${i >> 1}/${i & 1}`));
  for (const [i, each] of followed.entries()) assert.equal((await each.data())?.Value, `v${i & 1}`);
  assert.deepEqual(
    new Set(source.explain?.().map((each) => each.sharedWith)),
    new Set(['keys under "press/"']),
  );
  await until('all to be asked', () => source.explain?.().every(({ index }) => index !== null));
  await consul.put('press/19/1', 'new');
  await followed[39]?.data((data) => data?.Value === 'new');
  assert.deepEqual(
    followed.map(({ answers }) => answers.length),
    [...Array(39).fill(1), 2],
  );
});

test('many thousand keys under a prefix', async (t) => {
  const count = Number(process.env['SUPERVISE_TEST_KEYS'] ?? 10_000);
  await putMany('many/', count);
  const source = open(t);
  const before = process.memoryUsage();
  const began = performance.now();
  const all = follow(source, 'prefix', 'many/');
  assert.equal((await all.data())?.length, count);
  const took = performance.now() - began;
  const after = process.memoryUsage();
  const again = performance.now();
  await consul.put('many/5', 'new');
  await all.data((data) => data?.some(({ Value }) => Value === 'new') === true);
  t.diagnostic(
    `${count} keys: first answer after ${took.toFixed(0)} ms, a change after ${(performance.now() - again).toFixed(0)} ms; ` +
      `RSS ${(before.rss / 2 ** 20).toFixed(0)} → ${(after.rss / 2 ** 20).toFixed(0)} MB`,
  );
});

test('a token file that changes takes effect at once, on what is being waited for too', async (t) => {
  const secured = await startConsul({
    config: { acl: { enabled: true, default_policy: 'deny', tokens: { master: 'root' } } },
    token: 'root',
  });
  t.after(() => secured.stop());
  // A leader is there before its access control is.
  const acl = (path: string, body: unknown): Promise<Record<string, string>> =>
    until('access control', async () => {
      const reply = await fetch(`http://${secured.address}/v1/acl/${path}`, {
        method: 'PUT',
        headers: { 'x-consul-token': 'root' },
        body: JSON.stringify(body),
      });
      return reply.ok ? ((await reply.json()) as Record<string, string>) : undefined;
    });
  // Not one/9: a list leaves it out without a word, and by its own name it is refused.
  const Rules = 'key_prefix "one/" { policy = "read" } key "one/9" { policy = "deny" }';
  const { ID = '' } = await acl('policy', { Name: 'most', Rules });
  const { SecretID = '' } = await acl('token', { Policies: [{ ID }] });
  for (let i = 0; i < 10; i++) await secured.put(`one/${i}`, `v${i}`);
  const file = join(tempDir(t), 'token');
  writeFileSync(file, 'root\n');
  const source = open(t, secured.address, { CONSUL_HTTP_TOKEN_FILE: file });
  const followed = Array.from({ length: 10 }, (_, i) => follow(source, 'key', `one/${i}`));
  for (const each of followed) await each.data();
  assert.equal(source.explain?.()[0]?.connection, 'shared');
  writeFileSync(file, SecretID);
  await until('the refusal of the one', () => /403/.test(followed[9]?.problem ?? ''));
  await secured.put('one/0', 'new');
  await followed[0]?.data((data) => data?.Value === 'new');
  for (const each of followed.slice(1)) assert.equal(each.answers.length, 1, 'nothing was told to be gone');
  assert.deepEqual(
    followed.map(({ problem }) => problem === null),
    [...Array(9).fill(true), false],
  );
  writeFileSync(file, 'root');
  await until('the one again', () => followed[9]?.problem === null);
  assert.equal(followed[9]?.answers.length, 1);
});
