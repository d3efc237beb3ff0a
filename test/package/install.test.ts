import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { describe as describeError, UserError } from '../../src/errors.ts';
import { createLog } from '../../src/log.ts';
import { parseAddress } from '../../src/package/address.ts';
import { install } from '../../src/package/install.ts';
import { parseOptions } from '../../src/package/options.ts';
import { tempDir, until, writeFiles } from '../tree.ts';
import {
  IS_ROOT,
  MOUNTS,
  makeCertificate,
  runInstall,
  serve,
  sha256,
  snapshot,
  startInstall,
} from './installing.ts';
import { DIRECTORY, FILE, files, LINK, type Part, zip } from './zip.ts';

const MARKER = '.supervise-package.json';
const V1 = zip(files({ 'app.txt': 'one', 'bin/': '', 'bin/app': '#!/bin/sh\necho one\n' }));
const V2 = zip(files({ 'app.txt': 'two', 'new/file': 'x' }));

/** What was installed, without the marker. */
function contentOf(directory: string): string[] {
  return snapshot(directory).filter((line) => !line.startsWith('.supervise-package'));
}

const V1_CONTENT = ['app.txt 644 one', 'bin 755 /', 'bin/app 755 #!/bin/sh\necho one\n'];
const V2_CONTENT = ['app.txt 644 two', 'new 755 /', 'new/file 644 x'];

describe('a package is installed', () => {
  test('and found in place by the next start, without a request', async (t) => {
    const { url, requests } = await serve(t, V1);
    const directory = join(tempDir(t), 'made/by/us');
    const first = await runInstall(t, { url: `${url}/a.zip`, directory });
    assert.deepEqual(first.exit, { code: 0, signal: null }, first.transcript);
    assert.deepEqual(contentOf(directory), V1_CONTENT);
    const [said] = first.eventsOf('installed the package');
    assert.deepEqual(
      [said?.['package'], said?.['dir'], said?.['files'], said?.['fetched'], said?.['sha256']],
      [`${url}/a.zip`, directory, 3, V1.length, sha256(V1)],
    );
    const second = await runInstall(t, { url: `${url}/a.zip`, directory });
    assert.equal(second.exit.code, 0);
    assert.equal(second.eventsOf('found the package in place').length, 1);
    assert.equal(requests.length, 1);
    assert.deepEqual(readdirSync(directory).sort(), [MARKER, 'app.txt', 'bin']);
  });

  test('from a file, and its time of change is the archive’s', async (t) => {
    const source = join(tempDir(t), 'a.zip');
    writeFileSync(source, V1);
    const directory = join(tempDir(t), 'app');
    const { exit, transcript } = await runInstall(t, { url: `file://${source}`, directory });
    assert.equal(exit.code, 0, transcript);
    assert.deepEqual(contentOf(directory), V1_CONTENT);
    assert.equal(statSync(join(directory, 'app.txt')).mtime.toISOString(), '2025-01-01T13:34:00.000Z');
  });

  test('with its modes: less the umask, and nobody else’s rights', async (t) => {
    const parts: Part[] = [
      { name: 'setuid', content: 'x', mode: 0o104755 },
      { name: 'secret', content: 'x', mode: 0o100000 },
      { name: 'all', content: 'x', mode: 0o100777 },
      { name: 'empty', mode: FILE },
      { name: 'closed/', mode: 0o040555 },
      { name: 'closed/file', content: 'x', mode: FILE },
      { name: 'implicit/file', content: 'x', mode: FILE },
      { name: 'windows.sh', content: '#!/bin/sh\n' },
      { name: 'windows.txt', content: 'x' },
    ];
    const { url } = await serve(t, zip(parts, { streamed: true, comment: 'a comment' }));
    const directory = join(tempDir(t), 'app');
    const run = await runInstall(t, { url, directory, prefix: ['sh', '-c', 'umask 027; exec "$@"', 'sh'] });
    assert.equal(run.exit.code, 0, run.transcript);
    const modes = contentOf(directory).map((line) => line.split(' ').slice(0, 2).join(' '));
    assert.deepEqual(modes, [
      'all 750',
      'closed 750',
      'closed/file 640',
      'empty 640',
      'implicit 750',
      'implicit/file 640',
      'secret 400',
      'setuid 750',
      'windows.sh 750',
      'windows.txt 640',
    ]);
  });

  test('into a mount, and by a user who may write nowhere else', async (t) => {
    const { url } = await serve(t, V1);
    const base = tempDir(t);
    const script = `
      mount -t tmpfs tmpfs ${base}
      mkdir ${base}/app ${base}/mine
      mount -t tmpfs tmpfs ${base}/app
      chown 65534 ${base}/mine
      mount -o remount,ro ${base} 2>/dev/null || mount -o remount,bind,ro ${base}
      "$@"
      find ${base}/app -type f -printf '%P\\n' | sort >&2`;
    const run = await runInstall(t, { url, directory: join(base, 'app'), prefix: [...MOUNTS, script, 'sh'] });
    assert.equal(run.exit.code, 0, run.transcript);
    assert.deepEqual(run.noise.trim().split('\n'), [MARKER, 'app.txt', 'bin/app']);

    const mine = join(tempDir(t), 'mine');
    mkdirSync(mine);
    if (!IS_ROOT) return;
    chmodSync(join(mine, '..'), 0o755);
    chownSync(mine, 65534, 65534);
    const prefix = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];
    const other = await runInstall(t, { url, directory: mine, prefix });
    assert.equal(other.exit.code, 0, other.transcript);
    assert.equal(statSync(join(mine, 'bin/app')).uid, 65534);
  });

  test('into a volume that mkfs made', async (t) => {
    const { url } = await serve(t, V1);
    const directory = writeFiles(join(tempDir(t), 'app'), { 'lost+found/x': '' });
    assert.equal((await runInstall(t, { url, directory })).exit.code, 0);
    assert.ok(existsSync(join(directory, 'app.txt')) && existsSync(join(directory, 'lost+found/x')));
  });
});

