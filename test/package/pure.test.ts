import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { UserError } from '../../src/errors.ts';
import { parseAddress } from '../../src/package/address.ts';
import { Names, quote, safePath } from '../../src/package/names.ts';
import { parseOptions } from '../../src/package/options.ts';
import { formatSize, parseSize } from '../../src/package/size.ts';

describe('a size', () => {
  for (const [text, bytes] of [
    ['0', 0],
    ['1000', 1000],
    ['1k', 1024],
    ['1kB', 1000],
    ['500MB', 500_000_000],
    ['1.5G', 1_610_612_736],
    ['1GiB', 1_073_741_824],
    ['2 TB', 2e12],
    ['10B', 10],
  ] as const)
    test(text, () => assert.equal(parseSize(text), bytes));

  test('what is none', () => {
    for (const text of ['', 'MB', '-1', '1.', '1e9', '1 iB', '1XB', '99999999T', 'NaN'])
      assert.equal(parseSize(text), undefined, text);
  });

  test('as people read it', () => {
    assert.deepEqual([999, 1000, 3_210_000, 4e9].map(formatSize), ['999 B', '1.0 kB', '3.2 MB', '4.0 GB']);
  });
});

describe('a name', () => {
  for (const [name, path] of [
    ['a', 'a'],
    ['a/b.txt', 'a/b.txt'],
    ['a/', 'a'],
    ['./a//b/./c', 'a/b/c'],
    ['./', ''],
    ['..a/b..', '..a/b..'],
    ['größe', 'größe'],
    ['a b', 'a b'],
  ] as const)
    test(`${name} is taken`, () => assert.deepEqual(safePath(name), { path }));

  for (const [name, why] of [
    ['../a', 'leads out of the package'],
    ['a/../../b', 'leads out of the package'],
    ['a/..', 'leads out of the package'],
    ['..', 'leads out of the package'],
    ['/etc/passwd', 'is an absolute path'],
    ['//host/a', 'is an absolute path'],
    ['..\\a', 'holds a backslash'],
    ['a\\b', 'holds a backslash'],
    ['C:/a', 'begins with a drive'],
    ['c:a', 'begins with a drive'],
    ['./C:/a', 'begins with a drive'],
    ['a\0.txt', 'holds control characters'],
    ['a\x1b[2J', 'holds control characters'],
    ['a\nb', 'holds control characters'],
    ['', 'is empty'],
  ] as const)
    test(`${JSON.stringify(name)} is refused`, () =>
      assert.deepEqual(safePath(name), { problem: `the name ${quote(name)} ${why}` }));

  test('whatever is taken stays within', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('..', '.', '', 'a', '/', '\\', 'C:', '\0', 'b')), (parts) => {
        const safe = safePath(parts.join('/'));
        if ('problem' in safe) return;
        const resolved = new URL(safe.path, 'file:///package/').pathname;
        assert.ok(`${resolved}/`.startsWith('/package/'), safe.path);
        assert.doesNotMatch(safe.path, /(^|\/)\.\.?(\/|$)|\\|^\/|\0/);
      }),
    );
  });

  test('as it is shown: one line, no longer than people read', () => {
    assert.equal(quote('a\u202eb\x9b'), '"a\\u{202e}b\\u{9b}"');
    assert.equal(quote('x'.repeat(1000)).length, 203);
  });
});

describe('names together', () => {
  const add = (...names: string[]): (string | undefined)[] => {
    const all = new Names();
    return names.map((name) => all.add(name.replace(/\/$/, ''), name.endsWith('/') ? 'directory' : 'file'));
  };

  test('files and directories, in any order', () => {
    assert.deepEqual(add('a/b/c', 'a/', 'a/b/', 'a/d', 'e'), Array(5).fill(undefined));
  });

  for (const [names, problem] of [
    [['a', 'a'], 'it holds "a" twice'],
    [['a/', 'a/'], 'it holds "a" twice'],
    [['a', 'a/b'], 'it holds "a" as a file and as a directory'],
    [['a/b', 'a'], 'it holds "a" as a file and as a directory'],
    [['README', 'readme'], 'it holds both "README" and "readme", which are one where case does not count'],
    [['A/x', 'a/y'], 'it holds both "A" and "a", which are one where case does not count'],
    [['\u00e9', 'e\u0301'], 'it holds both "\u00e9" and "e\u0301", which are one where case does not count'],
  ] as const)
    test(names.join(' and '), () => assert.equal(add(...names).at(-1), problem));
});

