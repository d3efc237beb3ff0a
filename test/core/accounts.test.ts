import assert from 'node:assert/strict';
import { test } from 'node:test';
import { entriesIn, isNumber, LISTS, notListed } from '../../src/core/accounts.ts';

test('the lists are where every system has them', () =>
  assert.deepEqual(LISTS, { passwd: '/etc/passwd', group: '/etc/group' }));

test('what is no entry is passed over', () => {
  const list = 'root:x:0:0::/root\n\n# none\n:x:7\nname:x\nname:x:seven\napp:x:1000:1000\n';
  assert.deepEqual(entriesIn(list), [
    ['root', 'x', '0', '0', '', '/root'],
    ['app', 'x', '1000', '1000'],
  ]);
});

test('a number is nothing but digits, and no more than an id has', () => {
  for (const text of ['0', '1000', '4294967295']) assert.equal(isNumber(text), true, text);
  for (const text of [undefined, '', 'a', '1a', 'a1', '-1', '1.0', '1 ', '12345678901'])
    assert.equal(isNumber(text), false, text);
});

test('who is not listed', () => {
  const error = notListed('group', 'app', '/etc/group');
  assert.equal(error.message, 'cannot find the group "app": it is not in /etc/group');
  assert.equal(error.hint, 'add it to the image, or give its number');
});
