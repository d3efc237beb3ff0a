import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { answerFromFile, flatten, readFileData } from '../../src/templater/source/file-data.ts';
import { parseFileText } from '../../src/templater/source/file-text.ts';
import type { Query } from '../../src/templater/source/query.ts';

function query<K extends Query['kind']>(kind: K, name: string, params: Query['params'] = {}): Query<K> {
  return { kind, name, params };
}

test('nested objects and paths are the same keys; values are text', () => {
  const kv = flatten({
    app: { rate: 10, on: true, list: [1, 'a'], none: null },
    'app/name': 'x',
    'a/b': { c: '1' },
  });
  assert.deepEqual(
    [...kv],
    [
      ['a/b/c', '1'],
      ['app/list', '[1,"a"]'],
      ['app/name', 'x'],
      ['app/on', 'true'],
      ['app/rate', '10'],
    ],
  );
  assert.throws(() => flatten({ a: { b: '1' }, 'a/b': '2' }), /key "a\/b" is given twice/);
});

test('however keys are nested, they come out as they went in', () => {
  const name = fc.stringMatching(/^[a-z.-]{1,4}$/);
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const keys = fc.uniqueArray(fc.tuple(path, fc.string()), { selector: ([key]) => key });
  fc.assert(
    fc.property(keys, fc.infiniteStream(fc.boolean()), (keys, coin) => {
      const values = new Set(keys.map(([key]) => key));
      const tree: Record<string, unknown> = Object.create(null);
      for (const [key, value] of keys) {
        let node = tree;
        let rest = key;
        // A folder of the name of a key can only be written as a path.
        for (let at = rest.indexOf('/'); at > 0 && coin.next().value; at = rest.indexOf('/')) {
          const folder = rest.slice(0, at);
          if (values.has(key.slice(0, key.length - rest.length) + folder)) break;
          node[folder] ??= Object.create(null);
          node = node[folder] as Record<string, unknown>;
          rest = rest.slice(at + 1);
        }
        node[rest] = value;
      }
      assert.deepEqual(Object.fromEntries(flatten(tree)), Object.fromEntries(keys));
    }),
  );
});

test('numbers keep their digits', async () => {
  const json = await parseFileText(
    'kv.json',
    '{"kv": {"version": 1.10, "id": 12345678901234567890, "n": 5}}',
  );
  assert.deepEqual(Object.fromEntries(readFileData(json).kv), {
    version: '1.10',
    id: '12345678901234567890',
    n: '5',
  });
  const yaml = await parseFileText(
    'kv.yaml',
    'kv:\n  version: 1.10\n  id: 12345678901234567890\n  mode: 0640\n  on: true\n',
  );
  assert.deepEqual(Object.fromEntries(readFileData(yaml).kv), {
    version: '1.10',
    id: '12345678901234567890',
    mode: '0640',
    on: 'true',
  });
});

test('a broken file is told with its line, and without what is in it', async () => {
  await assert.rejects(parseFileText('kv.json', '{\n  "kv": {,}\n}'), /line 2/);
  await assert.rejects(parseFileText('kv.yml', 'kv:\n  a: "secret\n'), (error: Error) => {
    assert.equal(error.message, 'line 3 of it is no YAML: missing char');
    return true;
  });
  const cases: [name: string, text: string, message: string][] = [
    ['kv.json', 'secret', 'line 1 of it is no JSON'],
    ['kv.json', '{"kv":{"a":"secret"\n', 'line 2 of it is no JSON'],
    ['kv.json', `${'['.repeat(600)}${']'.repeat(600)}`, 'it is nested too deep'],
    ['kv.json', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'it is nested too deep'],
    ['kv.yaml', `${'['.repeat(20_000)}${']'.repeat(20_000)}`, 'it is nested too deep'],
    ['kv.yaml', 'a: 1\nb: |secret', 'line 2 of it is no YAML: unexpected token'],
    ['kv.yaml', 'a:\n\tb: secret', 'line 2 of it is no YAML: tab as indent'],
    ['kv.yaml', 'a: *secret', 'its aliases (*name) name nothing, or unfold to too much'],
    ['kv.yaml', '? [secret]\n: x', 'expected text for a key, got a list or a map'],
    ['kv.yaml', '%YAML 1.1\n---\nkv: !!set {secret}', 'expected text, lists and maps, got a set'],
  ];
  for (const [name, text, message] of cases)
    await assert.rejects(parseFileText(name, text), (error: Error) => {
      assert.equal(error.message, message);
      return true;
    });
});

test('no value of YAML is lost for its type: it stays as it was written', async () => {
  const text =
    '%YAML 1.1\n---\nkv:\n  day: 2001-12-14\n  yes_: true\n  none: ~\n  bin: !!binary aGVsbG8=\n  om: !!omap [a: 1]\n  __proto__: {x: 1}\n';
  assert.deepEqual(
    [...readFileData(await parseFileText('kv.yaml', text)).kv],
    [
      ['__proto__/x', '1'],
      ['bin', 'aGVsbG8='],
      ['day', '2001-12-14'],
      ['om/a', '1'],
      ['yes_', 'true'],
    ],
  );
});

