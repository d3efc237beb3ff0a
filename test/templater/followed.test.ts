import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog } from '../../src/log.ts';
import { pair } from '../../src/templater/source/pairs.ts';
import { describeQuery, type Kind, type Query } from '../../src/templater/source/query.ts';
import type { Sink, Source } from '../../src/templater/source/source.ts';
import { createTemplater } from '../../src/templater/templater.ts';
import { readTemplates } from '../../src/templater/templates.ts';
import { tempDir, until, writeFiles } from '../tree.ts';
import { hbs } from './template.ts';

test('a template whose questions change is not followed in those that it asks no more, rendered or not', async (t) => {
  const scandir = tempDir(t);
  const dest = join(scandir, 'out');
  writeFiles(scandir, { 'app/templates/a.hbs': hbs({ dest }, '{{key (printf "name/%s" (key "i"))}}') });
  const followed = new Map<string, Sink>();
  const source: Source = {
    name: 'a test',
    subscribe: <K extends Kind>(query: Query<K>, own: Sink<K>) => {
      const id = describeQuery(query);
      const sink = own as unknown as Sink;
      followed.set(id, sink);
      const data = id === 'key "i"' ? pair({ path: 'i', bytes: '0' }) : null;
      queueMicrotask(() => sink.answer({ data, continuous: false }));
      return () => followed.delete(id);
    },
    explain: () => [],
    stop: async () => {},
  };
  const stop = new AbortController();
  t.after(() => stop.abort());
  const missing: string[] = [];
  const templater = createTemplater({
    read: () => readTemplates([scandir], {}),
    source,
    wait: { min: 0, max: 0 },
    once: false,
    env: {},
    log: createLog({ format: 'json', level: 'error', write: () => {} }),
    report: (report) => report.type === 'waiting' && missing.push(...report.missing),
  });
  const ended = templater.run(stop.signal);
  for (let i = 1; i <= 50; i++) {
    const last = `key "name/${i - 1}"`;
    await until(last, () => missing.includes(last));
    followed.get('key "i"')?.answer({ data: pair({ path: 'i', bytes: String(i) }), continuous: true });
  }
  await until('the last', () => missing.includes('key "name/50"'));
  assert.deepEqual([...followed.keys()], ['key "i"', 'key "name/50"']);
  stop.abort();
  assert.equal(await ended, 0);
  assert.equal(followed.size, 0);
});
