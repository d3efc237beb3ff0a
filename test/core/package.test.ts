import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findMixture, LOCK, MARKER, packageTitle, parseManifest, WORK } from '../../src/core/package.ts';

describe('a manifest', () => {
  const parse = (value: unknown) => parseManifest(JSON.stringify(value));
  const SHOP = { name: 'shop', version: '1.4.2', services: { api: '1.4.2', worker: '1.3.9' } };

  test('of a set', () => {
    const manifest = parse(SHOP);
    assert.ok(typeof manifest !== 'string');
    assert.equal(
      packageTitle('shop', '1.4.2', manifest.services ?? new Map()),
      'shop 1.4.2 (api 1.4.2, worker 1.3.9)',
    );
    assert.deepEqual([manifest.name, manifest.version], ['shop', '1.4.2']);
    const found = (versions: Record<string, string | undefined>) =>
      findMixture(manifest, new Map(Object.entries(versions)));
    assert.deepEqual(found({ api: '1.4.2', worker: undefined }), []);
    assert.deepEqual(found({ api: '1.4.1', worker: '1.3.9' }), [
      'services.d/api is of version 1.4.1, not 1.4.2',
    ]);
    assert.deepEqual(found({ worker: '1.3.9', old: '1' }), [
      'services.d/api is missing',
      'services.d/old is not of it',
    ]);
  });

  test('of somebody else is nobody’s business', () => {
    for (const value of [{ name: 'A web app', icons: [] }, { manifest_version: 3 }, {}]) {
      const manifest = parse(value);
      assert.ok(typeof manifest !== 'string');
      assert.deepEqual(findMixture(manifest, new Map([['x', undefined]])), []);
    }
  });

  for (const [value, problem] of [
    [[], 'expected a JSON object'],
    [null, 'expected a JSON object'],
    [{ services: {} }, 'expected "name" and "version" to be words'],
    [{ ...SHOP, version: 'a\nb' }, 'expected "name" and "version" to be words'],
    [{ ...SHOP, services: ['api'] }, 'expected "services" to name the version of each service'],
    [
      { ...SHOP, services: { api: 1 } },
      'expected "services" to name the version of each service, got {"api":1}',
    ],
    [
      { ...SHOP, services: { '../x': '1' } },
      'expected "services" to name the version of each service, got {"../x":"1"}',
    ],
  ] as const)
    test(`${JSON.stringify(value)}: refused`, () => assert.equal(parse(value), problem));

  test('a word is no line of text, no longer than 200, and not nothing', () => {
    const nameOf = (name: unknown): unknown => {
      const manifest = parse({ name, version: '1' });
      return typeof manifest === 'string' ? manifest : manifest.name;
    };
    assert.equal(nameOf('x'.repeat(200)), 'x'.repeat(200));
    for (const name of ['x'.repeat(201), '', 'a\x1b[2J', 7, null, undefined])
      assert.equal(nameOf(name), undefined, JSON.stringify(name));
  });

  test('a service is called as a directory can be', () => {
    for (const name of ['a/b', '.a', '', 'a\n', 'x'.repeat(201)])
      assert.equal(typeof parse({ ...SHOP, services: { [name]: '1' } }), 'string', JSON.stringify(name));
    const long = parse({ ...SHOP, services: { ['x/'.repeat(400)]: '1' } });
    const told = 'expected "services" to name the version of each service, got ';
    assert.ok(typeof long === 'string' && long.startsWith(told));
    assert.equal(long.length, told.length + 200);
  });

  test('without services its title is its name and version', () =>
    assert.equal(packageTitle('shop', '1', new Map()), 'shop 1'));

  test('its files in a package’s directory are dot-files', () =>
    assert.deepEqual(
      [MARKER, WORK, LOCK],
      ['.supervise-package.json', '.supervise-package', '.supervise-package.lock'],
    ));

  test('that was cut', () => assert.equal(parseManifest('{"name": "sh'), 'it is no JSON'));
});
