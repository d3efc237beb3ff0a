/** Helpers of the user's own, from a JavaScript file. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { describe as words } from '../../src/errors.ts';
import { loadUserHelpers } from '../../src/templater/helpers/user.ts';
import { createLanguage } from '../../src/templater/language.ts';
import type { Language } from '../../src/templater/render.ts';
import { readTemplates } from '../../src/templater/templates.ts';
import { type Files, tempDir, writeFiles } from '../tree.ts';
import { hbs } from './template.ts';
import { error, refusal, run, SAMPLE_WORLD, text } from './world.ts';

/** The language with helpers from a file of this content, and what was said about it; paths in it are `DIR`. */
function withHelpers(t: TestContext, content: Files | string, name = 'helpers.js', renderTimeout = 150) {
  const directory = tempDir(t);
  writeFiles(directory, typeof content === 'string' ? { [name]: content } : content);
  const said: string[] = [];
  const file = join(directory, name);
  const language = createLanguage({ helpers: file, renderTimeout }, (refused) =>
    said.push(words(refused).replaceAll(directory, 'DIR')),
  );
  return { language, said };
}

const HINT =
  '\n  hint: it is to export functions: module.exports = { twice(value) { return value + value; } }';

test('CommonJS and ES modules, with what they import and Node’s own', (t) => {
  const cases: [string, Files][] = [
    ['helpers.js', { 'helpers.js': 'module.exports = { twice: (v) => v + v }' }],
    [
      'helpers.cjs',
      { 'helpers.cjs': 'exports.twice = require("./more.cjs")', 'more.cjs': 'module.exports = (v) => v + v' },
    ],
    [
      'helpers.mjs',
      {
        'helpers.mjs':
          'import { EOL } from "node:os"; export function twice(v) { return EOL.trim() ? 0 : v + v; }',
      },
    ],
    [
      'helpers.mjs',
      {
        'helpers.mjs': 'import twice from "./t.mjs"; export default { twice };',
        't.mjs': 'export default (v) => v + v',
      },
    ],
    ['helpers.js', { 'helpers.js': 'export const twice = (v) => v + v;' }],
  ];
  for (const [name, files] of cases) {
    const { language, said } = withHelpers(t, files, name);
    assert.deepEqual(said, []);
    assert.equal(
      text('{{twice (key "app/rate")}} {{#if (twice "a")}}{{twice 2}}{{/if}}', SAMPLE_WORLD, { language }),
      '55 4',
    );
  }
});

test('they are given the values, then the options, and may give lists and objects', (t) => {
  const { language } = withHelpers(
    t,
    `module.exports = {
      say: (a, b, { options }) => [a, b, JSON.stringify(options)].join('|'),
      nothing: ({ options }) => Object.keys(options).length,
      pairs: (list) => list.map((each, i) => ({ n: i, each })),
      self() { return typeof this; },
    }`,
  );
  const cases: [string, string][] = [
    ['{{say "x" 2 sep=(key "app/rate") deep=true}}', 'x|2|{"deep":true,"sep":"5"}'],
    ['{{nothing}}', '0'],
    ['{{#each (pairs (split "a,b" ","))}}{{n}}{{each}}{{this.each}};{{/each}}', '0aa;1bb;'],
    ['{{#each (pairs (service "web"))}}{{each.Node}} {{/each}}', 'n1 n2 '],
  ];
  for (const [source, expected] of cases)
    assert.equal(text(source, SAMPLE_WORLD, { language }), expected, source);
});