/** A big file of zeros, in as few bytes as they take. */
const ZEROS = Buffer.alloc(70_000_000);
const X = 'x'.repeat(100);
const one = (part: Partial<Part>): Buffer =>
  zip([
    ...files({ 'good.txt': 'good', 'init.sh': '#!/bin/sh\ntouch ../ran\n' }),
    { name: 'bad', content: X, mode: FILE, ...part },
  ]);
/** The bytes of a file in the archive, other than its directory says. */
function damaged(): Buffer {
  const archive = zip([{ name: 'bad', content: X, mode: FILE, method: 0 }]);
  archive.write('y', archive.indexOf(X));
  return archive;
}

/** What is served → what is said. */
const REFUSED: Record<string, [Buffer, RegExp]> = {
  'an HTML page': [
    Buffer.from('\n<!DOCTYPE html>\n<html><title>Sign in</title></html>'),
    /it is an HTML page, and no ZIP file\n {2}hint: look at what PACKAGE_ZIP_URL answers/,
  ],
  JSON: [Buffer.from('{"error": "expired"}'), /it is JSON, as it seems, and no ZIP file/],
  nothing: [Buffer.alloc(0), /it is empty, and no ZIP file/],
  'a tarball': [Buffer.from('1f8b0800', 'hex'), /it is compressed by gzip, and no ZIP file/],
  'something else': [Buffer.from('MZ'), /it is something else, and no ZIP file/],
  'a ZIP without entries': [zip([]), /: it is empty$/],
  'a truncated ZIP': [V1.subarray(0, V1.length - 30), /it is not the whole of a ZIP file/],
  'the first half of one': [V1.subarray(0, V1.length / 2), /it is not the whole of a ZIP file/],
  'a ZIP without its first bytes': [
    Buffer.concat([V1.subarray(0, 40), V1.subarray(50)]),
    /it cannot be read: invalid central directory/,
  ],
  'a name that leads out': [one({ name: '../bad' }), /the name "\.\.\/bad" leads out of the package/],
  'one that does further in': [one({ name: 'a/../../bad' }), /leads out of the package/],
  'an absolute name': [one({ name: '/tmp/bad' }), /is an absolute path/],
  'a name with a backslash': [one({ name: '..\\bad' }), /the name "\.\.\\\\bad" holds a backslash/],
  'a name with a drive': [one({ name: 'C:/bad' }), /begins with a drive/],
  'a name with a NUL': [one({ name: 'bad\0.txt' }), /holds control characters/],
  'a name that is not UTF-8': [one({ name: Buffer.from([0xff, 0x41]) }), /a name that is not UTF-8/],
  'a name twice': [one({ name: 'good.txt' }), /it holds "good\.txt" twice/],
  'a name twice but for case': [one({ name: 'GOOD.txt' }), /it holds both "good\.txt" and "GOOD\.txt"/],
  'a file below a file': [one({ name: 'good.txt/bad' }), /it holds "good\.txt" as a file and as a directory/],
  'a link': [one({ mode: LINK, content: '/etc/passwd' }), /"bad" is a symbolic link/],
  'a link that looks like a directory': [
    one({ name: 'bad/', mode: LINK, content: '/etc' }),
    /is a symbolic link/,
  ],
  'a block device': [one({ mode: 0o060644 }), /"bad" is a device/],
  'a character device': [one({ mode: 0o020644 }), /"bad" is a device/],
  'a pipe': [one({ mode: 0o010644 }), /"bad" is a pipe/],
  'a socket': [one({ mode: 0o140644 }), /"bad" is a socket/],
  'a directory that is a file': [one({ name: 'bad/', mode: FILE, content: '' }), /a directory by its name/],
  'a directory with content': [one({ name: 'bad/', mode: DIRECTORY }), /"bad\/" is a directory with content/],
  'an encrypted file': [one({ flags: 1 }), /"bad" is encrypted/],
  'strong encryption': [one({ flags: 0x41 }), /strong encryption is not supported/],
  'a method of its own': [one({ method: 93 }), /"bad" is compressed by Zstandard/],
  'an unknown method': [one({ method: 77 }), /"bad" is compressed by method 77/],
  'the installer’s own names': [one({ name: MARKER }), /is the installer's own name/],
  'and those below': [one({ name: '.supervise-package/old/x' }), /is the installer's own name/],
  'a damaged file': [damaged(), /"bad" is damaged/],
  'a wrong sum inside': [one({ lies: { crc: 1 } }), /"bad" is damaged/],
  'more than it says': [one({ lies: { size: 99 } }), /"bad" is damaged/],
  'less than it says': [one({ lies: { size: 101 } }), /"bad" is damaged/],
  'a file that begins nowhere': [one({ lies: { offset: 1_000_000 } }), /"bad" is damaged/],
  'a bomb': [
    zip([{ name: 'bad', content: ZEROS, mode: FILE }]),
    /it would unpack to 70\.0 MB, from 68\.\d kB; the most is 64\.0 MB\n {2}hint: .* PACKAGE_MAX_UNPACKED/,
  ],
  'a bomb that hides its size': [
    zip([{ name: 'bad', content: ZEROS, mode: FILE, lies: { size: 1000 } }]),
    /"bad" is damaged/,
  ],
  'a bomb of overlaps': [
    zip(
      Array.from({ length: 9 }, (_, i) => ({
        name: `bad${i}`,
        content: X,
        mode: FILE,
        method: 0,
        lies: i === 0 ? {} : { offset: 0, packed: 900, size: 900 },
      })),
    ),
    /its entries overlap/,
  ],
  'a mixed set': [
    zip(
      files({
        'manifest.json': '{"name":"shop","version":"2","services":{"a":"2","b":"2"}}',
        'services.d/a/version': '1',
      }),
    ),
    /it is not the whole of shop 2: services\.d\/b is missing; services\.d\/a is of version 1, not 2/,
  ],
  'an init.sh that fails': [
    zip(files({ 'app.txt': 'bad', 'init.sh': '#!/bin/sh\necho >made\nexit 7\n' })),
    /cannot run init\.sh of the package: it ended with exit 7/,
  ],
  'an init.sh that cannot run': [
    zip([{ name: 'init.sh', content: '#!/bin/sh\n', mode: FILE }]),
    /cannot run init\.sh of the package: \.\/init\.sh is not executable\n {2}hint: chmod \+x init\.sh/,
  ],
};

/** V1 as it is once it is installed, for `url`. */
function copyOfV1(directory: string, url = 'http://127.0.0.1/v1'): string {
  writeFiles(directory, { 'app.txt': 'one', 'bin/app': '#!/bin/sh\necho one\n' });
  const { digest } = parseAddress(url);
  const marker = { v: 1, url: digest, sha256: sha256(V1), installed: '2025-01-01T00:00:00.000Z' };
  writeFileSync(join(directory, MARKER), `${JSON.stringify(marker, null, 2)}\n`);
  return directory;
}

/** The installer in this process, for what is no matter of processes. */
function installHere({ url, directory }: { url: string; directory: string }): Promise<void> {
  const env = { PACKAGE_ZIP_URL: url, PACKAGE_DIR: directory };
  const log = createLog({ format: 'json', level: 'silent', write: () => {} });
  return install(parseOptions([], env, false), log, new AbortController().signal);
}

describe('refused, with nothing half-installed, and what was there before still there', () => {
  for (const [name, [archive, message]] of Object.entries(REFUSED))
    test(name, async (t) => {
      const { url } = await serve(t, archive);
      const base = tempDir(t);
      const old = copyOfV1(join(base, 'old'));
      const before = snapshot(old);
      for (const directory of [join(base, 'fresh'), old]) {
        const error = await installHere({ url, directory }).then(
          () => assert.fail('it was taken'),
          (error: unknown) => error,
        );
        assert.ok(error instanceof UserError, String(error));
        assert.match(describeError(error), message);
        assert.match(error.message, /^cannot /);
        assert.equal(error.exitCode, name === 'an init.sh that fails' ? 7 : 100);
      }
      assert.deepEqual(readdirSync(base), ['old']);
      assert.deepEqual(snapshot(old), before);
    });

  for (const [name, archive] of [
    ['an HTML page', REFUSED['an HTML page']],
    ['a truncated ZIP', REFUSED['a truncated ZIP']],
    ['a name that leads out', REFUSED['a name that leads out']],
    ['a link', REFUSED['a link']],
    ['a bomb', REFUSED['a bomb']],
  ] as const)
    test(`${name}: as the program says it`, async (t) => {
      assert.ok(archive);
      const { url } = await serve(t, archive[0]);
      const base = tempDir(t);
      const run = await runInstall(t, { url, directory: join(base, 'app') });
      assert.deepEqual(run.exit, { code: 100, signal: null });
      assert.match(run.noise, archive[1]);
      assert.match(run.noise, /^supervise: cannot /);
      assert.deepEqual(readdirSync(base), []);
    });

  test('a wrong sum', async (t) => {
    const { url } = await serve(t, V1);
    const base = tempDir(t);
    const sum = 'ab'.repeat(32);
    const run = await runInstall(t, { url, directory: join(base, 'app'), env: { PACKAGE_ZIP_SHA256: sum } });
    assert.equal(run.exit.code, 100);
    assert.match(run.noise, new RegExp(`its SHA-256 is ${sha256(V1)}, expected ${sum}\n {2}hint: `));
    assert.deepEqual(readdirSync(base), []);
  });

  test('too much to fetch, whether the server says how much or not', async (t) => {
    const base = tempDir(t);
    const env = { PACKAGE_MAX_SIZE: '300' };
    const said = await serve(t, (_, response) =>
      response.writeHead(200, { 'content-length': V1.length }).end(V1),
    );
    const unsaid = await serve(
      t,
      (_, response) =>
        void response.writeHead(200).write(V1.subarray(0, 200), () => response.end(V1.subarray(200))),
    );
    assert.ok(V1.length > 300);
    for (const { url, requests } of [said, unsaid]) {
      const run = await runInstall(t, { url, directory: join(base, 'app'), env });
      assert.equal(run.exit.code, 100);
      assert.match(run.noise, /it is larger than 300 B\n {2}hint: raise PACKAGE_MAX_SIZE/);
      assert.equal(requests.length, 1);
    }
    assert.deepEqual(readdirSync(base), []);
  });

  test('a bomb by another’s measure, and none by the user’s', async (t) => {
    const { url } = await serve(t, zip([{ name: 'zeros', content: ZEROS, mode: FILE }]));
    const directory = join(tempDir(t), 'app');
    const run = await runInstall(t, { url, directory, env: { PACKAGE_MAX_UNPACKED: '70MB' } });
    assert.equal(run.exit.code, 0, run.transcript);
    assert.equal(statSync(join(directory, 'zeros')).size, ZEROS.length);
  });

  test('a full disk: while fetching, and while unpacking', async (t) => {
    const noise = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i * 7919) >> 9));
    const { url } = await serve(t, zip([{ name: 'noise', content: noise, mode: FILE, method: 0 }]));
    for (const size of ['200k', '500k']) {
      const base = tempDir(t);
      const script = `mount -t tmpfs -o size=${size} tmpfs ${base}; code=0; "$@" || code=$?; ls -A ${base} >&2; exit $code`;
      const run = await runInstall(t, {
        url,
        directory: join(base, 'app'),
        prefix: [...MOUNTS, script, 'sh'],
      });
      assert.equal(run.exit.code, 111, run.transcript);
      assert.match(
        run.noise,
        /^supervise: cannot write .*: no space left on the device \(ENOSPC\)\n {2}hint: make room, .*\n$/,
      );
    }
  });

  test('a place that nobody may write', async (t) => {
    const { url, requests } = await serve(t, V1);
    const base = tempDir(t);
    const script = `mount -t tmpfs tmpfs ${base}; mkdir ${base}/app; mount -o remount,ro ${base}; exec "$@"`;
    for (const directory of [join(base, 'app'), join(base, 'new')]) {
      const run = await runInstall(t, { url, directory, prefix: [...MOUNTS, script, 'sh'] });
      assert.equal(run.exit.code, 111, run.transcript);
      assert.match(run.noise, /cannot write .*: read-only file system \(EROFS\)\n {2}hint: mount a volume/);
    }
    assert.equal(requests.length, 0);
    writeFileSync(join(base, 'file'), '');
    const run = await runInstall(t, { url, directory: join(base, 'file') });
    assert.match(run.noise, /cannot write .*\/file: a part of the path is not a directory/);
    const none = await runInstall(t, { url, directory: '/proc/x' });
    assert.deepEqual(
      [none.exit.code, none.noise],
      [111, 'supervise: cannot write /proc/x: no such file or directory (ENOENT)\n'],
    );
  });
});

