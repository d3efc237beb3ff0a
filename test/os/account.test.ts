import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Account } from '../../src/core/servicedir.ts';
import { accountLookUp } from '../../src/os/account.ts';
import { tempDir, writeFiles } from '../tree.ts';

const PASSWD = `root:x:0:0:root:/root:/bin/sh
app:x:100:101:App:/srv/app:/sbin/nologin
# a comment
bare:x:7
4242:x:5:6::/digits:
`;
const GROUP = `root:x:0:
app:x:101:
video:x:44:other,app
audio:x:29:app
again:x:29:app
app2:x:9:apple
`;

function lookUp(t: TestContext, mayBecome = (_account: Account): boolean => true) {
  const directory = writeFiles(tempDir(t), { passwd: PASSWD, group: GROUP });
  const find = accountLookUp(
    { passwd: join(directory, 'passwd'), group: join(directory, 'group') },
    mayBecome,
  );
  return (user: string, group?: string): Account => find({ user, group });
}

test('a user brings its group, its supplementary groups once each, and its home', (t) => {
  assert.deepEqual(lookUp(t)('app'), { uid: 100, gid: 101, groups: [44, 29], name: 'app', home: '/srv/app' });
});

test('a group of its own choice is the only one', (t) => {
  const { gid, groups } = lookUp(t)('app', 'video');
  assert.deepEqual([gid, groups], [44, []]);
  assert.equal(lookUp(t)('app', '777').gid, 777);
});

test('a number: listed or not', (t) => {
  assert.deepEqual(lookUp(t)('100').groups, [44, 29]);
  const { uid, gid, name, home } = lookUp(t)('5555', '0');
  assert.deepEqual([uid, gid, name, home], [5555, 0, undefined, undefined]);
  assert.equal(lookUp(t)('4242', '0').uid, 5, 'a listed name of digits is a name');
});

test('who is not there', (t) => {
  assert.throws(
    () => lookUp(t)('nobody'),
    /^UserError: cannot find the user "nobody": it is not in .*passwd$/,
  );
  assert.throws(() => lookUp(t)('app', 'wheel'), /cannot find the group "wheel": it is not in .*group$/);
  assert.throws(() => lookUp(t)('5555'), /cannot tell the group of uid 5555: it is not in .*passwd$/);
  assert.throws(() => lookUp(t)('bare'), /cannot tell the group of uid bare/);
});

test('no lists at all: numbers do without', (t) => {
  const none = join(tempDir(t), 'none');
  const find = accountLookUp({ passwd: none, group: none }, () => true);
  assert.equal(find({ user: '12', group: '34' }).gid, 34);
  assert.throws(() => find({ user: 'app', group: undefined }), /cannot find the user "app"/);
});

test('whom we may not become', (t) => {
  assert.throws(
    () => lookUp(t, () => false)('app'),
    /^UserError: cannot run as "app": supervise runs as uid \d+$/,
  );
});
