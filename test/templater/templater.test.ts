/* biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is what templates are written with */
/** `supervise template` on a source file, as a tree runs it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDir, until, writeFiles } from '../tree.ts';
import { hbs, startTemplater } from './template.ts';

const ENV = { SUPERVISE_SOURCE: 'file:kv.json' };
const IS_ROOT = process.getuid?.() === 0;

function kv(values: Record<string, unknown>): Record<string, string> {
  return { 'kv.json': JSON.stringify({ kv: values }) };
}

/** A template of a service that prints one key to `out/<name>`. */
function prints(key: string, name = key, more: Record<string, string> = {}): string {
  return hbs({ dest: `\${OUT}/${name}`, ...more }, `{{key "${key}"}}`);
}

test('values become files, changes become reports, one service after the other', async (t) => {
  const run = startTemplater(
    t,
    {
      ...kv({ a: '1', b: '2' }),
      'one/templates/a.hbs': prints('a'),
      'two/templates/b.hbs': prints('b', 'b', { 'on-change': 'none' }),
    },
    { env: ENV },
  );
  await run.file('out/a', '1');
  await run.file('out/b', '2');
  const two = await run.report('rendered', 1, 'two');
  assert.deepEqual(
    two.files.map(({ onChange }) => onChange),
    ['none'],
  );
  run.write(kv({ a: '1', b: '3' }));
  await run.file('out/b', '3');
  await run.report('rendered', 2, 'two');
  assert.equal(run.count('rendered', 'one'), 1, 'only what is affected is reported');
  assert.equal((await run.report('source')).name, `file ${join(run.directory, 'kv.json')}`);
});

test('what is missing is reported by name, and rendered when it comes', async (t) => {
  const run = startTemplater(t, { ...kv({}), 'app/templates/a.hbs': prints('app/rate', 'a') }, { env: ENV });
  await until('the missing key', () =>
    run.reports.some((each) => each.type === 'waiting' && each.missing[0] === 'key "app/rate"'),
  );
  run.write(kv({ app: { rate: '5' } }));
  await run.file('out/a', '5');
  await run.report('rendered');
  assert.equal(run.noise(), '');
});

test('several files of one service are reported together, and only when all are in place', async (t) => {
  const run = startTemplater(
    t,
    { ...kv({ a: '1' }), 'app/templates/a.hbs': prints('a'), 'app/templates/b.hbs': prints('b') },
    { env: ENV },
  );
  await run.file('out/a', '1');
  assert.equal(run.count('rendered'), 0);
  run.write(kv({ a: '1', b: '2' }));
  assert.deepEqual(
    (await run.report('rendered')).files.map(({ dest }) => dest),
    [join(run.directory, 'out/a'), join(run.directory, 'out/b')],
  );
});

test('a source file that is broken or gone keeps the last values, is told once, and mends by itself', async (t) => {
  const run = startTemplater(t, { ...kv({ a: '1' }), 'app/templates/a.hbs': prints('a') }, { env: ENV });
  await run.file('out/a', '1');
  run.write({ 'kv.json': '{\n "kv": {,}\n}' });
  const lost = await run.event('lost file');
  assert.match(String(lost['cause']), /^cannot read .*kv.json: .*line 2/);
  run.write({ 'kv.json': '{\n "kv": {,} \n}' });
  run.write(kv({ a: '2' }));
  await run.file('out/a', '2');
  await run.event('reached file');
  rmSync(join(run.directory, 'kv.json'));
  assert.match(String((await run.event('lost file', 2))['cause']), /no such file/);
  // As an editor does: another file takes the name.
  run.write({ 'kv.new': kv({ a: '3' })['kv.json'] ?? '' });
  renameSync(join(run.directory, 'kv.new'), join(run.directory, 'kv.json'));
  await run.file('out/a', '3');
  assert.deepEqual(
    run.reports.flatMap((each) => (each.type === 'source' ? [each.awaySince === null] : [])),
    [true, false, true, false, true],
  );
});

