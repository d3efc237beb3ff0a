/** `supervise lint` and `supervise init`, as they are called. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { execaSync } from 'execa';
import { BUNDLE, type Files, NODE, SLEEPER, startBundle, tempDir, until, writeFiles } from '../tree.ts';

const SAMPLE = join(import.meta.dirname, '../../services.d');

interface Run {
  cwd?: string;
  env?: Record<string, string>;
  /** Without root's rights to everything. */
  unprivileged?: boolean;
}

function supervise(argv: string[], { cwd, env, unprivileged }: Run = {}) {
  const nobody = unprivileged && process.geteuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const { exitCode, stdout, stderr } = execaSync(NODE, [BUNDLE, ...argv], {
    env: { PATH: '/usr/bin:/bin', ...env },
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    timeout: 30_000,
    ...nobody,
    ...(cwd === undefined ? {} : { cwd }),
  });
  return { code: exitCode, stdout, stderr };
}

function scandirOf(t: TestContext, files: Files): string {
  const scandir = join(realpathSync(tempDir(t)), 'services.d');
  mkdirSync(scandir);
  return writeFiles(scandir, files);
}

/** Every path below with what a write would change of it. */
function snapshot(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((path) => {
      const { size, mtimeMs, ctimeMs, mode } = statSync(join(directory, path));
      return [path, size, mtimeMs, ctimeMs, mode].join(' ');
    });
}

