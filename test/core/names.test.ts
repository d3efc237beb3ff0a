/** Names of sources, of variables, and the words that help shows of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PACKAGE_VARIABLES, VARIABLES } from '../../src/core/environment.ts';
import { GOALS } from '../../src/core/goal.ts';
import { HOOKS } from '../../src/core/hook-docs.ts';
import { parseSourceName, SOURCE_NAMES, type SourceName } from '../../src/core/source-name.ts';
import { unknownVariables } from '../../src/core/unknown-variables.ts';

describe('a source', () => {
  const rows: [string, SourceName | undefined][] = [
    ['file:kv.json', { kind: 'file', path: 'kv.json' }],
    ['file:/a:b\nc', { kind: 'file', path: '/a:b\nc' }],
    ['consul', { kind: 'consul', address: undefined }],
    ['consul:', { kind: 'consul', address: undefined }],
    ['consul:127.0.0.1:8500', { kind: 'consul', address: '127.0.0.1:8500' }],
    ['file', undefined],
    ['file:', undefined],
    ['', undefined],
    ['kv.json', undefined],
    ['Consul', undefined],
    ['consuls:x', undefined],
    [' consul', undefined],
  ];
  for (const [text, name] of rows)
    test(JSON.stringify(text), () => assert.deepEqual(parseSourceName(text), name));

  test('is one of those that are expected, or none', () => {
    assert.equal(SOURCE_NAMES, 'file:PATH, consul or consul:HOST:PORT');
    fc.assert(
      fc.property(fc.constantFrom('file:', 'consul:', 'consul', 'x', ''), fc.string(), (kind, rest) => {
        const name = parseSourceName(kind + rest);
        if (name?.kind === 'file') assert.equal(`file:${name.path}`, kind + rest);
        if (name?.kind === 'consul' && name.address) assert.equal(`consul:${name.address}`, kind + rest);
      }),
    );
  });
});

test('variables of our name that are none of ours, in order, with what was meant', () => {
  const known = ['SUPERVISE_STOP_TIMEOUT', 'SUPERVISE_SOURCE'];
  assert.deepEqual(
    unknownVariables(
      [
        'SUPERVISE_XYZZY_QUUX',
        'PATH',
        'SUPERVISE_STOP_TIMEOUTS',
        'SUPERVISE_SOURCE',
        'SUPERVISE_LINK_FD',
        'MY_SUPERVISE_X',
      ],
      known,
    ),
    [
      { name: 'SUPERVISE_STOP_TIMEOUTS', near: 'SUPERVISE_STOP_TIMEOUT' },
      { name: 'SUPERVISE_XYZZY_QUUX', near: undefined },
    ],
  );
});

test('what help shows has words', () => {
  assert.deepEqual(GOALS, ['ready', 'up', 'down']);
  for (const [name, help] of Object.entries({ ...VARIABLES, ...PACKAGE_VARIABLES })) {
    assert.match(name, /^[A-Z][A-Z0-9_]+$/);
    assert.ok(help.length > 5, name);
    assert.ok(name in VARIABLES, name);
  }
  assert.deepEqual(Object.keys(HOOKS), ['crash', 'finish', 'SIGHUP, SIGUSR1 …']);
  for (const [name, { when, args, env }] of Object.entries(HOOKS))
    for (const words of [when, ...args, ...Object.values(env)]) assert.ok(words.length > 5, name);
});