test('a source file that is not there yet is waited for, also where its directory is not', async (t) => {
  const run = startTemplater(
    t,
    { 'app/templates/a.hbs': prints('a') },
    { env: { SUPERVISE_SOURCE: 'file:later/kv.yaml' } },
  );
  await run.event('lost file');
  assert.notEqual((await run.report('source')).awaySince, null);
  run.write({ 'later/kv.yaml': 'kv:\n  a: 1.10\n' });
  await run.file('out/a', '1.10');
});

test('the source, a file and a template behind links are followed when one of the links leads elsewhere', async (t) => {
  const release = (n: number): Record<string, string> => ({
    [`rel/${n}/kv.json`]: JSON.stringify({ kv: { v: `kv${n}` } }),
    [`rel/${n}/file`]: `file${n}`,
    [`rel/${n}/b.hbs`]: hbs({ dest: '${OUT}/b' }, `b${n} {{key "v"}}{{> part}}`),
    [`rel/${n}/part.hbs`]: `, part${n}`,
  });
  const directory = tempDir(t);
  const lead = (target: string): void => {
    symlinkSync(target, join(directory, 'new'));
    renameSync(join(directory, 'new'), join(directory, 'current'));
  };
  mkdirSync(join(directory, 'app/templates/partials'), { recursive: true });
  lead('rel/1');
  symlinkSync('current/kv.json', join(directory, 'kv.json'));
  symlinkSync('../../current/b.hbs', join(directory, 'app/templates/b.hbs'));
  symlinkSync('../../../current/part.hbs', join(directory, 'app/templates/partials/part.hbs'));
  const a = hbs({ dest: '${OUT}/a' }, '{{key "v"}} {{file "../current/file"}}');
  const files = { ...release(1), ...release(2), 'app/templates/a.hbs': a };
  const run = startTemplater(t, files, { args: ['--source', 'file:kv.json'], directory });
  const rendered = async (text: string, b: string): Promise<void> => {
    await run.file('out/a', text);
    await run.file('out/b', b);
  };
  await rendered('kv1 file1', 'b1 kv1, part1');
  lead('rel/2');
  await rendered('kv2 file2', 'b2 kv2, part2');
  run.write({ 'rel/2/kv.json': '{"kv":{"v":"kv3"}}', 'rel/2/part.hbs': ', part3' });
  await rendered('kv3 file2', 'b2 kv3, part3');
});

test('a rescan reads what is in files again, also what no watch has seen', async (t) => {
  const directory = tempDir(t);
  const values = (text: string): Record<string, string> => ({
    'far/deep/kv.json': JSON.stringify({ kv: { v: text } }),
    'far/deep/file': text,
  });
  const a = hbs({ dest: '${OUT}/a' }, '{{key "v"}} {{file "../far/deep/file"}}');
  const run = startTemplater(
    t,
    { ...values('one'), 'app/templates/a.hbs': a },
    { args: ['--source', 'file:far/deep/kv.json'], directory },
  );
  await run.file('out/a', 'one one');
  // Of the directories on the way only links are watched.
  renameSync(join(directory, 'far'), join(directory, 'was'));
  run.write(values('two'));
  run.rescan();
  await run.file('out/a', 'two two');
  run.write(values('three'));
  await run.file('out/a', 'three three');
});

test('a key that is deleted keeps its last value, said once', async (t) => {
  const run = startTemplater(
    t,
    {
      ...kv({ a: '1', b: '1' }),
      'app/templates/a.hbs': hbs({ dest: '${OUT}/a' }, '{{key "a"}} {{key "b"}} {{keyExists "a"}}'),
    },
    { env: ENV },
  );
  await run.file('out/a', '1 1 true');
  run.write(kv({ b: '2' }));
  await run.file('out/a', '1 2 false');
  run.write(kv({ b: '3' }));
  await run.file('out/a', '1 3 false');
  assert.equal(run.events.filter(({ msg }) => msg === 'kept the last value').length, 1);
});

