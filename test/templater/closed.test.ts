/** What a template and its values can never do: reach the program, become code, hold up the others. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Helper, Pass } from '../../src/templater/helpers/helper.ts';
import { BRIEF, HELPERS } from '../../src/templater/helpers/index.ts';
import { runLimited, TimeoutError } from '../../src/templater/limit.ts';
import { compileTemplate, LANGUAGE, type Language } from '../../src/templater/render.ts';
import { hbs, startTemplater } from './template.ts';
import { error, refusal, run, text, worldOf } from './world.ts';

describe('nothing but data can be reached', () => {
  const NAMES = ['constructor', '__proto__', 'toString', 'hasOwnProperty', '__defineGetter__', 'valueOf'];
  const DATA = [
    '(index (service "web") 0)',
    '(parseJSON \'{"a":{"b":1}}\')',
    '(service "web")',
    '(explode (tree "app/groups"))',
  ];

  for (const data of DATA) {
    test(`of ${data}`, () => {
      for (const name of NAMES) {
        const ways = [
          `{{#with ${data}}}{{${name}}}{{this.${name}}}{{[${name}]}}{{/with}}`,
          `{{#with ${data}}}{{#with ${name}}}!{{/with}}{{#with this.${name}}}!{{/with}}{{/with}}`,
          `{{#with ${data}}}{{lookup this "${name}"}}{{#with (lookup this "${name}")}}!{{/with}}{{/with}}`,
          `{{#with ${data} as |x|}}{{x.${name}}}{{x.${name}.name}}{{lookup x "${name}"}}{{/with}}`,
          `{{lookup ${data} "${name}"}}{{lookup (lookup ${data} "${name}") "name"}}`,
          `{{#each ${data}}}{{lookup ../this "${name}"}}{{lookup this "${name}"}}{{/each}}`,
        ];
        for (const way of ways) assert.equal(text(way), '', way);
      }
      if (data.includes('parseJSON') || data.includes('index'))
        for (const name of NAMES) assert.equal(text(`{{index ${data} "${name}"}}`), '', name);
    });
  }

  test('of text, numbers, and what templates have besides', () => {
    for (const name of NAMES) {
      assert.equal(text(`{{lookup (key "app/rate") "${name}"}}{{lookup (len "a") "${name}"}}`), '', name);
      assert.equal(text(`{{lookup @root "${name}"}}{{#each (loop 1)}}{{@root.${name}}}{{/each}}`), '', name);
      assert.equal(
        text(`{{#with (index (service "web") 0)}}{{ServiceMeta.${name}}}{{Tags.${name}}}{{/with}}`),
        '',
        name,
      );
      assert.match(error(`{{index (key "app/rate") "${name}"}}`), /^index: expected a list or an object/);
    }
    assert.equal(text('{{#with (service "web")}}{{length}}{{map}}{{/with}}'), '2');
  });

  test('own fields of these names are data like others', () => {
    const world = worldOf({ kv: { j: '{"constructor":"c","__proto__":"p","toString":"t"}' } });
    const source =
      '{{#with (parseJSON (key "j"))}}{{constructor}}{{__proto__}}{{toString}}{{lookup this "__proto__"}}{{/with}}';
    assert.equal(text(source, world), 'cptp');
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
    const merge =
      '{{json (mergeMap (parseJSON (key "a")) (parseJSON (key "b")))}}{{json (explodeMap (parseJSON (key "c")))}}';
    const kv = {
      a: '{"__proto__":{"polluted":1}}',
      b: '{"__proto__":{"polluted":2}}',
      c: '{"__proto__/polluted":3}',
    };
    assert.equal(text(merge, worldOf({ kv })), '{"__proto__":{"polluted":1}}{"__proto__":{"polluted":3}}');
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });

  test('no helper of Handlebars that does more is there', () => {
    for (const name of ['log', 'helperMissing', 'blockHelperMissing'])
      assert.match(refusal(`{{${name} "x"}}`), /^line 1: (unknown|there is no) helper/, name);
    for (const name of ['helperMissing', 'blockHelperMissing', 'log'])
      assert.match(refusal(`{{#${name} "x"}}{{/${name}}}`), /^line 1: /, name);
    assert.equal(
      text('{{#each (loop 1)}}{{helperMissing}}{{blockHelperMissing}}{{log}}{{if}}{{each}}{{raw}}{{/each}}'),
      '',
    );
  });
});

describe('values are never code', () => {
  test('neither as a template nor as a name', () => {
    const world = worldOf({ kv: { t: '{{env "HOME"}}', p: 'head', h: 'env' } }, { HOME: 'secret' });
    assert.equal(text('{{key "t"}}{{{key "t"}}}{{print (key "t")}}', world), '{{env "HOME"}}'.repeat(3));
    assert.match(refusal('{{> (key "p")}}'), /no value can name one/);
    assert.match(refusal('{{> (lookup . "p")}}'), /no value can name one/);
    assert.match(refusal('{{> @partial-block}}'), /no value can name one/);
    assert.match(refusal('{{((key "h")) "HOME"}}'), /^line 1: /);
    for (const source of ['{{#*inline "a"}}{{/inline}}', '{{* a}}', '{{#* a}}{{/a}}'])
      assert.match(refusal(source), /decorators .* are not supported/);
  });

  test('and nothing but text is compiled', () => {
    for (const source of [{ type: 'Program', body: [] }, Buffer.from('x'), undefined, ['x']])
      assert.throws(() => compileTemplate(source as unknown as string), TypeError);
  });
});

describe('a run has an end', () => {
  const endless: Helper = {
    usage: '',
    meaning: '',
    examples: [],
    values: [0, 9],
    options: [],
    run: () => {
      for (;;);
    },
  };
  const stubborn: Helper = {
    ...endless,
    run: () => {
      for (;;) {
        try {
          for (;;);
        } catch {
        } finally {
          // Not even this is run when the time is over.
          for (;;);
        }
      }
    },
  };
  const language: Language = { ...LANGUAGE, helpers: { ...HELPERS, endless, stubborn }, timeout: 150 };
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, '']));
  const kv = { ...many, evil: `${'a'.repeat(50)}b`, big: 'x'.repeat(1000) };
  const twice = `${'{{#if (keyExists "big")}}'.repeat(4)}{{> next}}{{> next}}${'{{/if}}'.repeat(4)}`;
  const partials = new Map([['twice', twice.replaceAll('next', 'p1')]]);
  for (let i = 1; i < 40; i++) partials.set(`p${i}`, twice.replaceAll('next', `p${i + 1}`));
  partials.set('p40', '');
  const world = worldOf({ kv });

  const cases: [string, string][] = [
    ['a loop in a helper', '{{endless}}'],
    ['one that catches everything', '{{stubborn}}'],
    ['a regular expression', '{{regexMatch (key "evil") "^(a+)+$"}}'],
    ['another', '{{regexReplaceAll (key "evil") "(a|a|aa)*c" ""}}'],
    [
      'loops in loops',
      '{{#each (loop 100000)}}{{#each (loop 100000)}}{{#each (loop 100000)}}{{/each}}{{/each}}{{/each}}',
    ],
    ['loops over keys', '{{#each (ls "")}}{{#each (ls "")}}{{#each (ls "")}}{{/each}}{{/each}}{{/each}}'],
    ['a partial that includes itself twice', '{{> twice}}'],
  ];
  for (const [what, source] of cases) {
    test(what, () => {
      const start = performance.now();
      const outcome = run(source, world, { language, partials });
      assert.equal(outcome.error, 'it took longer than 150 ms');
      assert.equal(outcome.text, undefined);
      assert.ok(performance.now() - start < 2000, `${performance.now() - start} ms`);
      assert.equal(text('{{key "big"}}', world), kv.big);
    });
  }

  test('what takes for ever is told though something is missing', () => {
    const outcome = run('{{key "none"}}{{endless}}', world, { language });
    assert.deepEqual([outcome.missing, outcome.error], [['key "none"'], 'it took longer than 150 ms']);
  });

  test('time in which the machine stood still does not count', () => {
    let runs = 0;
    const asleep = (): string => {
      if (++runs === 1) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
      return 'done';
    };
    assert.equal(runLimited(100, asleep, { tries: 2 }), 'done');
    assert.equal(runs, 2);
    assert.throws(
      () =>
        runLimited(50, () => {
          for (;;);
        }),
      TimeoutError,
    );
    assert.throws(() => runLimited(50, () => assert.fail('its own')), /its own/);
  });

  test('and its text has one too', () => {
    const long = /^(\w+: )?(the result is|its result would be|its result is too) long/;
    const cases = [
      '{{#each (loop 1000000)}}{{key "big"}}{{/each}}',
      `{{#each (loop 1000000)}}${'y'.repeat(100)}{{/each}}`,
      '{{set "s" (key "big")}}{{#each (loop 40)}}{{set "s" (print (get "s") (get "s"))}}{{/each}}{{get "s"}}',
      '{{set "s" (key "big")}}{{#each (loop 40)}}{{set "s" (replaceAll (get "s") "x" "xxxxxxxxxx")}}{{/each}}',
      '{{indent (key "big") 99999999}}',
    ];
    for (const source of cases) assert.match(error(source, world), long, source);
    assert.match(error('{{loop 1000000000}}'), /^loop: expected at most 1000000 rounds, got 1000000000$/);
    assert.match(
      error('{{set "n" 3}}{{#each (loop 64)}}{{set "n" (multiply (get "n") (get "n"))}}{{/each}}'),
      /^multiply: its result has more than 1024 bits$/,
    );
    assert.match(
      error(
        '{{json (parseJSON (key "deep"))}}',
        worldOf({ kv: { deep: '['.repeat(5e5) + ']'.repeat(5e5) } }),
      ),
      /deep|JSON/,
    );
  });

  // Last: what it leaves to be collected takes processor time from the one whose machine stands still.
  test('what is taken for brief is brief, whatever it is given', () => {
    const pass: Pass = {
      ask: () => undefined,
      lack() {},
      keep() {},
      env: {},
      scratch: new Map(),
      directory: '/',
      now: () => new Date(),
    };
    for (const part of ['a', 'a.', '@', 'a@', ' ', '0', '.0', "'", '\n', '?a=', 'ä', '\ud800']) {
      const long = `${part.repeat(100_000)}!`;
      for (const [name, helper] of Object.entries(HELPERS).filter(([, each]) => BRIEF.has(each)))
        for (const values of [[long], [long, '!'], ['!', long], [long, long, '!'], [[long, long], part]]) {
          const start = performance.now();
          try {
            helper.run(pass, values, {});
          } catch {
            // What it refuses is over, too.
          }
          const took = performance.now() - start;
          assert.ok(took < 2000, `${name} took ${took} ms with ${JSON.stringify(part)}, many times`);
        }
    }
  });
});

test('a run that was cut short leaves nothing behind for the next', () => {
  const language: Language = { ...LANGUAGE, timeout: 100 };
  const compiled = compileTemplate(
    '{{set "k" 1}}{{#each (loop 900000)}}{{#if (regexMatch "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab" "^(a+)+$")}}{{/if}}{{/each}}',
    { language },
  );
  for (let i = 0; i < 3; i++) assert.match(compiled(worldOf({})).error ?? '', /longer than 100 ms/);
  assert.equal(text('{{get "k" default="clean"}}'), 'clean');
});

test('a template that has no end keeps its last good file, and holds up nobody for long', async (t) => {
  const kv = (evil: string, other: string): string => JSON.stringify({ kv: { evil, other } });
  const run = startTemplater(
    t,
    {
      'kv.json': kv('aaa', '1'),
      'a/templates/a.hbs': hbs({ dest: '${OUT}/a' }, '{{regexMatch (key "evil") "^(a+)+$"}} {{key "evil"}}'),
      'b/templates/b.hbs': hbs({ dest: '${OUT}/b' }, '{{key "other"}}'),
    },
    { args: ['--source', 'file:kv.json'], env: { SUPERVISE_RENDER_TIMEOUT: '300ms' } },
  );
  await run.file('out/a', 'true aaa');
  run.write({ 'kv.json': kv(`${'a'.repeat(50)}b`, '2') });
  const { cause } = await run.event('could not render');
  assert.match(String(cause), /^cannot render .*\/a\/templates\/a\.hbs: it took longer than \d+ ms/);
  await run.file('out/b', '2');
  assert.equal(run.read('out/a'), 'true aaa');
  run.write({ 'kv.json': kv('aa', '3') });
  await run.event('mended');
  await run.file('out/a', 'true aa');
  await run.file('out/b', '3');
});