describe('lint', () => {
  test('nothing found: 0', (t) => {
    const scandir = scandirOf(t, { 'web/run': SLEEPER, 'db/run': SLEEPER });
    assert.deepEqual(supervise(['lint', scandir]), { code: 0, stdout: 'ok: 2 services\n', stderr: '' });
    assert.equal(supervise(['lint'], { cwd: join(scandir, '..') }).stdout, 'ok: 2 services\n');
    assert.equal(supervise(['lint'], { env: { SUPERVISE_SCANDIR: scandir } }).code, 0);
  });

  test('complaints: 1, file by file as compilers do, relative to where we are', (t) => {
    const scandir = scandirOf(t, {
      'web/run': '#!/bin/sh\nnode x\n',
      'web/restart': 'no',
      'db/run': SLEEPER,
    });
    const { code, stdout, stderr } = supervise(['lint', 'services.d'], { cwd: join(scandir, '..') });
    assert.equal(code, 1);
    assert.equal(stderr, '');
    assert.equal(
      stdout,
      [
        `services.d/web/restart: error: cannot read ${scandir}/web/restart: expected always, on-failure or never, got "no"`,
        'services.d/web/run: warning: cannot stop "web" gently: line 2 of ./run has no exec, so that signals end the shell and not what it runs',
        '  hint: write exec before node: exec node x',
        '1 error and 1 warning in 2 services',
        '',
      ].join('\n'),
    );
  });

  test('warnings alone: 1 too', (t) => {
    const scandir = scandirOf(t, { 'web/run': SLEEPER, 'web/run~': SLEEPER });
    const { code, stdout } = supervise(['lint', scandir]);
    assert.equal(code, 1);
    assert.match(stdout, /\n1 warning in 1 service\n$/);
  });

  test('a file that means nothing is named, and no reason to fail', (t) => {
    const scandir = scandirOf(t, { 'web/run': SLEEPER, 'web/nginx.conf': '' });
    const { code, stdout } = supervise(['lint', scandir]);
    assert.equal(code, 0);
    assert.match(stdout, /nginx\.conf: note: cannot use .*\n {2}hint: move it to .*\n1 note in 1 service\n$/);
    writeFiles(scandir, { 'web/timeout-kil': '5s', 'web/type': 'x' });
    const worse = supervise(['lint', scandir]);
    assert.equal(worse.code, 1);
    assert.match(worse.stdout, /\n1 error, 1 warning, and 1 note in 1 service\n$/);
  });

  test('--json: one document', (t) => {
    const scandir = scandirOf(t, { 'web/run': SLEEPER, 'web/down-signal': 'KILL', 'web/type': 'x' });
    const { code, stdout } = supervise(['lint', '--json', scandir]);
    assert.equal(code, 1);
    assert.deepEqual(JSON.parse(stdout), {
      v: 1,
      scandir,
      services: 1,
      errors: 1,
      warnings: 1,
      notes: 0,
      complaints: [
        {
          severity: 'warning',
          service: 'web',
          file: `${scandir}/web/down-signal`,
          problem: `cannot use ${scandir}/web/down-signal: SIGKILL cannot be caught, so "web" has no chance to clean up`,
          fix: 'name a signal that it catches, such as SIGTERM',
        },
        {
          severity: 'error',
          service: 'web',
          file: `${scandir}/web/type`,
          problem: `cannot read ${scandir}/web/type: expected longrun or oneshot, got "x"`,
          fix: null,
        },
      ],
    });
    const clean = supervise(['lint', '--json', scandirOf(t, {})]);
    assert.equal(clean.code, 0);
    assert.deepEqual((JSON.parse(clean.stdout) as { complaints: unknown }).complaints, []);
  });

  test('a scandir that cannot be read, or none at all: 100, as at boot', (t) => {
    const cwd = tempDir(t);
    const missing = supervise(['lint', '/no/such/dir'], { cwd });
    assert.equal(missing.code, 100);
    assert.equal(missing.stdout, '');
    assert.match(
      missing.stderr,
      /^supervise: cannot read the services directory \/no\/such\/dir: no such file/,
    );
    assert.equal(supervise(['lint', 'a', 'b'], { cwd }).code, 100);
    assert.equal(supervise(['lint', '--watch'], { cwd }).code, 100);
  });

  test('what is root’s alone is named, for whoever is not root', (t) => {
    const scandir = scandirOf(t, {
      'web/run': SLEEPER,
      'web/restart': 'never',
      'web/templates/a.hbs': '{{!-- dest: /a --}}',
      'db/run': SLEEPER,
      'open/run': SLEEPER,
      'open/templates/a.hbs': '{{!-- dest: ../../closed/a --}}',
      '../closed/x': '',
      '.supervise/crash': SLEEPER,
      '.supervise/kv.json': '{}',
    });
    chmodSync(join(scandir, '..'), 0o755);
    const closed = ['web/restart', 'web/run', 'web/templates/a.hbs', 'db', '.supervise/crash', '../closed'];
    for (const path of closed)
      chmodSync(
        join(scandir, path),
        path === '../closed' ? 0o555 : 0o700 & ~0o077 & (path === 'db' ? 0 : 0o100),
      );
    const { code, stdout } = supervise(['lint', scandir], { unprivileged: true });
    for (const path of ['db', '../closed']) chmodSync(join(scandir, path), 0o755);
    assert.equal(code, 1);
    const uid = process.geteuid?.() === 0 ? 65_534 : process.geteuid?.();
    const said = stdout.split('\n').filter((line) => !line.startsWith('  hint: '));
    const expected = [
      `/.supervise/crash: error: cannot run the hook "crash": ./crash may not be executed by us (uid ${uid})`,
      `/db: error: cannot read the service directory ${scandir}/db: permission denied (EACCES)`,
      `/open/templates/a.hbs: error: cannot write ${join(scandir, '../closed/a')}: permission denied (EACCES)`,
      `/web/restart: error: cannot read ${scandir}/web/restart: permission denied (EACCES)`,
      `/web/run: error: cannot start "web": ./run may not be executed by us (uid ${uid})`,
      `/web/templates/a.hbs: error: cannot read ${scandir}/web/templates/a.hbs: permission denied (EACCES)`,
    ];
    if (process.geteuid?.() === 0)
      assert.deepEqual(
        said.slice(0, -2),
        expected.map((line) => scandir + line),
      );
    else assert.ok(said.includes(`${scandir}${expected[1]}`));
  });

  test('a user whom we may not become', (t) => {
    const scandir = scandirOf(t, { 'web/run': SLEEPER, 'web/user': 'root' });
    chmodSync(join(scandir, '..'), 0o755);
    const { code, stdout } = supervise(['lint', scandir], { unprivileged: true });
    assert.equal(code, 1);
    const uid = process.geteuid?.() === 0 ? 65_534 : process.geteuid?.();
    assert.equal(
      stdout,
      [
        `${scandir}/web/user: error: cannot use ${scandir}/web/user: cannot run as "root": supervise runs as uid ${uid}`,
        '  hint: run supervise as root with CAP_SETUID and CAP_SETGID, or remove the file',
        '1 error in 1 service',
        '',
      ].join('\n'),
    );
  });

  test('names that would command a terminal are shown, not obeyed', (t) => {
    const scandir = scandirOf(t, { 'web/run': SLEEPER, 'web/\x1b[2J\n': '' });
    const { stdout } = supervise(['lint', scandir]);
    assert.ok(stdout.includes('web/\\u001b[2J\\n'), stdout);
    assert.ok(!stdout.includes('\x1b'));
  });

  test('nothing is started and nothing is written', (t) => {
    const marked = '#!/bin/sh\ntouch "$0.was-here"\n';
    const scandir = scandirOf(t, {
      'web/run': marked,
      'web/finish': marked,
      'web/check': marked,
      'web/health': marked,
      'web/templates/a.hbs': '{{!-- dest: made/of/a --}}{{key "a"}}',
      '.supervise/crash': marked,
      '.supervise/finish': marked,
      '.supervise/kv.json': '{"kv": {"a": 1}}',
    });
    const before = snapshot(scandir);
    supervise(['lint', scandir]);
    assert.deepEqual(snapshot(scandir), before);
  });

  test('the sample of the README has nothing to complain about', (t) => {
    const scandir = join(tempDir(t), 'services.d');
    cpSync(SAMPLE, scandir, { recursive: true });
    assert.deepEqual(supervise(['lint', scandir]), { code: 0, stdout: 'ok: 1 service\n', stderr: '' });
  });

  test('nor has a tree laid out for s6; what s6 alone knows is told', (t) => {
    const files: Files = {
      '.s6-svscan/crash': '#!/bin/sh\n',
      '.s6-svscan/finish': '#!/bin/sh\n',
      'app/run': '#!/bin/sh\nexec 2>&1\nexec sleep 1000\n',
      'app/finish': '#!/bin/sh\n',
      'app/notification-fd': '3',
      'app/timeout-kill': '5000',
      'app/timeout-finish': '0',
      'app/data/x': '',
      'consul-template/run': '#!/bin/sh\nexec sleep 1000\n',
      'consul-template/finish': '#!/bin/sh\n',
    };
    assert.equal(supervise(['lint', scandirOf(t, files)]).stdout, 'ok: 2 services\n');
    const more = scandirOf(t, {
      ...files,
      'app/max-death-tally': '10',
      'app/lock-fd': '4',
      'app/supervise/status': '',
      'app/event/x': '',
    });
    const { code, stdout } = supervise(['lint', more]);
    assert.equal(code, 1);
    assert.deepEqual(
      stdout
        .split('\n')
        .filter((line) => line.includes(': warning: '))
        .map((line) => line.slice(more.length, line.indexOf(': '))),
      ['/app/event', '/app/lock-fd', '/app/max-death-tally', '/app/supervise'],
    );
    assert.match(stdout, /\n4 warnings in 2 services\n$/);
  });
});

