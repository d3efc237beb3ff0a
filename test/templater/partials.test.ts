/** `templates/partials/*.hbs`, and templates as they are found on disk. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { readTemplates } from '../../src/templater/templates.ts';
import { tempDir, writeFiles } from '../tree.ts';
import { hbs, startTemplater } from './template.ts';
import { error, refusal, SAMPLE_WORLD, text } from './world.ts';

const partials = new Map<string, string | Error>([
  ['peer', '{{Node}}={{Address}}:{{Port}};'],
  ['weighted', '{{Node}} {{weight}}\n'],
  ['title', '[{{title}}]'],
  ['rate', 'rate {{key "app/rate"}}'],
  ['outer', '<{{> rate}}>'],
  ['loop', '{{> loop}}'],
  ['count', '{{#if (gt n 0)}}{{n}}{{> count n=(subtract n 1)}}{{/if}}'],
  ['named', '{{key}}{{service}}'],
  ['broken', '{{#if}}{{/if}}'],
  ['unparsed', 'a\n{{#each (ls "a")}}'],
  ['free', '{{rate}}'],
  ['unread', new Error('permission denied (EACCES)')],
  ['typo', '{{Adress}}'],
]);

test('a partial is a part of the template, in the place where it stands', () => {
  const cases: [string, string][] = [
    ['{{#each (service "web")}}{{> peer}}{{/each}}', 'n1=10.0.0.1:80;n2=10.0.0.2:8080;'],
    ['{{> peer (index (service "web") 0)}}', 'n1=10.0.0.1:80;'],
    ['{{> outer}} {{> "rate"}}', '<rate 5> rate 5'],
    ['{{> title title="a"}}{{> title title=(key "app/rate")}}', '[a][5]'],
    ['{{#each (service "web")}}{{> weighted weight=@index}}{{/each}}', 'n1 0\nn2 1\n'],
    ['  {{> weighted (index (service "web") 0) weight=1}}', '  n1 1\n'],
    ['{{> count n=3}}', '321'],
    ['{{> named key="k" service="s"}}', 'ks'],
  ];
  for (const [source, expected] of cases)
    assert.equal(text(source, SAMPLE_WORLD, { partials }), expected, source);
});

test('what is wrong in a partial is told where it is included, with its own line', () => {
  const cases: [string, RegExp][] = [
    ['{{> free}}', /^partial "free", line 1: nothing is called "rate" here/],
    ['{{> broken}}', /^partial "broken", line 1: #if takes 1 value, got 0/],
    ['{{> unparsed}}', /^partial "unparsed", line 2: "\{\{#each" has no end/],
    ['{{> unread}}', /^partial "unread": permission denied \(EACCES\)$/],
    ['a\n{{> none}}', /^line 2: no partial is called "none" \(expected templates\/partials\/none.hbs\)$/],
    ['{{> title titel="a"}}', /^partial "title", line 1: nothing is called "title" here/],
    ['{{> rate x=(kye "a")}}', /unknown helper "kye"/],
  ];
  for (const [source, message] of cases) assert.match(refusal(source, { partials }), message, source);
  const wrong = { partials };
  assert.match(
    error('{{#each (service "web")}}{{> typo}}{{/each}}', SAMPLE_WORLD, wrong),
    /has no field "Adress"/,
  );
  assert.match(
    error('{{#each (service "web")}}{{> typo weight=1}}{{/each}}', SAMPLE_WORLD, wrong),
    /^partial "typo" has no field "Adress" \(did you mean "Address"\?\)$/,
  );
});

test('one that includes itself has an end', () => {
  assert.match(
    error('{{> loop}}', SAMPLE_WORLD, { partials }),
    /^partial "loop" includes itself, and is now 50 deep$/,
  );
});

test('partials are read beside their templates, and are none themselves', async (t) => {
  const scandir = tempDir(t);
  writeFiles(scandir, {
    'app/templates/a.hbs': hbs({ dest: 'a' }, '{{> head}}'),
    'app/templates/b.hbs': hbs({ dest: 'b' }, '{{> none}}'),
    'app/templates/go.hbs': hbs({ dest: 'c' }, '{{range ls "a"}}{{.Key}}{{end}}'),
    'app/templates/partials/head.hbs': 'head',
    'app/templates/partials/.#head.hbs': '{{',
    'app/templates/partials/other.hbs': '{{#if',
    'other/templates/a.hbs': hbs({ dest: 'a' }, '{{> head}}'),
  });
  const found = await readTemplates([scandir], {});
  const app = join(scandir, 'app/templates');
  assert.deepEqual(found.directories.slice(0, 2), [app, join(app, 'partials')]);
  assert.deepEqual(
    found.templates.map(({ file, problem }) => [
      file.slice(scandir.length),
      problem?.slice(problem.indexOf(': ') + 2),
    ]),
    [
      ['/app/templates/a.hbs', undefined],
      ['/app/templates/b.hbs', 'line 4: no partial is called "none" (expected templates/partials/none.hbs)'],
      [
        '/app/templates/go.hbs',
        'line 4: {{range ls "a"}} is of Go\'s templates; here it is {{#each …}}…{{/each}}\n  hint: supervise template convert FILE turns templates of consul-template into ours',
      ],
      [
        '/other/templates/a.hbs',
        'line 4: no partial is called "head" (expected templates/partials/head.hbs)',
      ],
    ],
  );
});

test('a change of a partial renders the templates that include it; one that comes late is seen', async (t) => {
  const run = startTemplater(
    t,
    {
      'kv.json': '{"kv": {}}',
      'app/templates/a.hbs': hbs({ dest: '${OUT}/a' }, 'a {{> head}}'),
      'app/templates/b.hbs': hbs({ dest: '${OUT}/b' }, 'b'),
    },
    { args: ['--source', 'file:kv.json'] },
  );
  await run.event('refused template');
  run.write({ 'app/templates/partials/head.hbs': 'one' });
  await run.file('out/a', 'a one');
  run.write({ 'app/templates/partials/head.hbs': 'two' });
  await run.file('out/a', 'a two');
  run.write({ 'app/templates/partials/head.hbs': '{{#if' });
  await run.event('refused template', 2);
  assert.equal(run.read('out/a'), 'a two');
  run.write({ 'app/templates/partials/head.hbs': 'three' });
  await run.file('out/a', 'a three');
  assert.equal(
    run.events.filter(({ msg, dest }) => msg === 'rendered' && String(dest).endsWith('/b')).length,
    1,
  );
});
