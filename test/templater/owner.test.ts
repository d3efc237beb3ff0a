import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { lookUpOwner, parseOwner } from '../../src/templater/owner.ts';
import { tempDir, writeFiles } from '../tree.ts';

test('user, user:group, :group, and nothing else', () => {
  assert.deepEqual(parseOwner('app'), { user: 'app', group: undefined });
  assert.deepEqual(parseOwner('app:www-data'), { user: 'app', group: 'www-data' });
  assert.deepEqual(parseOwner(':0'), { user: undefined, group: '0' });
  for (const text of ['', ':', 'a:', 'a b', 'a:b:c', '/etc']) assert.equal(parseOwner(text), undefined, text);
});

test('names are looked up in passwd and group, numbers are taken as they are', (t) => {
  const passwd = 'root:x:0:0:root:/root:/bin/sh\n# app:x:9:9\napp:x:1000:100::/:\nbroken:x\n';
  const directory = writeFiles(tempDir(t), { passwd, group: 'www:x:33:\n' });
  const files = { passwd: join(directory, 'passwd'), group: join(directory, 'group') };
  assert.deepEqual(lookUpOwner({ user: 'app', group: 'www' }, files), { uid: 1000, gid: 33 });
  assert.deepEqual(lookUpOwner({ user: '7', group: undefined }, files), { uid: 7, gid: undefined });
  for (const user of ['ap', 'broken'])
    assert.throws(
      () => lookUpOwner({ user, group: undefined }, files),
      new RegExp(`cannot find the user "${user}": it is not in`),
    );
  const none = { passwd: join(directory, 'none'), group: files.group };
  assert.throws(() => lookUpOwner({ user: 'app', group: undefined }, none), /no such file or directory/);
});