describe('what the network does', { concurrency: 4 }, () => {
  /** Answers in turn, the last one for ever. */
  const turns = (...answers: ((response: ServerResponse) => unknown)[]) => {
    let turn = 0;
    return (_: unknown, response: ServerResponse): void =>
      void answers[Math.min(turn++, answers.length - 1)]?.(response);
  };
  const status =
    (code: number, headers: Record<string, string> = {}) =>
    (response: ServerResponse) =>
      response.writeHead(code, headers).end('<html>no</html>');
  const good = (response: ServerResponse) => response.end(V1);
  const half = (response: ServerResponse) => {
    response.writeHead(200, { 'content-length': V1.length });
    response.write(V1.subarray(0, 100), () => response.destroy());
  };

  for (const [name, answers, causes] of [
    [
      '503 and 500',
      [status(503), status(500), good],
      ['503 Service Unavailable', '500 Internal Server Error'],
    ],
    ['429', [status(429), good], ['429 Too Many Requests']],
    ['a cut', [half, good], ['the connection was cut (ECONNRESET)']],
    [
      'a hang-up',
      [(response: ServerResponse) => response.destroy(), good],
      ['the connection was cut (ECONNRESET)'],
    ],
  ] as const)
    test(`${name}, then success`, async (t) => {
      const { url, requests } = await serve(t, turns(...answers));
      const directory = join(tempDir(t), 'app');
      const run = await runInstall(t, { url, directory });
      assert.equal(run.exit.code, 0, run.transcript);
      assert.deepEqual(contentOf(directory), V1_CONTENT);
      assert.deepEqual(
        run.eventsOf('fetching again').map((event) => event['cause']),
        causes.map((cause) => (/^\d/.test(cause) ? `the server answered ${cause}` : cause)),
      );
      assert.equal(requests.length, answers.length);
    });

  for (const [code, words] of [
    [404, '404 Not Found\n  hint: look at PACKAGE_ZIP_URL'],
    [403, '403 Forbidden\n  hint: credentials in PACKAGE_ZIP_URL may be missing, wrong or out of date'],
    [401, '401 Unauthorized\n  hint: credentials'],
    [410, '410 Gone'],
    [204, '204 No Content'],
    [304, '304 Not Modified'],
  ] as const)
    test(`${code} is no matter of another attempt`, async (t) => {
      const { url, requests } = await serve(t, turns(status(code)));
      const base = tempDir(t);
      const run = await runInstall(t, { url: `${url}/a.zip`, directory: join(base, 'app') });
      assert.equal(run.exit.code, 100);
      assert.ok(
        run.noise.startsWith(
          `supervise: cannot fetch the package ${url}/a.zip: the server answered ${words}`,
        ),
        run.noise,
      );
      assert.equal(requests.length, 1);
      assert.deepEqual(readdirSync(base), []);
    });

  test('retries have an end: 111', async (t) => {
    const { url, requests } = await serve(t, turns(status(502)));
    const base = tempDir(t);
    const env = { PACKAGE_RETRIES: '1' };
    const run = await runInstall(t, { url, directory: join(base, 'app'), env });
    assert.equal(run.exit.code, 111);
    assert.match(run.noise, /the server answered 502 Bad Gateway, 2 times\n$/);
    assert.equal(requests.length, 2);
    const nobody = await runInstall(t, { url: 'http://127.0.0.1:9/a', directory: join(base, 'app'), env });
    assert.equal(nobody.exit.code, 111);
    assert.match(nobody.noise, /nobody listens there \(ECONNREFUSED\), 2 times\n$/);
    assert.deepEqual(readdirSync(base), []);
  });

  test('silence, and a trickle', async (t) => {
    const base = tempDir(t);
    const silent = await serve(t, (_, response) => void response.writeHead(200).write(V1.subarray(0, 50)));
    const deaf = await serve(t, () => {});
    for (const { url } of [silent, deaf]) {
      const env = { PACKAGE_IDLE_TIMEOUT: '100', PACKAGE_RETRIES: '0' };
      const run = await runInstall(t, { url, directory: join(base, 'app'), env });
      assert.equal(run.exit.code, 111);
      assert.match(run.noise, /: nothing came for 100ms\n$/);
    }
    const trickle = await serve(t, (_, response) => {
      const timer = setInterval(() => response.write('P'), 20);
      response.on('close', () => clearInterval(timer));
    });
    const run = await runInstall(t, {
      url: trickle.url,
      directory: join(base, 'app'),
      env: { PACKAGE_TIMEOUT: '300' },
    });
    assert.equal(run.exit.code, 111);
    assert.match(run.noise, /it took longer than 300ms\n {2}hint: raise PACKAGE_TIMEOUT/);
    assert.deepEqual(readdirSync(base), []);
  });

  test('redirects, and no end of them', async (t) => {
    const { url, requests } = await serve(t, (request, response) => {
      const to = { '/a': '/b?secret=1', '/b?secret=1': 'c', '/c': undefined, '/round': '/round' }[
        request.url ?? ''
      ];
      if (to === undefined) response.end(V1);
      else response.writeHead(302, { location: to }).end();
    });
    const base = tempDir(t);
    const run = await runInstall(t, { url: `${url}/a`, directory: join(base, 'app') });
    assert.equal(run.exit.code, 0, run.transcript);
    assert.deepEqual(
      requests.map((request) => request.url),
      ['/a', '/b?secret=1', '/c'],
    );
    assert.doesNotMatch(run.transcript, /secret/);
    const round = await runInstall(t, { url: `${url}/round`, directory: join(base, 'other') });
    assert.equal(round.exit.code, 100);
    assert.match(round.noise, /more than 10 redirects\n$/);
    for (const location of ['file:///etc/passwd', 'ftp://host/secret', 'http://[secret']) {
      const { url } = await serve(t, turns(status(301, { location })));
      const run = await runInstall(t, { url, directory: join(base, 'other') });
      assert.match(run.noise, /it redirects to what is neither http nor https\n$/);
      assert.doesNotMatch(run.transcript, /secret|passwd/);
    }
  });

  test('https: by an authority that is trusted, and never on to http', async (t) => {
    const base = tempDir(t);
    const { ca, ...tls } = await makeCertificate(base);
    const plain = await serve(t, V1);
    const { url, requests } = await serve(
      t,
      (request, response) => {
        if (request.url === '/down') response.writeHead(302, { location: `${plain.url}/s3cret` }).end();
        else response.end(V1);
      },
      tls,
    );
    const directory = join(base, 'app');
    const stranger = await runInstall(t, { url, directory });
    assert.equal(stranger.exit.code, 100);
    assert.match(stranger.noise, /unable to verify the first certificate\n {2}hint: NODE_EXTRA_CA_CERTS/);
    assert.equal(stranger.eventsOf('fetching again').length, 0);
    const env = { NODE_EXTRA_CA_CERTS: ca };
    const down = await runInstall(t, { url: `${url}/down`, directory, env });
    assert.equal(down.exit.code, 100);
    assert.ok(down.noise.includes(`it redirects from https to http (${plain.url}), where anybody could`));
    assert.ok(!existsSync(directory));
    assert.equal((await runInstall(t, { url, directory, env })).exit.code, 0);
    assert.deepEqual([requests.length, plain.requests.length], [2, 0]);
  });

  test('credentials go to their own host, and into no log', async (t) => {
    const other = await serve(t, turns(status(403)));
    const { url, requests } = await serve(t, (request, response) => {
      if (request.url?.startsWith('/away'))
        response.writeHead(307, { location: `${other.url}/s3cret?s3cret` }).end();
      else if (request.url?.startsWith('/near'))
        response.writeHead(302, { location: `${url}/a?s3cret` }).end();
      else if (request.url?.startsWith('/no')) response.writeHead(503).end();
      else response.end(V1);
    });
    const base = tempDir(t);
    const at = (path: string): string =>
      `${url.replace('//', '//me:s3cret@')}/${path}?X-Amz-Signature=s3cret`;
    const basic = `Basic ${Buffer.from('me:s3cret').toString('base64')}`;
    const codes: (number | null)[] = [];
    for (const [i, path] of ['a.zip', 'near', 'away', 'no'].entries()) {
      const directory = join(base, String(i));
      const run = await runInstall(t, {
        url: at(path),
        directory,
        env: { PACKAGE_RETRIES: '1', SUPERVISE_LOG_LEVEL: 'debug' },
      });
      codes.push(run.exit.code);
      assert.doesNotMatch(run.transcript, /s3cret|me:/, path);
      assert.ok(run.transcript.includes(`${url}/${path}`), run.transcript);
      if (run.exit.code === 0)
        assert.doesNotMatch(readFileSync(join(directory, MARKER), 'utf8'), /s3cret|http/);
      if (path === 'away')
        assert.ok(
          run.noise.includes(`the server answered 403 Forbidden, after a redirect to ${other.url}\n`),
        );
    }
    assert.deepEqual(codes, [0, 0, 100, 111]);
    assert.deepEqual(new Set(requests.map(({ authorization }) => authorization)), new Set([basic]));
    assert.deepEqual(
      other.requests.map(({ authorization }) => authorization),
      [undefined],
    );
  });
});