test('what is not the shape of a source file is named', () => {
  const cases: [unknown, RegExp][] = [
    [[], /expected the file to be an object, got a list/],
    [{ keys: {} }, /expected kv, services or nodes, got "keys"/],
    [{ kv: 'x' }, /expected kv to be an object, got text/],
    [{ services: { web: {} } }, /expected services.web to be a list of instances, got an object/],
    [{ services: { web: [{ Adress: 'x' }] } }, /services.web\[0\].*"Adress"/],
    [{ services: { web: [{ Port: '80' }] } }, /expected services.web\[0\].Port to be a number, got text/],
    [{ nodes: {} }, /expected nodes to be a list, got an object/],
    [{ nodes: [{ Adress: 'x' }] }, /nodes\[0\].*"Adress"/],
    [{ nodes: [{ Address: 'x' }] }, /expected nodes\[0\] to have a name in its field Node/],
    [{ services: { web: [{ Tags: 'a' }] } }, /expected services.web\[0\].Tags to be a list, got text/],
  ];
  for (const [content, message] of cases) assert.throws(() => readFileData(content), message);
  assert.equal(readFileData(null).kv.size, 0);
});

test('keys, folders and services are answered as Consul would', () => {
  const data = readFileData({
    kv: { app: { rate: '10', peers: { a: '1', b: '2' } }, apple: '3' },
    services: {
      web: [
        { Address: '10.0.0.2', Port: 80, Tags: ['v2', 'a'], Node: 'n2', Datacenter: 'eu' },
        { Address: '10.0.0.1', Port: 80, Tags: ['v1'], Node: 'n1' },
        { Address: '10.0.0.3', Status: 'critical', Node: 'n0' },
      ],
    },
  });
  assert.equal(answerFromFile(data, query('key', 'app/rate'))?.Value, '10');
  assert.equal(answerFromFile(data, query('key', 'app')), null);
  const found = answerFromFile(data, query('prefix', 'app/'));
  assert.deepEqual(
    found?.map(({ Key, Path }) => [Key, Path]),
    [
      ['peers/a', 'app/peers/a'],
      ['peers/b', 'app/peers/b'],
      ['rate', 'app/rate'],
    ],
  );
  const addresses = (params: Query['params']) =>
    answerFromFile(data, query('service', 'web', { status: 'passing', ...params }))?.map(
      ({ Address }) => Address,
    ) ?? null;
  assert.deepEqual(addresses({}), ['10.0.0.1', '10.0.0.2']);
  assert.deepEqual(addresses({ tag: 'v2' }), ['10.0.0.2']);
  assert.deepEqual(addresses({ dc: 'us' }), ['10.0.0.1']);
  assert.deepEqual(addresses({ status: 'any' }), ['10.0.0.3', '10.0.0.1', '10.0.0.2']);
  assert.equal(addresses({ tag: 'v9' }), null);
  assert.throws(() => addresses({ filter: 'Service.Port == 80' }), /only Consul can evaluate/);
});

test('the catalog: what is given, and what instances tell of it', () => {
  const data = readFileData({
    services: {
      web: [
        { Address: '10.0.0.1', Port: 80, Tags: ['b'], Node: 'n1', NodeAddress: '10.0.0.1', Datacenter: 'eu' },
        { Address: '10.1.0.2', Port: 81, Tags: ['a'], Node: 'n2', NodeAddress: '10.0.0.2', Datacenter: 'us' },
      ],
      api: [{ Address: '10.0.0.3' }],
    },
    nodes: [{ Node: 'n1', Address: '10.0.0.1', Datacenter: 'eu', Meta: { zone: 'a' } }],
  });
  const json = (answer: unknown): unknown => JSON.parse(JSON.stringify(answer));
  assert.deepEqual(json(answerFromFile(data, query('services', ''))), [
    { Name: 'api', Tags: [] },
    { Name: 'web', Tags: ['a', 'b'] },
  ]);
  assert.deepEqual(json(answerFromFile(data, query('services', '', { dc: 'eu' }))), [
    { Name: 'api', Tags: [] },
    { Name: 'web', Tags: ['b'] },
  ]);
  assert.deepEqual(
    answerFromFile(data, query('nodes', ''))?.map(({ Node, Address, Meta }) => [Node, Address, Meta['zone']]),
    [
      ['n1', '10.0.0.1', 'a'],
      ['n2', '10.0.0.2', undefined],
    ],
  );
  const node = answerFromFile(data, query('node', 'n2'));
  assert.deepEqual(
    node?.Services.map(({ Service, Address, Port, Tags }) => [Service, Address, Port, Tags]),
    [['web', '10.1.0.2', 81, ['a']]],
  );
  assert.equal(answerFromFile(data, query('node', ''))?.Node.Node, 'n1');
  assert.equal(answerFromFile(data, query('node', ''))?.Services[0]?.Address, '');
  assert.equal(answerFromFile(data, query('node', 'n9')), null);
  assert.deepEqual(answerFromFile(data, query('datacenters', '')), ['eu', 'us']);
  assert.equal(answerFromFile(data, query('connect', 'web', { status: 'passing' }))?.length, 2);
  assert.throws(() => answerFromFile(data, query('caRoots', '')), /only Consul can answer caRoots/);
  assert.equal(answerFromFile(readFileData({}), query('datacenters', '')), null);
});
