/** The templater alone, as consul-template's users run it. */
import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ConsulAgent, startConsul } from '../consul.ts';
import { tempDir, until } from '../tree.ts';
import { contentOf, exists, kv, living, runLone, startLone } from './lone.ts';

const A = { 'a.hbs': 'a={{key "a"}}\n' };
const B = { 'b.hbs': 'b={{key "b"}}\n' };
const DONE = { code: 0, signal: null };

describe('-template in:out[:command]', () => {
  test('-once writes, runs the command of what has changed, and ends with 0', async (t) => {
    const args = ['-once', '-template', 'a.hbs:out/a:echo ran: $(cat out/a)'];
    const run = await runLone(t, { ...A, ...kv({ a: '1' }) }, args);
    assert.deepEqual(run.exit, DONE);
    assert.equal(run.file('out/a'), 'a=1\n');
    assert.equal(run.stdout, 'ran: a=1\n');
    const again = await runLone(t, {}, args, { directory: run.directory });
    assert.deepEqual([again.exit, again.stdout], [DONE, ''], 'nothing has changed');
  });

  test('each template stands alone, changes are followed, equal commands run once a pass', async (t) => {
    const command = 'echo x >> ran';
    const run = startLone(t, { ...A, ...B, 'c.hbs': '{{key "c"}}', ...kv({ a: '1', b: '1' }) }, [
      ...['-template', `a.hbs:out/a:${command}`, '-template', `b.hbs:out/b:${command}`],
      ...['-template', 'c.hbs:out/c:echo c >> ran'],
    ]);
    await run.event('ran');
    assert.deepEqual([run.file('out/a'), run.file('out/b'), run.file('ran')], ['a=1\n', 'b=1\n', 'x\n']);
    run.write(kv({ a: '2', b: '2' }));
    await run.until('ran', 'x\nx\n');
    run.write(kv({ a: '2', b: '2', c: 'C' }));
    await run.until('ran', 'x\nx\nc\n');
    assert.equal(run.file('out/c'), 'C');
    run.signal('SIGTERM');
    assert.deepEqual(await run.ended, DONE);
  });

  test('its check runs where we were started', async (t) => {
    const files = { 'sub/a.hbs': '{{!--\ncheck: test -e kv.json\n--}}\na={{key "a"}}\n', ...kv({ a: '1' }) };
    const run = await runLone(t, files, ['-once', '-template', 'sub/a.hbs:out/a']);
    assert.deepEqual(run.exit, DONE);
    assert.equal(run.file('out/a'), 'a=1\n');
  });

  test('a command that fails is a warning; what is right stays written', async (t) => {
    const run = await runLone(t, { ...A, ...kv({ a: '1' }) }, ['-once', '-template', 'a.hbs:out/a:exit 3']);
    assert.deepEqual(run.exit, DONE);
    const { level, command, end } = await run.event('command failed');
    assert.deepEqual([level, command, end], ['warn', 'exit 3', 'exit 3']);
  });

  test('a command that hangs holds nothing up, and ends with us', async (t) => {
    const run = startLone(t, { ...A, ...kv({ a: '1' }) }, [
      '-template',
      'a.hbs:out/a:echo $$ > pid; trap "" TERM; sleep 4321; sleep 4321',
    ]);
    await until('the command', () => run.file('pid').endsWith('\n'));
    run.write(kv({ a: '2' }));
    await run.until('out/a', 'a=2\n');
    run.signal('SIGTERM');
    assert.deepEqual(await run.ended, DONE);
    assert.deepEqual(living(/^sleep 4321/), []);
  });

  test('settings in the template hold, but for its destination; another comment is only a comment', async (t) => {
    const files = {
      'a.hbs':
        '{{!--\ndest: ${NOT_SET}\nmode: 0600\non-change: run echo from the settings\n--}}\n{{key "a"}}',
      'b.hbs': '{{! written by hand }}{{key "a"}}',
      ...kv({ a: '1' }),
    };
    const run = await runLone(t, files, ['-once', '-template', 'a.hbs:out/a', '-template', 'b.hbs:out/b']);
    assert.deepEqual([run.exit, run.file('out/a'), run.file('out/b')], [DONE, '1', '1']);
    assert.equal(statSync(join(run.directory, 'out/a')).mode & 0o777, 0o600);
    assert.equal(run.stdout, 'from the settings\n');
  });

  test('a changed template is rendered by itself, and at SIGHUP; partials are those beside it', async (t) => {
    const run = startLone(t, { 'x/a.hbs': '{{> head}}1', 'x/partials/head.hbs': 'H', ...kv({}) }, [
      '-template',
      'x/a.hbs:out/a',
    ]);
    await run.until('out/a', 'H1');
    run.write({ 'x/a.hbs': '{{> head}}2' });
    await run.until('out/a', 'H2');
    run.write({ 'x/partials/head.hbs': 'h' });
    await run.until('out/a', 'h2');
    run.signal('SIGHUP');
    run.write({ 'x/a.hbs': '{{> head}}3' });
    await run.until('out/a', 'h3');
  });

  test('one template may be written to two places, but not two to one', async (t) => {
    const run = await runLone(t, { ...A, ...kv({ a: '1' }) }, [
      '-once',
      '-template',
      'a.hbs:out/a',
      '-template',
      'a.hbs:out/b',
    ]);
    assert.deepEqual([run.exit, run.file('out/a'), run.file('out/b')], [DONE, 'a=1\n', 'a=1\n']);
    const bad = await runLone(t, { ...A, ...B, ...kv({ a: '1' }) }, [
      '-once',
      '-template',
      'a.hbs:out/a',
      '-template',
      'b.hbs:out/a',
    ]);
    assert.equal(bad.exit.code, 100);
    assert.match(String((await bad.event('refused template'))['cause']), /b.hbs: a.hbs already writes/);
  });

  test("a template of consul-template's own is turned as it is read", async (t) => {
    const files = {
      'a.ctmpl': '{{ range ls "p" }}\n{{ .Key }}={{ .Value | toUpper }}\n{{ end }}',
      ...kv({ p: { x: 'y' } }),
    };
    const run = await runLone(t, files, ['-once', '-template', 'a.ctmpl:out/a']);
    assert.deepEqual([run.exit, run.file('out/a')], [DONE, '\nx=Y\n']);
    const bad = await runLone(t, { 'a.ctmpl': 'x\n{{ secret "a" }}', ...kv({}) }, [
      '-once',
      '-template',
      'a.ctmpl:out/a',
    ]);
    assert.equal(bad.exit.code, 100);
    assert.equal(
      (await bad.event('refused template'))['cause'],
      'cannot read a.ctmpl: line 2, column 4: secret is not carried over',
    );
  });
});