describe('a directory with content', () => {
  test('that is none of ours is used as it is, and not touched', async (t) => {
    const { url, requests } = await serve(t, V1);
    const directory = writeFiles(join(tempDir(t), 'app'), { 'index.php': '<?php', '.git/config': '' });
    const before = snapshot(directory);
    const run = await runInstall(t, { url, directory });
    assert.equal(run.exit.code, 0);
    assert.equal(run.eventsOf('used the directory as it is').length, 1);
    assert.deepEqual([snapshot(directory), requests.length], [before, 0]);
    const without = await runInstall(t, { directory });
    assert.equal(without.exit.code, 0);
  });

  test('mounted read-only too', async (t) => {
    const { url } = await serve(t, V1);
    const base = writeFiles(tempDir(t), { 'source/index.php': '<?php' });
    mkdirSync(join(base, 'app'));
    const script = `mount --bind ${base}/source ${base}/app; mount -o remount,bind,ro ${base}/app; exec "$@"`;
    const run = await runInstall(t, { url, directory: join(base, 'app'), prefix: [...MOUNTS, script, 'sh'] });
    assert.equal(run.exit.code, 0, run.transcript);
  });

  test('of another URL is replaced, once the new one is there', async (t) => {
    const directory = copyOfV1(join(tempDir(t), 'app'));
    writeFileSync(join(directory, 'made.later'), 'by the application');
    const { url } = await serve(t, V2);
    const run = await runInstall(t, { url, directory });
    assert.equal(run.exit.code, 0, run.transcript);
    assert.deepEqual(contentOf(directory), V2_CONTENT);
    assert.deepEqual(readdirSync(directory).sort(), [MARKER, 'app.txt', 'new']);
  });

  test('is the same by its sum, whatever the URL; another sum is another package', async (t) => {
    const directory = copyOfV1(join(tempDir(t), 'app'));
    const { url, requests } = await serve(t, V2);
    const same = await runInstall(t, {
      url: `${url}/signed?again`,
      directory,
      env: { PACKAGE_ZIP_SHA256: sha256(V1) },
    });
    assert.equal(same.eventsOf('found the package in place').length, 1);
    assert.equal(requests.length, 0);
    const other = await runInstall(t, { url, directory, env: { PACKAGE_ZIP_SHA256: sha256(V2) } });
    assert.equal(other.exit.code, 0);
    assert.deepEqual(contentOf(directory), V2_CONTENT);
  });

  test('nothing, and no URL: 100', async (t) => {
    const directory = join(tempDir(t), 'app');
    const run = await runInstall(t, { directory });
    assert.equal(run.exit.code, 100);
    assert.match(run.noise, /PACKAGE_ZIP_URL is not set, and there is nothing in .*\/app\n {2}hint: /);
    assert.ok(!existsSync(directory));
  });
});

