/** The `file` helper's source: files of this machine, watched. */
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createLog } from '../../src/log.ts';
import { withLocalFiles } from '../../src/templater/source/local-files.ts';
import type { Query } from '../../src/templater/source/query.ts';
import type { Answer, Source } from '../../src/templater/source/source.ts';
import { tempDir, until } from '../tree.ts';
import { hbs, startTemplater } from './template.ts';

/** Long enough for the look that follows a new watch: a change after it must be told by the watch itself. */
const settled = (): Promise<void> => delay(200);

test('a file is told, and told again when it changes, goes, comes back, or is another', async (t) => {
  const directory = tempDir(t);
  const path = join(directory, 'sub/a');
  const asked: Query[] = [];
  let stopped = false;
  const inner: Source = {
    name: 'inner',
    subscribe: (query) => {
      asked.push(query);
      return () => {};
    },
    stop: async () => {
      stopped = true;
    },
  };
  const log = createLog({ format: 'json', level: 'error', write: () => {} });
  const source = withLocalFiles(inner, log);
  t.after(() => source.stop());
  assert.equal(source.name, 'inner');
  source.subscribe({ kind: 'key', name: 'a', params: {} }, { answer: () => {}, problem: () => {} });
  assert.deepEqual(asked, [{ kind: 'key', name: 'a', params: {} }]);

  const answers: Answer<'file'>[] = [];
  const problems: (string | null)[] = [];
  const end = source.subscribe(
    { kind: 'file', name: path, params: {} },
    { answer: (answer) => answers.push(answer), problem: (cause) => problems.push(cause) },
  );
  assert.equal(answers.length, 0, 'never before it has returned');
  const newest = (): Answer<'file'> | undefined => answers.at(-1);
  const last = (): string | null | undefined => {
    const data = newest()?.data;
    return data === null ? null : data?.Content;
  };
  await until('no file', () => last() === null);
  assert.equal(newest()?.continuous, false);
  mkdirSync(join(directory, 'sub'));
  writeFileSync(path, 'one');
  await until('one', () => last() === 'one');
  writeFileSync(join(directory, 'sub/b'), 'two');
  renameSync(join(directory, 'sub/b'), path);
  await until('two', () => last() === 'two');
  assert.equal(newest()?.continuous, true);
  rmSync(path);
  await until('gone', () => last() === null);
  mkdirSync(path);
  await until('a problem', () => problems.at(-1) === 'it is a directory (EISDIR)');
  rmSync(path, { recursive: true });
  writeFileSync(path, Buffer.from([0xff]));
  await until('bytes', () => newest()?.data != null);
  assert.throws(last, /the file .*\/sub\/a is not text \(invalid UTF-8\)/);
  rmSync(path);
  await until('gone again', () => newest()?.data === null);
  writeFileSync(join(directory, 'sub/..data'), 'linked');
  symlinkSync('..data', path);
  await until('linked', () => last() === 'linked');
  let second: string | undefined;
  source.subscribe(
    { kind: 'file', name: join(directory, 'sub/later'), params: {} },
    { answer: ({ data }) => (second = data?.Content), problem: () => {} },
  );
  await settled();
  writeFileSync(join(directory, 'sub/later'), 'also seen');
  await until('a file whose directory was watched already', () => second === 'also seen');
  const count = answers.length;
  end();
  writeFileSync(path, 'unseen');
  await source.stop();
  assert.equal(answers.length, count);
  assert.ok(stopped);
});

test('a template follows the files that it names, from its service directory or anywhere', async (t) => {
  const run = startTemplater(
    t,
    {
      'kv.json': '{"kv":{"name":"data/a"}}',
      'app/data/a': 'one',
      'app/templates/a.hbs': hbs(
        { dest: '${OUT}/a' },
        '{{file (key "name")}}{{file "data/none" default="-"}}',
      ),
      'late/templates/a.hbs': hbs({ dest: '${OUT}/late' }, '{{file (env "LATE")}}'),
    },
    { args: ['--source', 'file:kv.json'], env: { LATE: join(tempDir(t), 'deep/late') } },
  );
  await run.file('out/a', 'one-');
  await run.report('waiting', 1, 'late');
  run.write({ 'app/data/a': 'two' });
  await run.file('out/a', 'two-');
  run.write({ 'app/data/none': '+' });
  await run.file('out/a', 'two+');
  run.write({ 'app/data/b': 'three', 'kv.json': '{"kv":{"name":"data/b"}}' });
  await run.file('out/a', 'three+');
});
