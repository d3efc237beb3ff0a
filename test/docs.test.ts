/** docs/, held against what it tells of: the options, and trees that lint finds nothing wrong with. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { COMMANDS, envName, OPTIONS } from '../src/cli.ts';
import { BUNDLE, NODE, tempDir, writeFiles } from './tree.ts';

const DOCS = join(import.meta.dirname, '../docs');
/** Only root may become another user, which the examples ask for. */
const AS_ROOT = process.getuid?.() === 0 ? [] : ['unshare', '-r'];
const read = (name: string): string => readFileSync(join(DOCS, name), 'utf8');

test('images.md has every variable of an option of the tree, in a table that comes from the code', () => {
  const head = '| variable | default | meaning |\n| --- | --- | --- |\n';
  const rows = COMMANDS.run.options.map((name) => {
    const { default: otherwise, help } = OPTIONS[name];
    return `| \`${envName(name)}\` | ${otherwise} | ${help.replaceAll('|', '\\|')} |\n`;
  });
  const text = read('images.md');
  const [before = '', after = ''] = text.split(head);
  const rest = after.replace(/^(\|.*\n)*/, '');
  const expected = `${before}${head}${rows.join('')}${rest}`;
  if (process.env['UPDATE_DOCS']) writeFileSync(join(DOCS, 'images.md'), expected);
  else assert.equal(text, expected, 'UPDATE_DOCS=1 node --test test/docs.test.ts puts the table there');
});

describe('moving.md', () => {
  const sections = read('moving.md').split(/^## /m).slice(1);

  test('is about the four that people come from', () => {
    assert.deepEqual(
      sections.map((section) => section.split('\n', 1)[0]),
      ['From s6-overlay', 'From supervisord', 'From runit', 'From consul-template and dumb-init'],
    );
    for (const section of sections) assert.match(section, /^Before[\s\S]*^After/m);
  });

  for (const section of sections)
    test(`${section.split('\n', 1)[0]}: lint finds nothing wrong with the after`, (t) => {
      const blocks = section.matchAll(/^```\w* (services\.d\/\S+)\n([\s\S]*?)^```$/gm);
      const files = Object.fromEntries([...blocks].map(([, path = '', text = '']) => [path, text]));
      assert.ok(Object.keys(files).length > 3);
      const directory = tempDir(t);
      chmodSync(directory, 0o755);
      // svlogd: a program that a script of the example runs must be there.
      writeFiles(directory, { ...files, 'bin/svlogd': '#!/bin/sh\n' });
      const services = new Set(Object.keys(files).map((path) => path.split('/')[1])).size;
      const options = ['--stop-timeout', '30s', '--source', 'consul:127.0.0.1:8500'];
      const lint = [NODE, BUNDLE, 'lint', join(directory, 'services.d'), ...options];
      const [file = '', ...args] = [...AS_ROOT, ...lint];
      const { status, stdout, stderr } = spawnSync(file, args, {
        encoding: 'utf8',
        env: { PATH: `${directory}/bin:/usr/bin:/bin` },
      });
      assert.equal(stdout, `ok: ${services} service${services === 1 ? '' : 's'}\n`, stderr);
      assert.equal(status, 0);
    });
});

test('what security.md says is held by tests that are there, and of the packages that are bundled', () => {
  const text = read('security.md');
  const named = [...text.matchAll(/`((?:test|src)\/[\w./-]+\.\w+)`/g)].map(([, path = '']) => path);
  assert.ok(named.length > 5);
  for (const path of named) assert.ok(existsSync(join(dirname(DOCS), path)), path);
  const bill = JSON.parse(readFileSync(join(dirname(BUNDLE), 'supervise.cdx.json'), 'utf8')) as {
    components: { name: string }[];
  };
  const [, table = ''] = text.split('| package | where |');
  for (const { name } of bill.components) assert.match(table, new RegExp(`[ ,|]${name}[ ,]`), name);
});

test('what the pages name is there', () => {
  for (const name of readdirSync(DOCS).filter((file) => file.endsWith('.md'))) {
    for (const [, target = ''] of read(name).matchAll(/\]\((?!http)([^)#]+)\)/g))
      assert.ok(existsSync(join(DOCS, target)), `${name}: ${target}`);
    const scripts = JSON.parse(readFileSync(join(dirname(DOCS), 'package.json'), 'utf8')) as {
      scripts: object;
    };
    for (const [, script = ''] of read(name).matchAll(/npm run ([\w:]+)/g))
      assert.ok(Object.hasOwn(scripts.scripts, script), `${name}: npm run ${script}`);
  }
});
