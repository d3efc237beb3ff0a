/** `supervise template convert` as it is run. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { execaSync } from 'execa';
import { BUNDLE, type Files, NODE, tempDir, writeFiles } from '../../tree.ts';

const CORPUS = join(import.meta.dirname, 'corpus');

function setUp(t: TestContext, files: Files) {
  const directory = writeFiles(tempDir(t), files);
  return {
    directory,
    convert(...args: string[]) {
      const options = { cwd: directory, reject: false, stripFinalNewline: false } as const;
      const { exitCode, stdout, stderr } = execaSync(NODE, [BUNDLE, 'template', 'convert', ...args], options);
      return { code: exitCode, stdout, stderr };
    },
    read: (name: string) => readFileSync(join(directory, name), 'utf8'),
    names: () => readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort(),
  };
}

const HEAD = (dest: string): string => `{{!--\ndest: ${dest}\n--}}\n`;

test('beside the template, with a destination that has to be named', (t) => {
  const { convert, read } = setUp(t, { 'etc/nginx.conf.ctmpl': '{{ key "a" | toUpper }}\n' });
  assert.deepEqual(convert('etc/nginx.conf.ctmpl'), {
    code: 0,
    stdout: 'etc/nginx.conf.ctmpl → etc/nginx.conf.hbs\n',
    stderr: '',
  });
  assert.equal(read('etc/nginx.conf.hbs'), `${HEAD('${NGINX_CONF}')}{{toUpper (key "a")}}\n`);
});

test('-template knows the destination, and the command', (t) => {
  const { convert } = setUp(t, { 'a.tpl': 'x' });
  assert.equal(convert('--stdout', '-template', 'a.tpl:/etc/a').stdout, `${HEAD('/etc/a')}x`);
  const { stdout } = convert('--stdout', '-template=a.tpl:/etc/a:nginx -s reload');
  assert.equal(stdout, '{{!--\ndest: /etc/a\non-change: run nginx -s reload\n--}}\nx');
});

test('-o names the directory, defined templates are partials in it', (t) => {
  const { convert, names, read } = setUp(t, {
    'a.ctmpl': '{{ define "p q" }}P{{ end }}{{ template "p q" }}',
    'b.ctmpl': '{{ define "p q" }}P{{ end }}b',
  });
  assert.equal(convert('a.ctmpl', 'b.ctmpl', '-o', 'new/dir').code, 0);
  assert.deepEqual(names(), [
    'a.ctmpl',
    'b.ctmpl',
    'new',
    'new/dir',
    'new/dir/a.hbs',
    'new/dir/b.hbs',
    'new/dir/partials',
    'new/dir/partials/p-q.hbs',
  ]);
  assert.equal(read('new/dir/partials/p-q.hbs'), 'P');
});

test('two that differ never share a file', (t) => {
  const { convert, names } = setUp(t, {
    'a.ctmpl': '{{ define "p" }}1{{ end }}',
    'b.ctmpl': '{{ define "p" }}2{{ end }}',
  });
  const { code, stderr } = convert('a.ctmpl', 'b.ctmpl');
  assert.equal(code, 100);
  assert.equal(
    stderr,
    'supervise: cannot convert: a.ctmpl and b.ctmpl would both be written to partials/p.hbs\n' +
      '  hint: convert one of them into another directory (--output DIR), or rename what it defines\n',
  );
  assert.deepEqual(names(), ['a.ctmpl', 'b.ctmpl']);
});

test('a file that is there is only replaced with --force; all or nothing is written', (t) => {
  const { convert, names, read } = setUp(t, { 'a.ctmpl': 'new', 'b.ctmpl': 'b', 'b.hbs': 'mine' });
  const { code, stderr } = convert('a.ctmpl', 'b.ctmpl');
  assert.equal(code, 100);
  assert.match(
    stderr,
    /^supervise: cannot convert: b.hbs is there already\n {2}hint: replace it with --force/,
  );
  assert.deepEqual(names(), ['a.ctmpl', 'b.ctmpl', 'b.hbs']);
  assert.equal(convert('a.ctmpl', 'b.ctmpl', '--force').code, 0);
  assert.equal(read('b.hbs'), `${HEAD('${B}')}b`);
  assert.deepEqual(
    convert('a.ctmpl', 'b.ctmpl'),
    { code: 0, stdout: '', stderr: '' },
    'the same again is no replacement',
  );
});

test('what is left is named, the rest is turned, and the exit code is 1', (t) => {
  const { convert, read } = setUp(t, {
    'a.ctmpl': '{{ key "a" }}\n{{ secret "b" }}\n',
    'bad.ctmpl': '{{ if }}',
  });
  const { code, stderr } = convert('a.ctmpl', 'bad.ctmpl');
  assert.equal(code, 1);
  assert.equal(
    stderr,
    'a.ctmpl:2:4: secret is not carried over\n  hint: secrets of Vault are not read: leave that file to Vault Agent\n' +
      'bad.ctmpl:1:7: an empty {{if}}\n  hint: Go does not read this either\n',
  );
  assert.equal(read('a.hbs'), `${HEAD('${A}')}{{key "a"}}\n{{by-hand "secret"}}\n`);
});

test('wrong usage is 100, a file that cannot be read 111', (t) => {
  const { convert } = setUp(t, { 'a.ctmpl': 'x' });
  const cases: [string[], number, RegExp][] = [
    [[], 100, /expected a template to convert, got none/],
    [['--loud', 'a.ctmpl'], 100, /Unknown option '--loud'/],
    [['--stdout', '-o', 'x', 'a.ctmpl'], 100, /--stdout and --output exclude each other/],
    [['none.ctmpl'], 111, /cannot read none.ctmpl: no such file or directory \(ENOENT\)/],
    [['-o', 'a.ctmpl/x', 'a.ctmpl'], 111, /cannot write a.ctmpl\/x\/a.hbs: /],
  ];
  for (const [args, code, message] of cases) {
    const run = convert(...args);
    assert.equal(run.code, code, run.stderr);
    assert.match(run.stderr, message);
  }
  assert.match(convert('-h').stdout, /^supervise template convert: turns Go templates/);
});

test('the whole corpus: converted, rendered by one templater, the bytes that Go makes of it', (t) => {
  const { convert, directory, read } = setUp(t, {});
  const names = readdirSync(CORPUS).flatMap((name) =>
    name.endsWith('.ctmpl') ? [name.slice(0, -'.ctmpl'.length)] : [],
  );
  const templates = names.flatMap((name) => [
    '-template',
    `${join(CORPUS, name)}.ctmpl:${directory}/out/${name}`,
  ]);
  assert.deepEqual(convert('-o', 'hbs', ...templates).stderr, '');
  const { exitCode, stderr } = execaSync(
    NODE,
    [
      ...[BUNDLE, 'template', '-once', '--source', `file:${import.meta.dirname}/data.json`],
      ...names.flatMap((name) => ['-template', `hbs/${name}.hbs`]),
    ],
    { cwd: directory, env: { APP_ENV: 'prod', APP_PORT: '8080' }, reject: false },
  );
  assert.equal(exitCode, 0, stderr);
  for (const name of names)
    assert.equal(read(`out/${name}`), readFileSync(join(CORPUS, `${name}.out`), 'utf8'), name);
});
