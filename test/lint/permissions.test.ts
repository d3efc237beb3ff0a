/** What a service's user may execute, by modes alone. */
import assert from 'node:assert/strict';
import { chmodSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gather } from '../../src/lint/facts.ts';
import { firstClosed } from '../../src/lint/permissions.ts';
import { checkPrograms } from '../../src/lint/programs.ts';
import { SLEEPER, tempDir, writeFiles } from '../tree.ts';

const OURS = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
const STRANGER = { uid: OURS.uid + 1, gid: OURS.gid + 1, groups: [], name: undefined, home: undefined };

test('the first on the way that is closed to an account', (t) => {
  const top = realpathSync(tempDir(t));
  const run = join(writeFiles(top, { 'web/run': '#!/bin/sh\n' }), 'web/run');
  const mode = (path: string, bits: number): void => chmodSync(path, bits);
  mode(top, 0o755);
  mode(join(top, 'web'), 0o755);

  mode(run, 0o755);
  assert.equal(firstClosed(run, STRANGER), undefined);
  mode(run, 0o750);
  assert.equal(firstClosed(run, STRANGER), run);
  assert.equal(firstClosed(run, { ...STRANGER, gid: OURS.gid }), undefined);
  assert.equal(firstClosed(run, { ...STRANGER, groups: [OURS.gid] }), undefined);
  mode(run, 0o705);
  assert.equal(firstClosed(run, { ...STRANGER, gid: OURS.gid }), run, 'a group is not everybody else');
  mode(run, 0o755);

  mode(join(top, 'web'), 0o744);
  assert.equal(firstClosed(run, STRANGER), join(top, 'web'));
  mode(top, 0o700);
  assert.equal(firstClosed(run, STRANGER), top);
  assert.equal(firstClosed(run, { ...STRANGER, uid: 0 }), undefined, 'nothing is closed to root');
});

test('and in words', (t) => {
  const top = realpathSync(tempDir(t));
  chmodSync(top, 0o755);
  writeFiles(top, { 'web/run': SLEEPER });
  chmodSync(join(top, 'web/run'), 0o700);
  const env = { PATH: '/usr/bin:/bin' };
  const circumstances = {
    env,
    stopTimeout: 9000,
    source: undefined,
    helpers: undefined,
    uid: 0,
    disabled: new Set<string>(),
    enabled: new Set<string>(),
  };
  const facts = gather(top, circumstances);
  const directories = facts.directories.map(({ raw, config }) => ({
    raw,
    config: { ...config, account: STRANGER },
  }));
  assert.deepEqual(checkPrograms({ ...facts, directories }), [
    {
      severity: 'error',
      service: 'web',
      file: join(top, 'web/run'),
      problem: `cannot execute ./run: the user of "web" (uid ${STRANGER.uid}) may not execute it`,
      fix: `chmod a+rx ${join(top, 'web/run')}`,
    },
  ]);
  chmodSync(join(top, 'web/run'), 0o755);
  chmodSync(join(top, 'web'), 0o700);
  const [found] = checkPrograms({ ...facts, directories });
  assert.equal(
    found?.problem,
    `cannot execute ./run: the user of "web" (uid ${STRANGER.uid}) may not enter ${join(top, 'web')}`,
  );
  assert.equal(found?.fix, `chmod a+x ${join(top, 'web')}`);
});