describe('init', () => {
  test('writes the sample, which lints clean and runs', async (t) => {
    const cwd = tempDir(t);
    const { code, stdout, stderr } = supervise(['init'], { cwd });
    assert.equal(code, 0);
    assert.equal(stderr, '');
    assert.match(stdout, /^wrote \d+ files to \.\/services\.d: /);
    const scandir = join(cwd, 'services.d');
    const files = (directory: string): string[] =>
      readdirSync(directory, { recursive: true, encoding: 'utf8' })
        .filter((path) => statSync(join(directory, path)).isFile() && !path.includes('/data/'))
        .sort();
    assert.deepEqual(files(scandir), files(SAMPLE));
    for (const path of files(SAMPLE)) {
      assert.equal(readFileSync(join(scandir, path), 'utf8'), readFileSync(join(SAMPLE, path), 'utf8'), path);
      assert.equal(
        statSync(join(scandir, path)).mode & 0o100,
        statSync(join(SAMPLE, path)).mode & 0o100,
        path,
      );
    }
    assert.equal(supervise(['lint'], { cwd }).stdout, 'ok: 1 service\n');

    const tree = startBundle(t, [scandir]);
    await until('a greeting', () => tree.stdout.includes('app: hello from .supervise/kv.json\n'));
    writeFileSync(join(scandir, '.supervise/kv.json'), '{"kv": {"app/greeting": "changed"}}');
    await until('the new greeting', () => tree.stdout.includes('app: changed\n'));
    tree.signal('SIGTERM');
    assert.equal((await tree.ended).code, 0);
  });

  test('for any user, in any directory that is theirs, and in one that is there and empty', (t) => {
    const cwd = tempDir(t);
    chmodSync(cwd, 0o777);
    assert.equal(supervise(['init', 'deep/er/services'], { cwd, unprivileged: true }).code, 0);
    assert.equal(supervise(['lint', 'deep/er/services'], { cwd, unprivileged: true }).code, 0);
    mkdirSync(join(cwd, 'empty'));
    chmodSync(join(cwd, 'empty'), 0o777);
    assert.equal(supervise(['init', 'empty'], { cwd, unprivileged: true }).code, 0);
  });

  test('never overwrites: what is there is refused with 100, and stays as it is', (t) => {
    const cwd = tempDir(t);
    for (const [name, files] of Object.entries({
      full: { 'services.d/x': 'mine' },
      hidden: { 'services.d/.x': '' },
    })) {
      const directory = join(cwd, name);
      writeFiles(directory, files as Files);
      const before = snapshot(directory);
      assert.deepEqual(supervise(['init'], { cwd: directory }), {
        code: 100,
        stdout: '',
        stderr:
          'supervise: cannot init ./services.d: it is not empty\n  hint: name another directory (supervise init DIR); nothing there is ever overwritten\n',
      });
      assert.deepEqual(snapshot(directory), before);
    }
    writeFileSync(join(cwd, 'file'), 'mine');
    const file = supervise(['init', 'file'], { cwd });
    assert.equal(file.code, 100);
    assert.match(
      file.stderr,
      /^supervise: cannot init file: a part of the path is not a directory \(ENOTDIR\)\n/,
    );
    assert.equal(readFileSync(join(cwd, 'file'), 'utf8'), 'mine');
  });

  test('where it may not write: told, and nothing is left', (t) => {
    const cwd = tempDir(t);
    mkdirSync(join(cwd, 'closed'));
    chmodSync(join(cwd, 'closed'), 0o555);
    chmodSync(cwd, 0o755);
    const { code, stderr } = supervise(['init', 'closed/a/b'], { cwd, unprivileged: true });
    assert.equal(code, 100);
    assert.match(stderr, /^supervise: cannot init closed\/a\/b: permission denied \(EACCES\)\n {2}hint: /);
    assert.deepEqual(readdirSync(join(cwd, 'closed')), []);
  });

  test('when the disk is full in the middle: nothing is left', (t) => {
    const cwd = tempDir(t);
    // A limit on the size of files stands in for the disk: the third file is longer than that.
    const { exitCode, stderr } = execaSync(
      '/bin/bash',
      ['-c', 'trap "" XFSZ; ulimit -f 0; exec "$@"', 'bash', NODE, BUNDLE, 'init', 'a/b'],
      { cwd, reject: false, stripFinalNewline: false },
    );
    assert.equal(exitCode, 111);
    assert.match(stderr, /^supervise: cannot init a\/b: EFBIG\n/);
    assert.deepEqual(readdirSync(cwd), []);
  });

  test('takes no more than a directory', () => {
    assert.equal(supervise(['init', 'a', 'b']).code, 100);
  });
});

test('a copy of the sample with each of its files broken in turn is complained about', (t) => {
  const files = readdirSync(SAMPLE, { recursive: true, encoding: 'utf8' }).filter(
    (path) => statSync(join(SAMPLE, path)).isFile() && !path.includes('/data/'),
  );
  for (const [i, file] of files.entries()) {
    const scandir = join(tempDir(t), String(i));
    cpSync(SAMPLE, scandir, { recursive: true });
    writeFileSync(join(scandir, file), '{{');
    const { code, stdout } = supervise(['lint', scandir]);
    assert.equal(code, 1, file);
    assert.match(stdout, /: error: cannot /, file);
  }
});