describe('a URL', () => {
  test('is shown without what is worth money', () => {
    const { shown } = parseAddress('https://me:secret@host:8443/a/b.zip?X-Amz-Signature=abc#part');
    assert.equal(shown, 'https://host:8443/a/b.zip');
  });

  test('is the same package with other credentials, and another with another query', () => {
    const digest = (url: string): string => parseAddress(url).digest;
    assert.equal(digest('https://a:b@host/x.zip'), digest('https://c@host/x.zip#y'));
    assert.notEqual(digest('https://host/x.zip?v=1'), digest('https://host/x.zip?v=2'));
  });

  for (const url of [
    'ftp://me:secret@host/a.zip',
    '/a/secret.zip',
    'secret',
    'http://',
    'file://host/secret.zip',
  ])
    test(`${url} is refused, and not repeated`, () =>
      assert.throws(
        () => parseAddress(url),
        (error: unknown) =>
          error instanceof UserError &&
          error.exitCode === 100 &&
          !`${error.message}${error.hint}`.includes('secret'),
      ));
});

describe('options', () => {
  const parse = (argv: string, env: Record<string, string> = {}) =>
    parseOptions(argv === '' ? [] : argv.split(' '), env, false);
  const SUM = 'ab'.repeat(32);

  test('the defaults', () => {
    const { address, ...rest } = parse('');
    assert.equal(address, undefined);
    assert.deepEqual(rest, {
      directory: '/app',
      sha256: undefined,
      maxSize: 1e9,
      maxUnpacked: undefined,
      timeout: 600_000,
      idleTimeout: 30_000,
      retries: 5,
      help: false,
      logFormat: 'json',
      logLevel: 'info',
    });
  });

  test('from the environment, and a flag wins', () => {
    const env = {
      PACKAGE_ZIP_URL: ' https://host/a.zip\n',
      PACKAGE_DIR: '/srv/app',
      PACKAGE_ZIP_SHA256: `sha256:${SUM.toUpperCase()}`,
      PACKAGE_MAX_SIZE: '10MB',
      PACKAGE_MAX_UNPACKED: '20MB',
      PACKAGE_TIMEOUT: '1m',
      PACKAGE_IDLE_TIMEOUT: '5s',
      PACKAGE_RETRIES: '0',
    };
    const options = parse('--dir /x --retries 2', env);
    assert.equal(options.address?.shown, 'https://host/a.zip');
    assert.deepEqual(
      [options.directory, options.sha256, options.maxSize, options.maxUnpacked],
      ['/x', SUM, 1e7, 2e7],
    );
    assert.deepEqual([options.timeout, options.idleTimeout, options.retries], [60_000, 5000, 2]);
  });

  for (const [argv, message] of [
    [
      '--sha256 abc',
      /^cannot use --sha256 \(or PACKAGE_ZIP_SHA256\): expected 64 hexadecimal digits, got "abc"$/,
    ],
    ['--max-size big', /expected a size such as 500MB, got "big"$/],
    ['--timeout soon', /expected a time such as 10m, got "soon"$/],
    ['--retries -1', /^cannot run "install": expected options alone, each with a value$/],
    ['--retrys 1', /^cannot run "install": no option is called --retrys$/],
    ['https://me:secret@host/', /^cannot run "install": expected options alone, each with a value$/],
    ['--https://me:secret@host/', /^cannot run "install": expected options alone, each with a value$/],
    ['--url ftp://me:secret@host/', /^cannot install the package: its URL \(PACKAGE_ZIP_URL\) is none of/],
  ] as const)
    test(`${argv}: refused`, () => {
      assert.throws(
        () => parse(argv),
        (error: unknown) => error instanceof UserError && message.test(error.message),
      );
    });
});