test('-pid-file is there while we run', async (t) => {
  const run = startLone(t, { ...A, ...kv({ a: '1' }) }, ['-pid-file', 'pid', '-template', 'a.hbs:out/a']);
  await run.until('out/a', 'a=1\n');
  assert.equal(run.file('pid'), `${run.pid}\n`);
  run.signal('SIGINT');
  assert.deepEqual(await run.ended, DONE);
  assert.ok(!exists(run, 'pid'));
  const bad = await runLone(t, { ...A, ...kv({}) }, ['-pid-file', 'no/where', '-template', 'a.hbs:out/a']);
  assert.equal(bad.exit.code, 111);
  assert.match(bad.noise, /cannot write no\/where: no such file/);
});

describe('-dry', () => {
  test('prints, writes nothing, runs nothing; with -once it ends', async (t) => {
    const run = await runLone(t, { ...A, ...B, ...kv({ a: '1', b: '2' }) }, [
      ...[
        '-dry',
        '-once',
        '-template',
        'a.hbs:out/a:touch ran',
        '-template',
        'b.hbs:out/b',
        '-exec',
        'touch ran',
      ],
    ]);
    assert.deepEqual(run.exit, DONE);
    assert.equal(
      run.stdout,
      `> ${join(run.directory, 'out/a')}\na=1\n> ${join(run.directory, 'out/b')}\nb=2\n`,
    );
    assert.deepEqual(readdirSync(run.directory).sort(), ['a.hbs', 'b.hbs', 'kv.json']);
  });

  test('goes on watching, and prints what has changed', async (t) => {
    const run = startLone(t, { 'a.hbs': '{{key "a"}}', ...kv({ a: '1' }) }, [
      '-dry',
      '-template',
      'a.hbs:out/a',
    ]);
    const head = `> ${join(run.directory, 'out/a')}\n`;
    await until('the first', () => run.stdout === `${head}1\n`);
    run.write(kv({ a: '2' }));
    await until('the second', () => run.stdout === `${head}1\n${head}2\n`);
  });
});

