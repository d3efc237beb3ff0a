/** Hardened runs of the single executable, and where it finds its addon. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { COMMAND, Container, makeRoot } from './container.ts';
import { testHardened } from './hardened.ts';

testHardened('executable');

const DIST = join(import.meta.dirname, '../../dist');
const root = makeRoot({ after }, 'executable', {
  'etc/services.d/app/run': '#!/bin/sh\n(sleep 0.01 &)\nexec sleep 1000\n',
});
const command = [...COMMAND.executable, '/etc/services.d'];
/** The file beside the executable. */
const without = [`usr/lib/supervise/reaper-${process.arch}.node`];
const hardening = { without, readOnly: true, user: { uid: 1000, gid: 1000 } };

test('the addon within it serves where some directory allows that it is executed, and leaves nothing there', async (t) => {
  const container = new Container(t, root, command, {
    ...hardening,
    tmpfs: { '/tmp': [], '/run': ['noexec'] },
  });
  await container.until('a start', () => container.stderr.includes('"started"'));
  assert.doesNotMatch(container.stderr, /"level":"(warn|error)"/);
  await container.until('the orphan to be reaped', () =>
    container.processes().every(({ state }) => state !== 'Z'),
  );
  assert.equal(container.exec('/bin/find', '/tmp', '/run', '-name', '*.node').stdout, '');
  container.kill('TERM');
  assert.equal(await container.ended, 0);
});

test('where none does: one warning with every place that was tried, a zombie as it said, and the tree runs', async (t) => {
  const container = new Container(t, root, command, {
    ...hardening,
    tmpfs: { '/tmp': ['noexec'], '/run': ['noexec'] },
  });
  await container.until('a start', () => container.stderr.includes('"started"'));
  await container.until('the zombie', () => container.processes().some(({ state }) => state === 'Z'));
  const warnings = container.stderr.split('\n').filter((line) => line.includes('"level":"warn"'));
  assert.equal(warnings.length, 1);
  const { msg, cause, hint } = JSON.parse(warnings[0] ?? '') as Record<string, string>;
  assert.equal(msg, 'orphans will not be reaped');
  assert.equal(hint, `docker run --init, or ship reaper-${process.arch}.node beside the executable`);
  assert.match(
    cause ?? '',
    /^\/usr\/lib\/supervise\/reaper-\w+\.node: no such file \(ENOENT\); \/run: permission denied \(EACCES\); \/tmp\/supervise-\w+\/reaper-\w+\.node: its file system is mounted noexec; \/dev\/shm\/.* noexec; \/dev: permission denied \(EACCES\)$/,
  );
  container.kill('TERM');
  assert.equal(await container.ended, 0);
});

test('it is told that Node is in it, too', () => {
  const read = (name: string): string => readFileSync(join(DIST, name), 'utf8');
  const { components } = JSON.parse(read('supervise-executable.cdx.json')) as { components: object[] };
  const bundle = JSON.parse(read('supervise.cdx.json')) as { components: object[] };
  const { node } = process.versions;
  const own = { type: 'platform', name: 'node', version: node, purl: `pkg:generic/node@${node}` };
  assert.deepEqual(components, [...bundle.components, own]);
  assert.match(read('NODE-LICENSE'), /^Node\.js is licensed/);
});

test('what NODE_OPTIONS says is for the services', async (t) => {
  const container = new Container(t, root, command, { env: { NODE_OPTIONS: '--require=/nowhere.js' } });
  await container.until('a start', () => container.stderr.includes('"started"'));
  container.kill('TERM');
  assert.equal(await container.ended, 0);
});
