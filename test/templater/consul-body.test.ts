import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBody } from '../../src/templater/source/consul-body.ts';
import type { Query } from '../../src/templater/source/query.ts';

const KEY: Query<'key'> = { kind: 'key', name: 'k', params: {} };
const body = (value: unknown): string => JSON.stringify([{ Key: 'k', Value: value, ModifyIndex: 7 }]);

test('a value that is not base64 is no answer of Consul’s: it does not take the place of a good one', () => {
  for (const value of ['!!!!', 'YQ', 'YQ=', 'YQ==YQ==', 'YR==', ' YQ==', 'YQ==\n', '_-8='])
    assert.throws(
      () => readBody(KEY, body(value)),
      { message: 'the answer holds a value that is not base64' },
      JSON.stringify(value),
    );
});

test('every value that Consul can hold is read as it is', () => {
  for (const text of ['', 'a', 'ab', 'abc', '\0\x7f', 'ÿ€😀?>~', 'x'.repeat(524_288)]) {
    const content = readBody(KEY, body(Buffer.from(text).toString('base64')));
    assert.equal(content.part(KEY).data()?.Value, text);
  }
  assert.equal(readBody(KEY, body(null)).part(KEY).data()?.Value, '');
});
