/** The package and the tree: installed ahead of it, its services in it, refused where it is not whole. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { processes, SLEEPER, startBundle, startTree, tempDir, until, writeFiles } from '../tree.ts';
import { IS_ROOT, MOUNTS, serve, snapshot } from './installing.ts';
import { files, zip } from './zip.ts';

const MANIFEST = JSON.stringify({
  name: 'shop',
  version: '1.4.2',
  services: { api: '1.4.2', worker: '1.3.9' },
});
const SHOP = {
  'manifest.json': MANIFEST,
  'services.d/api/run': '#!/bin/sh\necho "api of the package in $PWD"\nexec sleep 1000\n',
  'services.d/api/version': '1.4.2\n',
  'services.d/worker/run': SLEEPER,
  'services.d/worker/dependencies.d/api': '',
};

const say = (what: string): string => `#!/bin/sh\necho "${what}"\nexec sleep 1000\n`;

describe('a package’s services', () => {
  test('join the tree; of one name the package’s is the one; name and version are told', async (t) => {
    const { url } = await serve(t, zip(files(SHOP)));
    const directory = join(tempDir(t), 'app');
    const tree = startTree(
      t,
      { 'api/run': say('api of the base'), 'base/run': say('base') },
      { env: { PACKAGE_ZIP_URL: url, PACKAGE_DIR: directory } },
    );
    for (const name of ['api', 'worker', 'base']) await tree.event('started', name);
    await until('both lines', () => tree.stdout.includes('package') && tree.stdout.includes('base'));
    assert.doesNotMatch(tree.stdout, /api of the base/);
    assert.ok(tree.stdout.includes(`api of the package in ${directory}/services.d/api\n`));
    assert.match(tree.control('status').stdout, /^package shop 1\.4\.2 \(api 1\.4\.2, worker 1\.3\.9\)$/m);
    const status = JSON.parse(tree.control('status', '--json').stdout) as { package: unknown };
    assert.deepEqual(status.package, {
      name: 'shop',
      version: '1.4.2',
      services: { api: '1.4.2', worker: '1.3.9' },
    });
    writeFiles(directory, { 'services.d/later/run': SLEEPER });
    assert.match(tree.control('rescan').stdout, /^added: later$/m);
    await tree.event('started', 'later');
    tree.signal('SIGTERM');
    assert.equal((await tree.ended).code, 0);
  });

  test('are a tree of their own where there is no other', async (t) => {
    const { url } = await serve(t, zip(files(SHOP)));
    const directory = join(tempDir(t), 'app');
    const tree = startBundle(t, [], { env: { PACKAGE_ZIP_URL: url, PACKAGE_DIR: directory } });
    await tree.event('started', 'worker');
    const { scandir } = JSON.parse(tree.control('status', '--json').stdout) as { scandir: string };
    assert.equal(scandir, join(directory, 'services.d'));
  });

  test('bring templates and hooks; a base’s hook that they do not have runs as ever', async (t) => {
    const { url } = await serve(
      t,
      zip(
        files({
          'services.d/app/run':
            '#!/bin/sh\ncp "$OUT/app.conf" "$OUT/seen"\n[ -e "$OUT/ready" ] && exec sleep 1000\nexit 3\n',
          'services.d/app/templates/app.hbs': '{{!--\ndest: ${OUT}/app.conf\n--}}\n{{key "a"}}',
          'services.d/.supervise/crash':
            '#!/bin/sh\necho "package $1 in $PWD" >>"$OUT/hooks"; touch "$OUT/ready"\n',
          'services.d/.supervise/kv.json': '{"kv": {"a": "from the package"}}',
        }),
      ),
    );
    const directory = join(tempDir(t), 'app');
    const tree = startTree(
      t,
      {
        'app/run': SLEEPER,
        'app/templates/base.hbs': '{{!--\ndest: ${OUT}/base.conf\n--}}\n{{key "b"}}',
        '.supervise/crash': '#!/bin/sh\necho base >>"$OUT/hooks"\n',
        '.supervise/finish': '#!/bin/sh\necho "base finish in $PWD" >>"$OUT/hooks"\n',
      },
      { env: { PACKAGE_ZIP_URL: url, PACKAGE_DIR: directory } },
    );
    await tree.event('started', 'app', 2);
    assert.equal(tree.file('seen').trim(), 'from the package');
    tree.signal('SIGTERM');
    await tree.ended;
    assert.deepEqual(tree.lines('hooks'), [
      `package app in ${directory}/services.d`,
      `base finish in ${tree.scandir}`,
    ]);
    assert.ok(!existsSync(join(tree.directory, 'base.conf')));
  });

  test('a main command alone finds the package in place', async (t) => {
    const { url } = await serve(t, zip(files({ 'app.txt': 'here' })));
    const directory = join(tempDir(t), 'app');
    const env = { PACKAGE_ZIP_URL: url, PACKAGE_DIR: directory };
    const tree = startBundle(t, ['--', 'cat', join(directory, 'app.txt')], { env });
    assert.equal((await tree.ended).code, 0, tree.transcript);
    assert.equal(tree.stdout, 'here');
  });

  test('baked in or mounted, without a URL: PACKAGE_DIR names them', async (t) => {
    const directory = writeFiles(join(tempDir(t), 'app'), SHOP);
    const tree = startTree(t, { 'base/run': SLEEPER }, { env: { PACKAGE_DIR: directory } });
    for (const name of ['api', 'worker', 'base']) await tree.event('started', name);
    const other = startTree(t, { 'base/run': SLEEPER }, { env: { PACKAGE_DIR: '/none/there' } });
    await other.event('started', 'base');
  });
});

describe('refused at boot, with nothing started', () => {
  test('what cannot be fetched: the installer’s words, and its exit code', async (t) => {
    const { url } = await serve(t, (_, response) => response.writeHead(404).end('<html>'));
    const directory = join(tempDir(t), 'app');
    const tree = startTree(
      t,
      { 'base/run': '#!/bin/sh\ntouch "$OUT/ran"\nexec sleep 1000\n' },
      { env: { PACKAGE_ZIP_URL: url, PACKAGE_DIR: directory } },
    );
    assert.deepEqual(await tree.ended, { code: 100, signal: null });
    assert.match(tree.noise, /^supervise: cannot fetch the package .*: the server answered 404 Not Found$/m);
    assert.equal(tree.eventsOf('started').length, 0);
    assert.ok(!existsSync(join(tree.directory, 'ran')) && !existsSync(directory));
  });

  for (const [name, change, message] of [
    [
      'a service too few',
      { 'services.d/worker/run': undefined, 'services.d/worker/dependencies.d/api': undefined },
      /services\.d\/worker is missing/,
    ],
    ['a service too many', { 'services.d/old/run': SLEEPER }, /services\.d\/old is not of it/],
    [
      'a service of another version',
      { 'services.d/api/version': '1.4.1' },
      /services\.d\/api is of version 1\.4\.1, not 1\.4\.2/,
    ],
    [
      'no services at all',
      {
        ...Object.fromEntries(Object.keys(SHOP).map((name) => [name, undefined])),
        'manifest.json': MANIFEST,
      },
      /services\.d\/api is missing; services\.d\/worker is missing/,
    ],
    [
      'half a manifest',
      { 'manifest.json': MANIFEST.slice(0, 50) },
      /cannot use .*\/manifest\.json: it is no JSON/,
    ],
    [
      'an installation that was cut short',
      { '.supervise-package/new/x': '' },
      /its installation was cut short\n {2}hint: set PACKAGE_ZIP_URL/,
    ],
  ] as const)
    test(name, async (t) => {
      const all: Record<string, string | undefined> = { ...SHOP, ...change };
      const content = Object.fromEntries(
        Object.entries(all).flatMap(([name, text]) => (text === undefined ? [] : [[name, text]])),
      );
      const directory = writeFiles(join(tempDir(t), 'app'), content);
      const tree = startTree(t, { 'base/run': SLEEPER }, { env: { PACKAGE_DIR: directory } });
      assert.equal((await tree.ended).code, 100);
      assert.match(tree.noise, message);
      assert.equal(tree.eventsOf('started').length, 0);
    });

  test('and --version says so too', async (t) => {
    const directory = writeFiles(join(tempDir(t), 'app'), SHOP);
    const version = async (): Promise<string> => {
      const run = startBundle(t, ['--version'], { env: { PACKAGE_DIR: directory } });
      await run.ended;
      return run.stdout;
    };
    assert.match(await version(), /^supervise \S+\nshop 1\.4\.2 \(api 1\.4\.2, worker 1\.3\.9\)\n$/);
    writeFileSync(join(directory, 'services.d/api/version'), '1');
    assert.match(
      await version(),
      /^supervise \S+\ncannot use the package in .* is of version 1, not 1\.4\.2\n$/,
    );
  });
});

describe('a stop while the package is installed', () => {
  const INIT = '#!/bin/sh\ntrap "" TERM\necho $$ >"$OUT/init"\nwhile :; do sleep 0.1; done\n';

  for (const [name, prefix] of [
    ['', []],
    [
      ', as PID 1',
      ['unshare', ...(IS_ROOT ? [] : ['-r']), '--pid', '--fork', '--mount-proc', '--kill-child'],
    ],
  ] as const)
    test(`fetching${name}: the tree ends at once, with 0`, async (t) => {
      const { url, requests } = await serve(t, (_, response) => void response.write('PK'));
      const directory = join(tempDir(t), 'app');
      const tree = startTree(
        t,
        { 'base/run': SLEEPER },
        { env: { PACKAGE_ZIP_URL: url, PACKAGE_DIR: directory }, prefix: [...prefix] },
      );
      await until('the request', () => requests.length > 0);
      if (prefix.length === 0) tree.signal('SIGTERM');
      else {
        const inside = await until('PID 1', () => processes().find(({ ppid }) => ppid === tree.pid));
        process.kill(inside.pid, 'SIGTERM');
      }
      assert.deepEqual(await tree.ended, { code: 0, signal: null }, tree.transcript);
      assert.equal(tree.eventsOf('stopped the installation').length, 1);
      assert.equal(tree.eventsOf('stopped ahead of the services').length, 1);
      assert.ok(!existsSync(directory));
    });

  test('an init.sh that hears nothing is killed, with all that it started', async (t) => {
    const { url } = await serve(t, zip(files({ 'init.sh': INIT })));
    const directory = join(tempDir(t), 'app');
    const tree = startTree(t, {}, { env: { PACKAGE_ZIP_URL: url, PACKAGE_DIR: directory } });
    const pid = await until('init', () => Number(tree.file('init')));
    tree.signal('SIGTERM');
    assert.equal((await tree.ended).code, 0, tree.transcript);
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    assert.ok(!existsSync(directory));
  });

  test('the second one does not wait: 137; the next start puts it right', async (t) => {
    const { url } = await serve(
      t,
      zip(files({ ...SHOP, 'init.sh': `#!/bin/sh\n[ -e "$OUT/init" ] && exit 0\n${INIT}` })),
    );
    const directory = join(tempDir(t), 'app');
    const env = { PACKAGE_ZIP_URL: url, PACKAGE_DIR: directory, OUT: tempDir(t) };
    const tree = startBundle(t, [], { env });
    const pid = await until(
      'init',
      () => existsSync(join(env.OUT, 'init')) && Number(readFileSync(join(env.OUT, 'init'), 'utf8')),
    );
    tree.signal('SIGTERM');
    await tree.event('stopping the installation');
    tree.signal('SIGTERM');
    assert.deepEqual(await tree.ended, { code: 137, signal: null });
    await until('its end', () => !processes().some((each) => each.pid === pid && each.state !== 'Z'));
    const again = startBundle(t, [], { env });
    await again.event('started', 'worker');
    assert.ok(snapshot(directory).some((line) => line.startsWith('.supervise-package.json')));
  });

  test('nobody is told that all is well meanwhile', async (t) => {
    const { url, requests } = await serve(t, (_, response) => void response.write('PK'));
    const directory = join(tempDir(t), 'app');
    const tree = startTree(
      t,
      { 'base/run': SLEEPER },
      { env: { PACKAGE_ZIP_URL: url, PACKAGE_DIR: directory } },
    );
    await until('the request', () => requests.length > 0);
    assert.notEqual(tree.control('check').code, 0);
    tree.signal('SIGINT');
    assert.equal((await tree.ended).code, 0);
  });
});

test('a read-only root and a tmpfs, any uid, no directory but the mount', async (t) => {
  const { url } = await serve(t, zip(files(SHOP)));
  const base = tempDir(t);
  mkdirSync(join(base, 'app'));
  const as = IS_ROOT ? 'setpriv --reuid=65534 --regid=0 --clear-groups --' : '';
  const script = `
    mount -t tmpfs -o mode=1777 tmpfs ${base}/app
    mount -o remount,bind,ro /
    exec ${as} "$@"`;
  const tree = startBundle(t, [], {
    env: { PACKAGE_ZIP_URL: url, PACKAGE_DIR: join(base, 'app'), SUPERVISE_SOCKET: join(base, 'app/socket') },
    prefix: [...MOUNTS, `chmod 755 ${base}; ${script}`, 'sh'],
  });
  await tree.event('started', 'worker');
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
});