describe('--diff', () => {
  const args = ['--diff', '-template', 'a.hbs:out/a'];

  test('0: nothing would change; 1: what would, as a unified diff; nothing is written', async (t) => {
    const files = { 'a.hbs': 'one\n{{key "a"}}\nthree\n', 'out/a': 'one\ntwo\nthree\n', ...kv({ a: 'two' }) };
    const same = await runLone(t, files, args);
    assert.deepEqual([same.exit.code, same.stdout], [0, '']);
    const { mtimeMs } = statSync(join(same.directory, 'out/a'));
    const other = await runLone(t, kv({ a: '2' }), args, { directory: same.directory });
    const dest = join(same.directory, 'out/a');
    assert.equal(other.exit.code, 1);
    assert.equal(other.stdout, `--- ${dest}\n+++ ${dest}\ta.hbs\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n`);
    assert.equal(statSync(dest).mtimeMs, mtimeMs);
    assert.deepEqual(readdirSync(join(same.directory, 'out')), ['a']);
  });

  test('a new file, another mode, a file that is no text', async (t) => {
    const files = { 'a.hbs': '{{!--\ndest: out/a\nmode: 0640\n--}}\n{{key "a"}}\n', ...kv({ a: 'x' }) };
    const fresh = await runLone(t, files, args);
    const dest = join(fresh.directory, 'out/a');
    assert.equal(fresh.stdout, `--- /dev/null\n+++ ${dest}\ta.hbs\n@@ -0,0 +1 @@\n+x\n`);
    assert.deepEqual([fresh.exit.code, exists(fresh, 'out')], [1, false]);
    fresh.write({ 'out/a': 'x\n' });
    chmodSync(dest, 0o644);
    const mode = await runLone(t, {}, args, { directory: fresh.directory });
    assert.equal(mode.stdout, `--- ${dest}\n+++ ${dest}\ta.hbs\nold mode 0644\nnew mode 0640\n`);
    fresh.write({ 'out/a': '\0' });
    const binary = await runLone(t, {}, args, { directory: fresh.directory });
    assert.match(binary.stdout, /^Binary files differ$/m);
    assert.equal(binary.exit.code, 1);
  });

  test('100: a template is wrong or lacks a key; 111: the file cannot be read', async (t) => {
    const wrong = await runLone(t, { 'a.hbs': '{{#if}}', ...kv({}) }, args);
    assert.equal(wrong.exit.code, 100);
    const lacks = await runLone(t, { ...A, ...kv({}) }, args);
    assert.equal(lacks.exit.code, 100);
    assert.equal((await lacks.event('could not compare'))['lacks'], 'key "a"');
    const directory = await runLone(t, { ...A, 'out/a/b': '', ...kv({ a: '1' }) }, args);
    assert.equal(directory.exit.code, 111);
  });
});

describe('--explain', () => {
  test('tells what each template asks for and lacks; with --json for programs', async (t) => {
    const files = {
      ...A,
      'b.hbs': '{{key "b"}}{{#each (service "web")}}{{Port}}{{/each}}',
      ...kv({ a: '1' }),
    };
    const args = ['--explain', '-template', 'a.hbs:out/a', '-template', 'b.hbs:out/b'];
    const run = await runLone(t, files, args);
    assert.equal(run.exit.code, 1);
    const text = run.stdout.replaceAll(run.directory, 'DIR').replaceAll(/\d+ms ago/g, 'now');
    assert.deepEqual(
      text.split('\n').map((line) => line.replaceAll(/ +/g, ' ')),
      [
        'source: file DIR/kv.json',
        '',
        'a.hbs → DIR/out/a',
        ' QUERY INDEX CHANGED ANSWERED CONNECTION NEXT TRY',
        ' key "a" - now now own on a change',
        '',
        'b.hbs → DIR/out/b',
        ' lacks key "b"',
        ' QUERY INDEX CHANGED ANSWERED CONNECTION NEXT TRY',
        ' key "b" - now now own on a change',
        ' service "web" - now now own on a change',
        '',
      ],
    );
    assert.ok(!exists(run, 'out'));
    const json = await runLone(t, {}, [...args, '--json'], { directory: run.directory });
    const { source, templates } = JSON.parse(json.stdout) as {
      source: unknown;
      templates: { template: string; missing: string[]; queries: { query: string }[] }[];
    };
    assert.deepEqual(source, {
      name: `file ${join(run.directory, 'kv.json')}`,
      awaySince: null,
      cause: null,
    });
    assert.deepEqual(
      templates.map(({ template, missing, queries }) => [
        template,
        missing,
        queries.map(({ query }) => query),
      ]),
      [
        ['a.hbs', [], ['key "a"']],
        ['b.hbs', ['key "b"'], ['key "b"', 'service "web"']],
      ],
    );
  });

  test('0 when all is there', async (t) => {
    const good = await runLone(t, { ...A, ...kv({ a: '1' }) }, ['--explain', '-template', 'a.hbs:out/a']);
    assert.equal(good.exit.code, 0);
  });
});