test('what is wrong with one of them is the mistake of the template that uses it', (t) => {
  const { language } = withHelpers(
    t,
    `module.exports = {
      loop2() { for (;;); },
      wrong() { throw new Error('no such luck\\nsecond line'); },
      late: async () => 'x',
      fn: () => () => 1,
      tag: () => ({ toString: () => 'x' }),
      nul: () => null,
      odd() { throw 'a string'; },
      field: (instance) => instance.Adress,
    }`,
  );
  const wrong = (source: string): string => error(source, SAMPLE_WORLD, { language });
  assert.equal(wrong('{{loop2}}'), 'it took longer than 150 ms');
  assert.equal(wrong('{{wrong}}'), 'wrong: no such luck');
  assert.equal(wrong('{{late}}'), 'late: expected a value, got a promise: helpers cannot wait');
  assert.equal(wrong('{{fn}}'), 'fn: expected a value, got a function');
  assert.match(wrong('{{tag}}'), /^an object is not text/);
  assert.equal(wrong('{{odd}}'), 'odd: a string');
  assert.match(
    wrong('{{field (index (service "web") 0)}}'),
    /^field: a service instance has no field "Adress"/,
  );
  assert.equal(text('{{nul}}.{{#if (nul)}}!{{/if}}', SAMPLE_WORLD, { language }), '.');
  assert.match(
    refusal('{{lop2 1}}', { language }),
    /^line 1: unknown helper "lop2" \(did you mean "loop2"\?\)$/,
  );
});

test('a file that cannot be loaded is said, and only templates that need it go without', (t) => {
  const cases: [string, string, string][] = [
    ['helpers.js', 'module.exports = {', 'line 1: Unexpected end of input'],
    ['helpers.js', '\nthrow new Error("not today")', 'line 2: not today'],
    ['helpers.js', 'module.exports = 5', 'expected it to export an object of functions, got a number'],
    ['helpers.js', '', 'expected it to export an object of functions, got none'],
    ['helpers.js', 'module.exports = { a: 5 }', 'expected a function under the name "a", got a number'],
    ['helpers.js', 'module.exports = { key: () => 1 }', 'a helper "key" is built in'],
    ['helpers.js', 'module.exports = { each: () => 1 }', 'a helper "each" is built in'],
    ['helpers.js', 'module.exports = { "a-b": () => 1 }', '"a-b" is no name for a helper'],
    ['helpers.js', 'require("no-such-package")', "Cannot find module 'no-such-package'"],
    ['helpers.mjs', 'await 1; export const a = () => 1;', 'an await outside of a function is not supported'],
    ['none.js', '', 'no such file'],
  ];
  for (const [name, content, cause] of cases) {
    const { language, said } = withHelpers(t, name === 'none.js' ? {} : content, name);
    assert.equal(said.length, 1, content);
    assert.ok(said[0]?.startsWith(`cannot load the helpers of DIR/${name}: `), said[0]);
    assert.ok(said[0]?.includes(cause) && said[0]?.endsWith(HINT), said[0]);
    assert.equal(text('{{key "app/rate"}}', SAMPLE_WORLD, { language }), '5');
    assert.match(
      refusal('{{twice 1}}', { language }),
      /^line 1: unknown helper "twice" \(cannot load the helpers of /,
    );
  }
});

test('one that never comes to its end when it is loaded is cut short', (t) => {
  for (const name of ['helpers.cjs', 'helpers.mjs']) {
    const directory = tempDir(t);
    writeFiles(directory, { [name]: 'for (;;);' });
    assert.throws(
      () => loadUserHelpers(join(directory, name), [], 200),
      /^UserError: cannot load the helpers of .*\/helpers\.[cm]js: it took longer than 200 ms$/,
    );
  }
});

test('templates on disk are read in this language', async (t) => {
  const { language } = withHelpers(t, 'module.exports = { twice: (v) => v + v }');
  const scandir = tempDir(t);
  writeFiles(scandir, { 'app/templates/a.hbs': hbs({ dest: 'a' }, '{{twice (toYAML (key "app/rate"))}}') });
  const problem = async (language?: Language): Promise<string | undefined> =>
    (await readTemplates([scandir], {}, language)).templates[0]?.problem;
  assert.equal(await problem(language), undefined);
  assert.match((await problem()) ?? '', /unknown helper "twice"/);
  const [template] = (await readTemplates([scandir], {}, language)).templates;
  assert.equal(template?.compiled?.(SAMPLE_WORLD).text?.trim(), '"5""5"');
  assert.equal(run('{{1}}'.replace('1', 'len "a"')).text, '1');
});
