import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { chooseSource } from '../../src/templater/source/choose.ts';
import { readReply } from '../../src/templater/source/consul-answer.ts';
import { readConsulConfig } from '../../src/templater/source/consul-config.ts';
import { pathOf } from '../../src/templater/source/consul-path.ts';
import type { Query } from '../../src/templater/source/query.ts';
import { tempDir, writeFiles } from '../tree.ts';

test("addresses, as Consul's own clients read them", () => {
  const place = (address: string | undefined, env: Record<string, string> = {}): string => {
    const { secure, host, port, prefix, socketPath, name } = readConsulConfig(env, address);
    assert.doesNotMatch(name, /secret/);
    return socketPath ?? `${secure ? 'https' : 'http'} ${host} ${port} ${prefix}`.trim();
  };
  const cases: [string | undefined, Record<string, string>, string][] = [
    [undefined, {}, 'http 127.0.0.1 8500'],
    [undefined, { CONSUL_HTTP_ADDR: 'a:1', CONSUL: 'b:2' }, 'http a 1'],
    [undefined, { CONSUL: 'b:2' }, 'http b 2'],
    ['c:3', { CONSUL_HTTP_ADDR: 'a:1' }, 'http c 3'],
    ['consul', {}, 'http consul 8500'],
    ['consul:80', {}, 'http consul 80'],
    ['consul:443', { CONSUL_HTTP_SSL: 'true' }, 'https consul 443'],
    ['http://consul', {}, 'http consul 80'],
    ['https://consul', {}, 'https consul 443'],
    ['https://consul:8501/gw/', {}, 'https consul 8501 /gw'],
    ['http://user:secret@consul:8500', {}, 'http consul 8500'],
    ['[::1]:8500', {}, 'http ::1 8500'],
    ['unix:///run/consul.sock', {}, '/run/consul.sock'],
  ];
  for (const [address, env, expected] of cases) assert.equal(place(address, env), expected, address);
  for (const bad of ['http://', 'ftp://consul', 'unix://', 'a b:8500', ':8500'])
    assert.throws(() => readConsulConfig({}, bad), /cannot use Consul's address: it is none/, bad);
  assert.throws(
    () => readConsulConfig({ CONSUL_CACERT: '/no/ca' }, 'https://c'),
    /cannot read CONSUL_CACERT=\/no\/ca: no such file/,
  );
});

test('login and token become headers', async () => {
  const headers = (env: Record<string, string>, address = 'c:1') => readConsulConfig(env, address).headers();
  assert.deepEqual(await headers({}), {});
  assert.deepEqual(await headers({ CONSUL_HTTP_TOKEN: 't' }), { 'x-consul-token': 't' });
  assert.deepEqual(await headers({}, 'http://me:p%40ss@c'), { authorization: `Basic ${btoa('me:p@ss')}` });
  assert.deepEqual(await headers({ CONSUL_HTTP_AUTH: 'me:pass' }), {
    authorization: `Basic ${btoa('me:pass')}`,
  });
  await assert.rejects(
    headers({ CONSUL_HTTP_TOKEN_FILE: '/no/token' }),
    /cannot read CONSUL_HTTP_TOKEN_FILE=\/no\/token/,
  );
});

test('which source is chosen', (t) => {
  const bare = tempDir(t);
  const scandir = writeFiles(tempDir(t), { '.supervise/kv.yaml': '', '.supervise/kv.json': '{}' });
  const choose = (env: Record<string, string>, source?: string, consulAddr?: string, where = scandir) => {
    const choice = chooseSource({ source, consulAddr, env, scandirs: [where] });
    return choice.kind === 'file'
      ? choice.path
      : choice.kind === 'consul'
        ? `consul ${choice.address}`
        : choice.kind;
  };
  assert.equal(choose({}, undefined, undefined, bare), 'none');
  assert.equal(
    choose({}),
    join(scandir, '.supervise/kv.json'),
    'the file beside the hooks, where nothing else is named',
  );
  assert.equal(choose({ CONSUL_HTTP_ADDR: 'a:1' }), 'consul a:1');
  assert.equal(choose({ CONSUL: 'b:2' }), 'consul b:2');
  assert.equal(choose({ CONSUL_HTTP_ADDR: 'a:1' }, 'file:/kv.json'), '/kv.json');
  assert.equal(
    choose({}, 'file:data/kv.json'),
    join(scandir, 'data/kv.json'),
    'relative to the services directory',
  );
  assert.equal(choose({ CONSUL_HTTP_ADDR: 'a:1' }, 'consul'), 'consul undefined');
  assert.equal(choose({ CONSUL_HTTP_ADDR: 'a:1' }, 'consul:https://c:1'), 'consul https://c:1');
  assert.equal(choose({}, undefined, 'c:3'), 'consul c:3');
  assert.throws(
    () => choose({}, 'kv.json'),
    /cannot use the source "kv.json": expected file:PATH, consul or consul:HOST:PORT/,
  );
});

test('paths of queries', () => {
  const path = (kind: Query['kind'], name: string, params: Query['params'] = {}): string =>
    pathOf({ kind, name, params }, { ns: 'team' });
  assert.equal(path('key', 'a b/c?d'), '/v1/kv/a%20b/c%3Fd?ns=team');
  assert.equal(path('prefix', 'app/', { ns: 'mine' }), '/v1/kv/app/?ns=mine&recurse=true');
  assert.equal(
    path('service', 'web', { status: 'passing', tag: 'v1', dc: 'eu' }),
    '/v1/health/service/web?ns=team&tag=v1&dc=eu&passing=1',
  );
  assert.equal(
    path('service', 'web', { status: 'any', filter: 'Node == "a"' }),
    '/v1/health/service/web?ns=team&filter=Node+%3D%3D+%22a%22',
  );
});

test("instances: the service's address or its node's, the worst of its checks, in order", () => {
  const entry = (node: string, id: string, statuses: string[], more = {}) => ({
    Node: { Node: node, Address: `10.0.0.${node}`, Datacenter: 'dc1' },
    Service: {
      ID: id,
      Service: 'web',
      Tags: ['b', 'a'],
      Meta: { z: '1', a: '2' },
      Port: 80,
      Address: '',
      ...more,
    },
    Checks: statuses.map((Status) => ({
      CheckID: Status === 'maintenance' ? '_node_maintenance' : 'c',
      Status,
    })),
  });
  const body = JSON.stringify([
    entry('2', 'w', ['passing', 'warning']),
    entry('1', 'w2', ['passing']),
    entry('1', 'w1', [], { Address: '1.2.3.4' }),
    entry('3', 'w', ['critical', 'maintenance']),
    entry('4', 'w', ['warning', 'critical']),
  ]);
  const read = (params: Query['params']) => {
    const query: Query<'service'> = { kind: 'service', name: 'web', params };
    return readReply(query, { status: 200, headers: { 'x-consul-index': '9' }, body })
      .part(query)
      .data();
  };
  assert.deepEqual(
    read({ status: 'passing' })?.map(({ Address, ID }) => `${ID} ${Address}`),
    ['w1 1.2.3.4', 'w2 10.0.0.1'],
  );
  assert.deepEqual(
    read({ status: 'any' })?.map(({ Status }) => Status),
    ['passing', 'passing', 'warning', 'maintenance', 'critical'],
  );
  assert.deepEqual(
    read({ status: 'any', near: '_agent' })?.map(({ Node }) => Node),
    ['2', '1', '1', '3', '4'],
  );
  assert.deepEqual(read({ status: 'passing' })?.[0]?.Tags, ['a', 'b']);
  assert.equal(JSON.stringify(read({ status: 'passing' })?.[0]?.Meta), '{"a":"2","z":"1"}');
  assert.equal(read({ status: 'maintenance,critical' })?.length, 2);
});

test('an answer whose parts are of other types than Consul’s is refused, with the name of the part and no value', () => {
  const entry = { Node: { Node: 'n' }, Service: { ID: 'w', Service: 'web' } };
  const pair = { Key: 'a', Value: 'NQ==' };
  const cases: [Query['kind'], unknown, string][] = [
    ['key', [{ ...pair, Value: 5 }], 'expected Value to be text, got a number'],
    ['prefix', [pair, null], 'it has an empty entry'],
    ['service', [{ ...entry, Checks: [{ CheckID: 7 }] }], 'expected CheckID to be text, got a number'],
    ['service', [{ ...entry, Checks: [null] }], 'Checks has an empty entry'],
    ['connect', [{ Node: entry.Node }], 'the answer is not an object'],
    ['services', { web: 'a' }, 'expected it to be a list, got text'],
    ['node', { Node: {}, Services: { w: null } }, 'Services has an empty entry'],
    ['caRoots', { Roots: {} }, 'expected Roots to be a list, got an object'],
    ['caLeaf', [], 'expected it to be an object, got a list'],
    ['datacenters', [['eu']], 'expected it to be text, got a list'],
  ];
  for (const [kind, content, words] of cases) {
    const query = { kind, name: 'a', params: { status: 'any' } } as Query;
    const reply = { status: 200, headers: { 'x-consul-index': '9' }, body: JSON.stringify(content) };
    assert.throws(
      () => readReply(query, reply),
      ({ message }: Error) => {
        assert.ok([words, `the answer is not Consul's: ${words}`].includes(message), message);
        return true;
      },
    );
  }
  // What Consul leaves out or has as null is as it is.
  const well: [Query['kind'], unknown][] = [
    ['service', [{ ...entry, Checks: [{}] }]],
    ['service', [{ Node: { Node: 'n', Meta: null }, Service: { Service: 'web', Tags: null }, Checks: null }]],
    ['services', { web: null }],
    ['node', null],
  ];
  for (const [kind, content] of well) {
    const query = { kind, name: 'a', params: { status: 'any' } } as Query;
    const reply = { status: 200, headers: { 'x-consul-index': '9' }, body: JSON.stringify(content) };
    assert.doesNotThrow(() => readReply(query, reply).part(query).data());
  }
});