describe('what takes five seconds', { concurrency: true }, () => {
  test('-once waits for a key that is missing, and names it after 5 s', async (t) => {
    const run = startLone(t, { ...A, ...kv({}) }, ['-once', '-template', 'a.hbs:out/a']);
    assert.equal((await run.event('still waiting'))['for'], 'key "a"');
    run.write(kv({ a: '1' }));
    assert.deepEqual(await run.ended, DONE);
    assert.equal(run.file('out/a'), 'a=1\n');
  });

  test('--diff of a source that is away is 111', async (t) => {
    const args = ['--diff', '-template', 'a.hbs:out/a'];
    const away = await runLone(t, A, args, { source: ['-consul-addr', '127.0.0.1:1'] });
    assert.equal(away.exit.code, 111);
  });

  test('--explain of a source that is away tells of the next try', async (t) => {
    const away = await runLone(t, A, ['--explain', '-template', 'a.hbs:out/a'], {
      source: ['-consul-addr', '127.0.0.1:1'],
    });
    assert.equal(away.exit.code, 1);
    assert.match(away.stdout, /^source: consul at 127.0.0.1:1, away for [\d.]+m?s: nobody listens there/);
    assert.match(away.stdout, /key "a" +- +never +never +\w+ +in [\d.]+m?s: nobody listens there/);
  });
});

describe('with a real Consul', () => {
  let consul: ConsulAgent;
  before(async () => {
    consul = await startConsul();
  });
  after(() => consul.stop());

  test('an outage ends nothing; --explain shows the index; --diff and -once read it', async (t) => {
    await consul.put('a', '1');
    const source = ['-consul-addr', consul.address, '-retry', '1s', '-dedup'];
    const run = startLone(t, A, ['-template', 'a.hbs:out/a:cat out/a'], { source });
    await run.until('out/a', 'a=1\n');
    assert.equal((await run.event('ignored option'))['option'], '-retry');
    const explained = await runLone(t, A, ['--explain', '-template', 'a.hbs:out/a'], { source });
    assert.equal(explained.exit.code, 0);
    assert.match(explained.stdout, /key "a" +\d+ +[\d.]+m?s ago +[\d.]+m?s ago +own +on a change/);
    const diff = await runLone(t, {}, ['--diff', '-template', 'a.hbs:out/a'], {
      source,
      directory: run.directory,
    });
    assert.deepEqual([diff.exit.code, diff.stdout], [0, '']);
    await consul.kill();
    await run.event('lost consul');
    await consul.restart();
    await consul.put('a', '2');
    await run.until('out/a', 'a=2\n');
    await until('both commands', () => run.stdout === 'a=1\na=2\n');
  });
});

test('-consul-token, -consul-token-file and -consul-auth reach Consul; the token reaches the commands and no log', async (t) => {
  const seen: Record<string, string | undefined>[] = [];
  const server = createServer((request, response) => {
    const { 'x-consul-token': token, authorization } = request.headers;
    seen.push({ token: token as string | undefined, authorization });
    response.setHeader('x-consul-index', '7').setHeader('x-consul-knownleader', 'true');
    if (request.url?.includes('index=7')) return; // A blocking query.
    response.end(
      JSON.stringify([
        {
          Key: 'a',
          Value: Buffer.from('1').toString('base64'),
          Flags: 0,
          CreateIndex: 1,
          ModifyIndex: 7,
          LockIndex: 0,
        },
      ]),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const source = ['-consul-addr', `127.0.0.1:${(server.address() as AddressInfo).port}`];
  const directory = tempDir(t);
  const args = ['-once', '-template', 'a.hbs:out/a:echo $CONSUL_HTTP_TOKEN'];
  const run = await runLone(t, A, [...args, '-consul-token', 'tok', '-consul-auth', 'u:p'], {
    source,
    env: { CONSUL_HTTP_TOKEN_FILE: '/none' },
  });
  assert.deepEqual([run.exit, run.stdout], [DONE, 'tok\n']);
  assert.deepEqual(seen[0], {
    token: 'tok',
    authorization: `Basic ${Buffer.from('u:p').toString('base64')}`,
  });
  assert.ok(!JSON.stringify(run.events).includes('tok'));
  seen.length = 0;
  const file = await runLone(
    t,
    { ...A, token: 'from-file\n' },
    ['-once', '-template', 'a.hbs:out/a', '-consul-token-file', join(directory, 'token')],
    { source, directory },
  );
  assert.deepEqual([file.exit, seen[0]?.['token']], [DONE, 'from-file']);
});

test('-h and -version, with one dash and two', async (t) => {
  for (const flag of ['-h', '-help', '--help']) {
    const { exit, stdout } = await runLone(t, {}, [flag]);
    assert.deepEqual([exit, stdout.startsWith('supervise template: renders')], [DONE, true], flag);
  }
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
    version: string;
  };
  for (const flag of ['-v', '-version', '--version'])
    assert.equal((await runLone(t, {}, [flag])).stdout, `supervise ${version}\n`, flag);
});

test('with nothing but -template it is Consul on this machine', async (t) => {
  const run = startLone(t, A, ['-template', 'a.hbs:out/a'], { source: [], env: { CONSUL_HTTP_TOKEN: 'x' } });
  const { consul } = await run.event('could not reach consul').catch(() => run.event('rendered'));
  if (consul !== undefined) assert.equal(consul, 'consul at 127.0.0.1:8500');
  assert.ok(contentOf(run, 'a.hbs'));
});
