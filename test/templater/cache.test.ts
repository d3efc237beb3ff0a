/* biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is what templates are written with */
/** A cold start without Consul. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Log } from '../../src/log.ts';
import { createCachedSource } from '../../src/templater/source/cache.ts';
import { caLeaf, caRoots, catalogNodes, nodeServices } from '../../src/templater/source/catalog.ts';
import { openSource } from '../../src/templater/source/choose.ts';
import { instance } from '../../src/templater/source/instances.ts';
import { pair } from '../../src/templater/source/pairs.ts';
import type { DataOf, Kind, Query } from '../../src/templater/source/query.ts';
import { restore, save } from '../../src/templater/source/saved.ts';
import type { Answer, Sink, Source, SourceState } from '../../src/templater/source/source.ts';
import { startConsul } from '../consul.ts';
import { tempDir, until } from '../tree.ts';

const KEY: Query<'key'> = { kind: 'key', name: 'app/secret', params: {} };

interface Run {
  /** What was answered to KEY. */
  answers: { value: string | null; continuous: boolean }[];
  said: string[];
  /** What the source underneath does. */
  answer(value: string | null, continuous?: boolean): void;
  goAway(): void;
  source: Source;
}

/** A cached source whose own answers are given by hand. */
async function start(t: TestContext, directory: string, name = 'consul at a:1'): Promise<Run> {
  const said: string[] = [];
  const line = (event: string, fields = {}): void => void said.push(`${event} ${JSON.stringify(fields)}`);
  const log: Log = { debug: line, info: line, warn: line, error: line, child: () => log };
  let sink: Sink | undefined;
  let state: (state: SourceState) => void = () => {};
  const inner: Source = {
    name,
    subscribe(_query, given) {
      sink = given as unknown as Sink;
      return () => {};
    },
    async stop() {},
  };
  const source = await createCachedSource({
    directory,
    name,
    log,
    onState: () => {},
    open: (onState) => {
      state = onState;
      return inner;
    },
  });
  t.after(() => source.stop());
  const answers: Run['answers'] = [];
  source.subscribe(KEY, {
    answer: ({ data, continuous }: Answer<'key'>) =>
      void answers.push({ value: data?.Value ?? null, continuous }),
    problem: () => {},
  });
  return {
    answers,
    said,
    source,
    answer: (value, continuous = false) =>
      sink?.answer({ data: value === null ? null : pair({ path: KEY.name, bytes: value }), continuous }),
    goAway: () => state({ name, awaySince: 1, cause: 'x' }),
  };
}

async function fill(t: TestContext, directory: string): Promise<string> {
  const run = await start(t, directory);
  run.answer('hunter2');
  await run.source.stop();
  return join(directory, readdirSync(directory)[0] ?? '');
}

test('what was answered stands in when the source is away at the next start, and is replaced by what it says', async (t) => {
  const directory = join(tempDir(t), 'a/cache');
  const file = await fill(t, directory);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  const run = await start(t, directory);
  assert.deepEqual(run.answers, [], 'not while the source may yet answer');
  run.goAway();
  run.goAway();
  assert.deepEqual(run.answers, [{ value: 'hunter2', continuous: false }]);
  assert.equal(run.said.length, 1);
  assert.match(run.said[0] ?? '', /^used the cache .*"ageMs":\d+,"cause":"consul at a:1 is away"/);
  run.answer('new');
  assert.deepEqual(run.answers.at(-1), { value: 'new', continuous: false });
  run.goAway();
  assert.equal(run.answers.length, 2, 'never in the place of what is live');
  assert.doesNotMatch(run.said.join(), /hunter2/);
});

test('what was deleted is forgotten; what was gone after a gap is not', async (t) => {
  const directory = tempDir(t);
  const file = await fill(t, directory);
  const gap = await start(t, directory);
  gap.answer(null);
  await gap.source.stop();
  assert.match(readFileSync(file, 'utf8'), /hunter2/);
  const deletion = await start(t, directory);
  deletion.answer('other');
  deletion.answer(null, true);
  await deletion.source.stop();
  assert.doesNotMatch(readFileSync(file, 'utf8'), /hunter2|other/);
});