describe('init.sh', () => {
  const INIT =
    '#!/bin/sh\necho "$PWD $MODE" >>"$OUT/ran"\necho "mode=$MODE" >config\n[ "$MODE" = fail ] && exit 3\nsleep 1000 &\nexit 0\n';
  const archive = zip(files({ 'app.txt': 'three', 'init.sh': INIT }));

  test('runs once, in the place where the package stays', async (t) => {
    const { url } = await serve(t, archive);
    const base = tempDir(t);
    const directory = join(base, 'app');
    for (let i = 0; i < 2; i++)
      assert.equal((await runInstall(t, { url, directory, env: { OUT: base, MODE: 'x' } })).exit.code, 0);
    assert.equal(readFileSync(join(base, 'ran'), 'utf8'), `${directory} x\n`);
    assert.equal(readFileSync(join(directory, 'config'), 'utf8'), 'mode=x\n');
  });

  test('when it fails, the next start tries again, and what was there before is there', async (t) => {
    const { url } = await serve(t, archive);
    const base = tempDir(t);
    const directory = copyOfV1(join(base, 'app'));
    for (let i = 0; i < 2; i++) {
      const run = await runInstall(t, { url, directory, env: { OUT: base, MODE: 'fail' } });
      assert.equal(run.exit.code, 3);
      assert.deepEqual(contentOf(directory), V1_CONTENT);
    }
    const run = await runInstall(t, { url, directory, env: { OUT: base, MODE: 'x' } });
    assert.equal(run.exit.code, 0);
    assert.equal(readFileSync(join(directory, 'config'), 'utf8'), 'mode=x\n');
  });
});

