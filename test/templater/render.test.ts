import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../../src/errors.ts';
import { compileTemplate, type Outcome, type World } from '../../src/templater/render.ts';
import { pair } from '../../src/templater/source/pairs.ts';
import { describeQuery, type Query } from '../../src/templater/source/query.ts';
import { worldOf } from './world.ts';

const WORLD = worldOf(
  {
    kv: { n: '1', m: '2', empty: '', html: '<a> & "b"', app: { peers: { a: 'x', b: 'y', 'deep/c': 'z' } } },
    services: {
      web: [
        { Address: '10.0.0.2', Port: 81, Node: 'b', Meta: { zone: 'eu' } },
        { Address: '10.0.0.1', Port: 80, Node: 'a' },
      ],
    },
  },
  { HOME: '/root', EMPTY: '' },
);

function run(source: string, world: World = WORLD): Outcome {
  return compileTemplate(source)(world);
}

function text(source: string, world?: World): string {
  const outcome = run(source, world);
  assert.deepEqual([outcome.error, outcome.missing], [undefined, []]);
  return outcome.text ?? assert.fail();
}

test('values are printed as they are: no HTML escaping, no adding of numbers', () => {
  assert.equal(text('{{key "html"}}|{{{key "html"}}}'), '<a> & "b"|<a> & "b"');
  assert.equal(
    text('{{#each (service "web")}}{{Port}}{{Port}} {{{Port}}}{{{Port}}};{{/each}}'),
    '8080 8080;8181 8181;',
  );
  assert.equal(text('{{json (key "html")}}'), '"<a> & \\"b\\""');
});

test('every helper', () => {
  const cases: [string, string][] = [
    ['{{key "n"}}', '1'],
    ['{{key "/n"}}', '1'],
    ['{{key "no" default="10"}}', '10'],
    ['{{key "no" default=10}}', '10'],
    ['{{key "no" required=false}}.', '.'],
    ['{{key "empty" default="d"}}', 'd'],
    ['{{key "empty"}}.', '.'],
    ['{{#if (keyExists "n")}}yes{{else}}no{{/if}}', 'yes'],
    ['{{keyExists "no"}}', 'false'],
    ['{{#each (ls "app/peers")}}{{Key}}={{Value}} {{/each}}', 'a=x b=y '],
    ['{{#each (ls "app/peers/")}}{{Path}} {{/each}}', 'app/peers/a app/peers/b '],
    ['{{#each (tree "app")}}{{Key}} {{/each}}', 'peers/a peers/b peers/deep/c '],
    ['{{#each (tree "")}}{{Key}} {{/each}}', 'app/peers/a app/peers/b app/peers/deep/c empty html m n '],
    ['{{#each (ls "nothing")}}x{{else}}none{{/each}}', 'none'],
    [
      '{{#each (service "web")}}{{Address}}:{{Port}}{{#unless @last}},{{/unless}}{{/each}}',
      '10.0.0.1:80,10.0.0.2:81',
    ],
    ['{{#each (service "web") as |peer i|}}{{i}}={{peer.Node}} {{/each}}', '0=a 1=b '],
    ['{{#with (lookup (service "web") 1)}}{{Meta.zone}}{{/with}}', 'eu'],
    ['{{json (key "n")}} {{json (keyExists "n")}} {{json (key "no" default="10")}}', '"1" true "10"'],
    ['{{#each (service "web")}}{{json Meta}}{{/each}}', '{}{"zone":"eu"}'],
    ['{{env "HOME"}} {{env "NONE"}}. {{env "NONE" default="d"}} {{env "EMPTY" default="e"}}', '/root . d e'],
    ['{{#if (key "empty")}}a{{else if (keyExists "n")}}b{{/if}}', 'b'],
  ];
  for (const [source, expected] of cases) assert.equal(text(source), expected, source);
  assert.equal(text('\\{{key "n"}}'), '{{key "n"}}');
});