test('a cache that is damaged, foreign or open to others is not used, said once, and then mended where it is ours', async (t) => {
  const cases: [string, (file: string) => void, RegExp, boolean][] = [
    ['cut', (file) => writeFileSync(file, readFileSync(file).subarray(0, 60)), /it is damaged/, true],
    ['no JSON object', (file) => writeFileSync(file, 'null'), /it is of another version/, true],
    [
      'another source',
      (file) => writeFileSync(file, readFileSync(file, 'utf8').replace('a:1', 'b:2')),
      /it is of another source \(consul at b:2\)/,
      true,
    ],
    ['writable', (file) => chmodSync(file, 0o620), /others may write to it \(mode 620\)/, false],
    ['directory', (file) => chmodSync(dirname(file), 0o777), /others may write to its directory/, false],
    ['owner', (file) => chownSync(file, 12345, 12345), /it belongs to another user \(12345\)/, false],
  ];
  for (const [what, harm, message, mended] of cases) {
    const directory = join(tempDir(t), 'cache');
    mkdirSync(directory, { mode: 0o700 });
    const file = await fill(t, directory);
    harm(file);
    const before = readFileSync(file, 'utf8');
    const run = await start(t, directory);
    run.goAway();
    assert.deepEqual(run.answers, [], what);
    assert.equal(run.said.length, 1, what);
    assert.match(run.said[0] ?? '', /^did not use the cache/);
    assert.match(run.said[0] ?? '', message);
    run.answer('new');
    await run.source.stop();
    assert.equal(readFileSync(file, 'utf8') !== before, mended, what);
  }
});

test('all kinds of data come out of a file as they went in', () => {
  const same = <K extends Kind>(kind: K, data: DataOf[K]): void => {
    const query: Query<K> = { kind, name: kind === 'prefix' ? 'a/' : 'x', params: {} };
    const restored = restore(query, JSON.parse(JSON.stringify(save(kind, data))));
    assert.deepEqual(JSON.stringify(restored), JSON.stringify(data), kind);
  };
  const node = { ID: '1', Node: 'n', Address: '1.1.1.1', Datacenter: 'dc1', Meta: { a: 'b' } };
  same('key', pair({ path: 'a/b', bytes: 'text', flags: 5, modifyIndex: 7 }));
  same('prefix', [pair({ path: 'a/b', bytes: Buffer.from('é') }, 'a/')]);
  same('service', [instance({ Name: 'web', Port: 80, Tags: ['a'], ServiceMeta: { a: 'b' } })]);
  same('nodes', catalogNodes([node], undefined));
  same('node', nodeServices(node, [{ Service: 'web', Port: 80 }]));
  same('datacenters', ['dc1']);
  same('caRoots', caRoots([{ ID: 'x', RootCert: 'PEM', Active: true }]));
  same('caLeaf', caLeaf({ CertPEM: 'PEM', ValidBefore: '2999-01-01T00:00:00Z' }));
  const bytes = Buffer.from([0xff, 0x00]);
  const binary = restore(KEY, JSON.parse(JSON.stringify(save('key', pair({ path: 'b', bytes })))));
  assert.throws(() => binary?.Value, /is not text/);
  const old = caLeaf({ CertPEM: 'PEM', ValidBefore: '2001-01-01T00:00:00Z' });
  assert.equal(restore({ kind: 'caLeaf', name: 'x', params: {} }, save('caLeaf', old)), null);
});

test('Consul is away at the start: its last values, a warning, and its own as soon as it answers', async (t) => {
  const consul = await startConsul();
  t.after(() => consul.stop());
  const cache = join(tempDir(t), 'cache');
  await consul.put('app/secret', 'hunter2');
  const begin = async () => {
    const said: string[] = [];
    const line = (event: string, fields = {}): void => void said.push(`${event} ${JSON.stringify(fields)}`);
    const log: Log = { debug: line, info: line, warn: line, error: line, child: () => log };
    const source = await openSource(
      { kind: 'consul', address: consul.address },
      { env: {}, log, cache, onState: () => {}, onNone: () => false },
    );
    t.after(() => source.stop());
    const values: (string | null)[] = [];
    source.subscribe(KEY, { answer: ({ data }) => values.push(data?.Value ?? null), problem: () => {} });
    return { source, values, said };
  };
  const first = await begin();
  await until('the value', () => first.values[0] === 'hunter2');
  await first.source.stop();
  await consul.kill();
  const second = await begin();
  await until('the value', () => second.values[0] === 'hunter2');
  assert.equal(second.source.explain?.()[0]?.connection, 'cache');
  assert.equal(second.said.filter((line) => line.startsWith('used the cache')).length, 1);
  await consul.restart();
  await consul.put('app/secret', 'new');
  await until('the new value', () => second.values.at(-1) === 'new');
  assert.equal(second.source.explain?.()[0]?.connection, 'own');
  assert.doesNotMatch(second.said.join(), /hunter2/);
});