describe('cut short', () => {
  const SLOW = zip(
    files({ 'app.txt': 'slow', 'init.sh': '#!/bin/sh\necho $$ >"$OUT/pid"\nexec sleep 1000\n' }),
  );

  /** Installs up to a point where it stays until it is ended. */
  async function startSlow(t: TestContext, where: 'fetching' | 'init', directory: string, base: string) {
    const { url } = await serve(t, (_, response) => {
      if (where === 'init') response.end(SLOW);
      else response.writeHead(200, { 'content-length': SLOW.length }).write(SLOW.subarray(0, 100));
    });
    const run = startInstall(t, { url, directory, env: { OUT: base } });
    const zipFile = join(directory, '.supervise-package/package.zip');
    await until(where, () =>
      where === 'init'
        ? existsSync(join(base, 'pid')) && readFileSync(join(base, 'pid'), 'utf8').endsWith('\n')
        : existsSync(zipFile) && statSync(zipFile).size === 100,
    );
    return run;
  }

  for (const where of ['fetching', 'init'] as const) {
    test(`by TERM while ${where}: 143, and all as before`, async (t) => {
      for (const old of [true, false]) {
        const base = tempDir(t);
        const directory = join(base, 'app');
        if (old) copyOfV1(directory);
        const before = snapshot(base);
        const run = await startSlow(t, where, directory, base);
        run.signal('SIGTERM');
        assert.deepEqual(await run.ended, { code: 143, signal: null }, run.transcript);
        assert.deepEqual(
          snapshot(base).filter((line) => !line.startsWith('pid')),
          before,
        );
        if (where === 'init') {
          const pid = Number(readFileSync(join(base, 'pid'), 'utf8'));
          assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
        }
      }
    });

    test(`by KILL while ${where}: the next start puts it right`, async (t) => {
      const v1 = await serve(t, V1);
      const v2 = await serve(t, V2);
      for (const old of [true, false])
        for (const next of [v1, v2]) {
          const base = tempDir(t);
          const directory = join(base, 'app');
          if (old) copyOfV1(directory, v1.url);
          const run = await startSlow(t, where, directory, base);
          run.signal('SIGKILL');
          if (where === 'init') process.kill(Number(readFileSync(join(base, 'pid'), 'utf8')), 'SIGKILL');
          await run.ended;
          const again = await runInstall(t, { url: next.url, directory });
          assert.equal(again.exit.code, 0, again.transcript);
          assert.equal(again.eventsOf('removed what an installation that was cut short had left').length, 1);
          assert.deepEqual(contentOf(directory), next === v1 ? V1_CONTENT : V2_CONTENT);
          assert.ok(!existsSync(join(directory, '.supervise-package')));
        }
    });
  }
});

test('help', async (t) => {
  const run = await runInstall(t, { directory: tempDir(t), args: ['--help'] });
  assert.equal(run.exit.code, 0);
  for (const name of [
    'PACKAGE_ZIP_URL',
    'PACKAGE_DIR',
    'PACKAGE_ZIP_SHA256',
    'PACKAGE_MAX_SIZE',
    'PACKAGE_TIMEOUT',
  ])
    assert.ok(run.stdout.includes(name), name);
  assert.ok(run.stdout.split('\n').every((line) => line.length <= 130));
});