test('everything that is missing is found in one run', () => {
  const outcome = run(
    '{{key "no/a"}} {{key "no/b"}} {{#each (service "db" min=2)}}{{/each}} {{#each (ls "x" required=true)}}{{/each}}',
  );
  assert.equal(outcome.text, undefined);
  assert.deepEqual(outcome.missing, [
    'key "no/a"',
    'key "no/b"',
    'service "db": 0 of at least 2',
    'keys under "x/": 0 of at least 1',
  ]);
  const unanswered = run('{{key "a" default="1"}}{{keyExists "b"}}', {
    ...WORLD,
    get: () => undefined,
    problem: ({ name }) => (name === 'b' ? 'consul answers 403: Permission denied' : null),
  });
  assert.deepEqual(unanswered.missing, ['key "a"', 'key "b": consul answers 403: Permission denied']);
  assert.deepEqual([...unanswered.used.keys()], ['key "a"', 'key "b"']);
});

test('a stand-in that breaks the template is not its fault', () => {
  assert.equal(run('{{key "no"}}{{env "NOT_SET" required=true}}').error, undefined);
  assert.match(run('{{env "NOT_SET" required=true}}').error ?? '', /^env: the environment has no NOT_SET$/);
});

test('what is wrong is found before there are values', () => {
  const cases: [string, RegExp][] = [
    ['a\n{{kye "n"}}', /^line 2: unknown helper "kye" \(did you mean "key"\?\)$/],
    ['{{json (kye "n")}}', /unknown helper "kye"/],
    ['{{key "n" defualt="1"}}', /^line 1: key has no option "defualt=" \(did you mean "default"\?\)$/],
    ['{{key}}', /^line 1: key takes 1 value, got 0 \(such as \{\{key "app\/rate" default="10"\}\}\)$/],
    ['{{json "a" "b"}}', /json takes 1 value, got 2/],
    ['{{#key "n"}}x{{/key}}', /key is not a block/],
    ['{{#eahc (ls "a")}}{{/eahc}}', /unknown block "#eahc" \(did you mean "each"\?\)/],
    ['{{#if}}{{/if}}', /#if takes 1 value, got 0/],
    ['{{log "x"}}', /there is no helper "log"/],
    ['{{rate}}', /^line 1: nothing is called "rate" here$/],
    ['{{#if rate}}{{/if}}', /nothing is called "rate" here/],
    ['{{#each (ls "a")}}{{else}}{{rate}}{{/each}}', /nothing is called "rate" here/],
    ['{{#each (ls "a") as |p|}}{{/each}}{{p}}', /nothing is called "p" here/],
    ['{{this}}', /nothing is called "this" here/],
    ['{{> head}}', /no partial is called "head" \(expected templates\/partials\/head.hbs\)/],
    ['{{#> head}}{{/head}}', /partials with a block .* are not supported/],
    ['{{#*inline "a"}}{{/inline}}', /decorators .* are not supported/],
    ['{{* foo}}', /decorators .* are not supported/],
    ['a\n{{#if (key "n")}}\nb', /^line 2: "\{\{#if" has no end \(expected "\{\{\/if\}\}"\)$/],
    ['{{#if (key "n")}}\n{{/unless}}', /^line 1: "\{\{#if" is ended by "\{\{\/unless"$/],
    ['{{key "n"}', /^line 1: expected "\}\}", got a character that cannot stand there$/],
    ['{{key "n}}', /^line 1: expected "\}\}", got a character that cannot stand there$/],
    ['{{key "n" default=}}', /^line 1: expected a name, got "\}\}"$/],
    ['{{json (key "n"}}', /^line 1: expected "\)", got "\}\}"$/],
    ['{{{key "n"}}', /^line 1: expected "\}\}\}", got "\}\}"$/],
    ['{{/if}}', /^line 1: the end of a block that was not begun$/],
    ['{{!-- no end', /^line 1: a comment has no end \(expected "--\}\}"\)$/],
    ['{{5}}', /^line 1: expected a helper or a field, got a value$/],
    ['{{if (key "n")}}', /^line 1: if is a block \(write \{\{#if …\}\}…\{\{\/if\}\}\)$/],
    ['{{#each datacenters}}{{/each}}', /datacenters is a helper \(write it in parentheses/],
    ['{{json 12345678901234567890}}', /a number has too many digits to keep them all \(write it in quotes\)/],
    ['{{secret "a"}}', /^line 1: there is no helper "secret": supervise does not read Vault$/],
  ];
  for (const [source, message] of cases) {
    const error = thrownBy(() => compileTemplate(source));
    assert.match(error.message, message, source);
    assert.doesNotMatch(error.message, /\n/);
  }
  assert.throws(() => compileTemplate({ type: 'Program', body: [] } as unknown as string), TypeError);
});

test('a template of consul-template is recognized, and told what to write instead', () => {
  const cases: [string, string, string][] = [
    ['a\n{{range ls "x"}}{{.Key}}{{end}}', '2', '{{#each …}}…{{/each}}'],
    ['{{ with node }}{{ .Node.Address }}{{ end }}', '1', '{{#if …}}…{{/if}} and {{#with …}}…{{/with}}'],
    ['{{key "a" | parseInt}}', '1', 'a helper around a helper: {{join (split (key "a") ",") " "}}'],
    ['{{key `a`|toUpper}}', '1', 'a helper around a helper: {{join (split (key "a") ",") " "}}'],
    ['{{- key "a" -}}', '1', '{{~ … ~}}'],
    ['{{$x := key "a"}}{{$x}}', '1', '{{#with … as |name|}}…{{/with}}, or {{set "name" …}} and (get "name")'],
    ['{{/* a comment */}}', '1', '{{!-- … --}}'],
    ['{{!-- {{range}} --}}\n{{define "t"}}{{end}}', '2', '{{> name}}, with templates/partials/name.hbs'],
    ['{{.Name}}', '1', 'the field without its dot: {{Key}}'],
    ['{{#each (service "web")}}{{.Address}}{{/each}}', '1', 'the field without its dot: {{Key}}'],
    ['{{#each (service "web")}}{{json $x}}{{/each}}', '1', 'a name given by "as |name|"'],
  ];
  for (const [source, line, here] of cases) {
    const error = thrownBy(() => compileTemplate(source));
    assert.ok(error instanceof UserError, `${source}: ${error.message}`);
    assert.match(
      error.message,
      new RegExp(`^line ${line}: \\{\\{.*\\}\\} is of Go's templates; here it is `),
      source,
    );
    assert.ok(error.message.endsWith(here), `${source}: ${error.message}`);
    assert.equal(error.hint, 'supervise template convert FILE turns templates of consul-template into ours');
  }
  // What is wrong in other ways is told as it is.
  for (const source of [
    '{{#each (ls "a") as |x|}}{{y.z}}{{kye "a"}}{{/each}}',
    '\\{{range}} {{kye "a"}}',
    '{{kye "a|b"}}',
  ])
    assert.match(thrownBy(() => compileTemplate(source)).message, /unknown helper "kye"/, source);
});

test('a mistake that only values show is an error of this run', () => {
  const cases: [string, RegExp][] = [
    [
      '{{#each (service "web")}}{{Adress}}{{/each}}',
      /^a service instance has no field "Adress" \(did you mean "Address"\?\)$/,
    ],
    ['{{#each (ls "app/peers")}}{{Val}}{{/each}}', /a key has no field "Val"/],
    ['{{#each (service "web")}}{{Meta}}{{/each}}', /an object is not text/],
    ['{{service "web"}}', /a list is not text/],
    ['{{key (service "web")}}', /^key: expected a path/],
    ['{{service "we b"}}', /^service: expected a service such as/],
    [
      '{{#each (service "web|good")}}{{/each}}',
      /expected one of any, passing, warning, critical, maintenance, got "good"/,
    ],
    ['{{#each (service "web" min="x")}}{{/each}}', /expected min= to be a whole number, got "x"/],
  ];
  for (const [source, message] of cases) assert.match(run(source).error ?? 'none', message, source);
});

test('nothing inherited can be reached', () => {
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty'])
    assert.equal(text(`{{#each (service "web")}}{{${name}}}{{lookup this "${name}"}}{{/each}}`), '', name);
  assert.equal(text('{{lookup (lookup (key "n") "constructor") "name"}}'), '');
});

test('bytes that are no text harm who prints them, and nobody else', () => {
  const binary = pair({ path: 'bin', bytes: Buffer.from([0xff, 0xfe]) });
  const world: World = { ...WORLD, get: () => ({ now: binary, last: binary, lost: false }) as never };
  assert.equal(run('{{key "bin"}}', world).error, 'key: the value of key "bin" is not text (invalid UTF-8)');
  const tree = [binary, pair({ path: 'text', bytes: 'x' })];
  const treeWorld: World = { ...WORLD, get: () => ({ now: tree, last: tree, lost: false }) as never };
  assert.equal(text('{{#each (tree "")}}{{Key}} {{/each}}', treeWorld), 'bin text ');
  assert.match(run('{{#each (tree "")}}{{Value}}{{/each}}', treeWorld).error ?? '', /"bin" is not text/);
  const bom = pair({ path: 'bom', bytes: Buffer.from('\uFEFFé') });
  assert.equal(bom.Value, '\uFEFFé');
});

test('what was deleted: key keeps it, a default and keyExists do not, lists keep it unless min=0', () => {
  const kept = pair({ path: 'k', bytes: 'old' });
  const lists = [kept];
  const world: World = {
    ...WORLD,
    get: ((query: Query) => ({
      now: null,
      last: query.kind === 'key' ? kept : lists,
      lost: false,
    })) as World['get'],
  };
  assert.equal(text('{{key "k"}} {{key "k" default="d"}} {{keyExists "k"}}', world), 'old d false');
  assert.deepEqual(run('{{key "k"}}', world).kept, ['key "k"']);
  assert.deepEqual(run('{{key "k" default="d"}}', world).kept, []);
  assert.equal(text('{{#each (tree "")}}{{Key}}{{/each}}', world), 'k');
  assert.equal(text('{{#each (tree "" min=0)}}{{Key}}{{else}}none{{/each}}', world), 'none');
});

test('equal queries have equal words, others differ', () => {
  const words = (source: string): string[] => [...run(source).used.keys()];
  assert.deepEqual(words('{{#each (service "v1.web@eu~_agent|passing,warning")}}{{/each}}'), [
    'service "web" (dc=eu, near=_agent, tag=v1, status=passing,warning)',
  ]);
  assert.deepEqual(
    words('{{#each (service "web" tag="v1" dc="eu" near="_agent" filter="warning,passing")}}{{/each}}'),
    words('{{#each (service "v1.web@eu~_agent|passing,warning")}}{{/each}}'),
  );
  assert.deepEqual(
    words('{{key "a@eu" default=""}}{{key "a@eu" dc="us" default=""}}{{key "a" default=""}}'),
    ['key "a" (dc=eu)', 'key "a@eu" (dc=us)', 'key "a"'],
  );
  assert.equal(
    describeQuery({ kind: 'service', name: 'web', params: { status: 'passing' } }),
    'service "web"',
  );
});

test('a comment with the settings leaves no line behind', () => {
  assert.equal(text('{{!--\ndest: /a\n--}}\n{{key "n"}}\n'), '1\n');
});

function thrownBy(act: () => unknown): Error {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  return assert.fail('nothing was thrown');
}