test('what is wrong with one template harms no other service, and is told once', async (t) => {
  const bad: Record<string, [string, RegExp]> = {
    syntax: [
      hbs({ dest: '${OUT}/x1' }, '{{#if (key "a")}}'),
      /cannot read .*syntax\/templates\/a.hbs: line 4: "\{\{#if" has no end/,
    ],
    helper: [
      hbs({ dest: '${OUT}/x2' }, '{{kye "a"}}'),
      /cannot read .*: line 4: unknown helper "kye" \(did you mean "key"\?\)/,
    ],
    setting: [
      hbs({ dest: '${OUT}/x3', mode: 'rw' }, ''),
      /cannot read .*: expected mode to be an octal mode such as 0640, got "rw"/,
    ],
    nodest: ['plain text', /cannot read .*: expected a first comment that names its destination, got none/],
    isdir: [hbs({ dest: '${OUT}' }, 'x'), /cannot write .*\/out: it is a directory \(EISDIR\)/],
    value: [
      hbs({ dest: '${OUT}/x4' }, '{{#each (tree "")}}{{Valeu}}{{/each}}'),
      /cannot render .*: a key has no field "Valeu" \(did you mean "Value"\?\)/,
    ],
    shared: [hbs({ dest: '${OUT}/good' }, 'x'), /cannot use .*: .*good\/templates\/a.hbs already writes/],
    owner: [
      hbs({ dest: '${OUT}/x5', owner: 'no-such-user' }, 'x'),
      /cannot write .*: cannot find the user "no-such-user"/,
    ],
  };
  const files = Object.fromEntries(
    Object.entries(bad).map(([name, [text]]) => [`${name}/templates/a.hbs`, text]),
  );
  const run = startTemplater(
    t,
    { ...files, ...kv({ a: '1' }), 'out/.keep': '', 'good/templates/a.hbs': prints('a', 'good') },
    { env: ENV },
  );
  await run.report('rendered', 1, 'good');
  for (const [service, [, message]] of Object.entries(bad)) {
    await until(`${service}: ${message}`, () =>
      run.reports.some(
        (each) =>
          each.type === 'waiting' &&
          each.service === service &&
          each.missing.some((words) => message.test(words)),
      ),
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${JSON.stringify(run.reports, null, 1)}`);
    });
  }
  run.write(kv({ a: '2' }));
  await run.report('rendered', 2, 'good');
  for (const service of Object.keys(bad)) {
    const said = run.events.filter((each) => String(each['template']).includes(`/${service}/`));
    assert.equal(said.length, 1, JSON.stringify(said));
    assert.equal(said[0]?.['level'], 'error');
  }
});

test('a destination that never ends, or never begins, harms no other service', async (t) => {
  const directory = tempDir(t);
  spawnSync('mkfifo', [join(directory, 'fifo')]);
  const run = startTemplater(
    t,
    {
      ...kv({ a: '1' }),
      'a-fifo/templates/a.hbs': hbs({ dest: join(directory, 'fifo') }, '{{key "a"}}'),
      'a-zero/templates/a.hbs': hbs({ dest: '/dev/zero' }, '{{key "a"}}'),
      'web/templates/a.hbs': prints('a'),
    },
    { env: ENV },
  );
  await run.file('out/a', '1');
  for (const service of ['a-fifo', 'a-zero'])
    await until('the cause', () =>
      run.reports.some(
        (each) =>
          each.type === 'waiting' &&
          each.service === service &&
          /^cannot write .*: it is not a regular file$/.test(each.missing[0] ?? ''),
      ),
    );
  run.write(kv({ a: '2' }));
  await run.file('out/a', '2');
});

test('a template is edited: taken at once; broken, the last file stays; mended, it goes on', async (t) => {
  const run = startTemplater(t, { ...kv({ a: '1' }), 'app/templates/a.hbs': prints('a') }, { env: ENV });
  await run.file('out/a', '1');
  run.write({ 'app/templates/a.hbs': hbs({ dest: '${OUT}/a' }, 'x{{key "a"}}') });
  await run.file('out/a', 'x1');
  run.write({ 'app/templates/a.hbs': hbs({ dest: '${OUT}/a' }, 'x{{key "a"') });
  await run.event('refused template');
  assert.equal(run.read('out/a'), 'x1');
  run.write({ 'app/templates/a.hbs': hbs({ dest: '${OUT}/a' }, 'y{{key "a"}}') });
  await run.file('out/a', 'y1');
  await run.event('mended');
  run.write(kv({ a: '2' }));
  await run.file('out/a', 'y2');
});

test('services come and go, and drift is repaired without a report', async (t) => {
  const files = { ...kv({ a: '1', b: '2' }), 'one/templates/a.hbs': prints('a', 'a', { mode: '0640' }) };
  const run = startTemplater(t, files, { env: ENV });
  await run.report('rendered');
  chmodSync(join(run.directory, 'out/a'), 0o666);
  run.write({ 'two/templates/b.hbs': prints('b'), 'three/templates/.keep': '' });
  run.kill('SIGHUP');
  await run.report('rendered', 1, 'two');
  assert.deepEqual((await run.report('rendered', 1, 'three')).files, []);
  assert.equal(statSync(join(run.directory, 'out/a')).mode & 0o777, 0o640);
  rmSync(join(run.directory, 'two'), { recursive: true });
  rmSync(join(run.directory, 'out/a'));
  run.kill('SIGHUP');
  await run.file('out/a', '1');
  run.write(kv({ a: '3', b: '9' }));
  await run.file('out/a', '3');
  await run.report('rendered', 2, 'one');
  assert.equal(run.count('rendered', 'one'), 2, 'only other content is told');
  assert.equal(run.read('out/b'), '2', 'what was rendered stays when its template is gone');
});

test('when the tree has it rescan, it is told everything again', async (t) => {
  // Elsewhere: the templater would make its directories again while they are being removed.
  const out = tempDir(t);
  const files = { ...kv({ a: '1' }), 'one/templates/a.hbs': prints('a'), 'two/templates/b.hbs': prints('b') };
  const run = startTemplater(t, files, { env: { ...ENV, OUT: out } });
  const first = await run.report('rendered');
  await until('the missing key', () => run.count('waiting', 'two') > 0);
  const before = run.count('waiting', 'two');
  run.rescan();
  assert.deepEqual(await run.report('rendered', 2), first);
  await until('the missing key again', () => run.count('waiting', 'two') > before);
  rmSync(run.directory, { recursive: true });
  run.rescan();
  await run.event('could not read templates');
  run.write({ ...files, ...kv({ a: '2' }) });
  run.rescan();
  await until('the new value', () => readFileSync(join(out, 'a'), 'utf8') === '2');
});

test('a destination that cannot be written is tried again by itself', async (t) => {
  const run = startTemplater(
    t,
    { ...kv({ a: '1' }), 'app/templates/a.hbs': prints('a', 'file/a'), 'out/file': 'in the way' },
    { env: ENV },
  );
  await run.event('could not write');
  assert.equal(run.count('rendered'), 0);
  rmSync(join(run.directory, 'out/file'));
  await run.file('out/file/a', '1');
  await run.report('rendered');
});

test('a directory that is not ours: the error names it, and what else may be written is', async (t) => {
  if (!IS_ROOT) {
    const run = startTemplater(
      t,
      { ...kv({}), 'app/templates/a.hbs': hbs({ dest: '/proc/nothing/here' }, 'x') },
      { env: ENV },
    );
    assert.match(
      String((await run.event('could not write'))['cause']),
      /^cannot write \/proc\/nothing\/here: /,
    );
    return;
  }
  const directory = tempDir(t);
  chmodSync(directory, 0o777);
  writeFiles(directory, { 'out/mine': 'old' });
  chmodSync(join(directory, 'out/mine'), 0o666);
  chmodSync(join(directory, 'out'), 0o755);
  const files = {
    ...kv({ a: '1' }),
    'app/templates/a.hbs': prints('a'),
    'own/templates/b.hbs': prints('a', 'mine'),
  };
  const run = startTemplater(t, files, {
    env: ENV,
    directory,
    prefix: ['setpriv', '--reuid=65534', '--clear-groups', '--'],
  });
  const failed = await run.event('could not write');
  assert.match(String(failed['cause']), /^cannot write .*\/out\/a: permission denied \(EACCES\)$/);
  assert.match(String(failed['hint']), /choose another dest/);
  await run.file('out/mine', '1');
});

test('SIGTERM, SIGINT and the death of the tree end it with 0, also while Consul does not answer', async (t) => {
  const files = { ...kv({}), 'app/templates/a.hbs': prints('a') };
  for (const [env, end] of [
    [ENV, 'SIGTERM'],
    [ENV, 'SIGINT'],
    [ENV, 'hang up'],
    [{ CONSUL_HTTP_ADDR: '127.0.0.1:1' }, 'SIGTERM'],
    [{ CONSUL_HTTP_ADDR: '127.0.0.1:1' }, 'hang up'],
  ] as const) {
    const run = startTemplater(t, files, { env });
    await run.report('source');
    if (end === 'hang up') run.hangUp();
    else run.kill(end);
    assert.equal(await run.ended, 0, end);
  }
});

test('with no source, a template that needs none is rendered; the other says what to do', async (t) => {
  const run = startTemplater(
    t,
    { 'env/templates/a.hbs': hbs({ dest: '${OUT}/e' }, '{{env "WHO"}}'), 'app/templates/a.hbs': prints('a') },
    { env: { WHO: 'me' } },
  );
  await run.file('out/e', 'me');
  const said = await run.event('found no source');
  assert.match(String(said['hint']), /CONSUL_HTTP_ADDR=.*SUPERVISE_SOURCE=file:/);
  await until('the reason', () =>
    run.reports.some(
      (each) =>
        each.type === 'waiting' && each.missing[0]?.startsWith('key "a": cannot find a source of values'),
    ),
  );
});

/** Runs the verb to its end, without a tree. */
function runAlone(directory: string, args: string[], env: Record<string, string> = {}) {
  const { status, stderr, stdout } = spawnSync(
    process.execPath,
    [join(import.meta.dirname, 'fixtures/template-main.ts'), ...args],
    {
      cwd: directory,
      env: { PATH: process.env['PATH'], OUT: join(directory, 'out'), ...env },
      encoding: 'utf8',
      timeout: 30_000,
    },
  );
  return { status, stderr, stdout };
}

test('--once: 0 when all is written, 100 for what is wrong, 111 for what cannot be written', (t) => {
  const directory = writeFiles(tempDir(t), {
    ...kv({ a: '1' }),
    'services.d/app/templates/a.hbs': prints('a'),
  });
  const source = ['--source', 'file:../kv.json'];
  assert.equal(runAlone(directory, ['--once', ...source]).status, 0);
  assert.equal(runAlone(directory, ['-once', '-source=file:../kv.json']).status, 0);
  writeFiles(directory, { 'services.d/.supervise/kv.json': '{"kv": {"a": "2"}}' });
  assert.equal(runAlone(directory, ['--once', '--services', 'services.d']).status, 0);
  assert.equal(readFileSync(join(directory, 'out/a'), 'utf8'), '2');
  writeFiles(directory, { 'services.d/bad/templates/b.hbs': '{{! dest: /x }}{{' });
  const bad = runAlone(directory, ['--once', ...source, '--log-format', 'text']);
  assert.equal(bad.status, 100);
  assert.match(bad.stderr, /error: templater: refused template .*line 1/);
  rmSync(join(directory, 'services.d/bad'), { recursive: true });
  rmSync(join(directory, 'out'), { recursive: true });
  mkdirSync(join(directory, 'out/a'), { recursive: true });
  assert.equal(runAlone(directory, ['--once', ...source]).status, 111);
});

test('of two services of one name the later directory’s templates count, and their checks run there', (t) => {
  const here = (name: string): string =>
    hbs({ dest: `../../out/${name}`, check: 'test -e here' }, '{{key "a"}}');
  const directory = writeFiles(tempDir(t), {
    'base/app/templates/a.hbs': here('a'),
    'base/other/templates/b.hbs': here('b'),
    'base/other/here': '',
    'base/.supervise/kv.json': '{"kv": {"a": "base"}}',
    'package/app/templates/c.hbs': here('c'),
    'package/app/here': '',
    'package/.supervise/kv.json': '{"kv": {"a": "package"}}',
  });
  const { status, stderr } = runAlone(directory, ['--once', '--services', 'base', '--services', 'package']);
  assert.equal(status, 0, stderr);
  assert.deepEqual(readdirSync(join(directory, 'out')).sort(), ['b', 'c']);
  assert.equal(readFileSync(join(directory, 'out/b'), 'utf8'), 'package');
});

test('a wrong command line is told and exits with 100', (t) => {
  const directory = writeFiles(tempDir(t), { 'services.d/app/templates/a.hbs': prints('a') });
  const cases: [string[], RegExp][] = [
    [
      ['--onec'],
      /^supervise: cannot run "template": no option is called "--onec"\n {2}hint: did you mean --once\?\n$/,
    ],
    [['--wait', 'soon'], /expected --wait to be two times such as 100ms:2s, the least first, got "soon"/],
    [['--wait', '2s:1s'], /the least first, got "2s:1s"/],
    [['--log-level', 'loud'], /expected --log-level to be one of debug, .* got "loud"/],
    [['extra'], /cannot run "template": /],
    [
      ['--source', 'etcd:x'],
      /cannot use the source "etcd:x": expected file:PATH, consul or consul:HOST:PORT/,
    ],
    [
      ['--consul-addr', 'http://'],
      /cannot use Consul's address: it is none\n {2}hint: CONSUL_HTTP_ADDR is host:port/,
    ],
    [[], /^supervise: cannot find a source of values: .*\n {2}hint: set CONSUL_HTTP_ADDR=/],
    [
      ['--services', 'nowhere', '--source', 'file:x'],
      /cannot read the services directory nowhere: no such file or directory \(ENOENT\)/,
    ],
  ];
  for (const [args, message] of cases) {
    const { status, stderr } = runAlone(directory, args);
    assert.match(stderr, message, args.join(' '));
    assert.equal(status, 100, args.join(' '));
  }
  const help = runAlone(directory, ['--help']);
  assert.equal(help.status, 0);
  assert.match(help.stdout, /--services DIR/);
  const unlinked = runAlone(directory, ['--source', 'file:x'], { SUPERVISE_LINK_FD: '77' });
  assert.match(unlinked.stderr, /cannot use SUPERVISE_LINK_FD=77: /);
  writeFileSync(join(directory, 'kv.json'), '{}');
});

test('alone, what is missing is named in the log after a while', async (t) => {
  const run = startTemplater(
    t,
    { ...kv({}), 'app/templates/a.hbs': prints('app/rate', 'a') },
    { env: { ...ENV, SUPERVISE_LINK_FD: '' } },
  );
  const said = await run.event('still waiting');
  assert.deepEqual([said['of'], said['for']], ['app', 'key "app/rate"']);
  run.kill('SIGINT');
  assert.equal(await run.ended, 0);
});
