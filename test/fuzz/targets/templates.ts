/** Templates: their settings, and Handlebars as people mistype it, with all helpers, on data of every type. */
import fc from 'fast-check';
import { encode } from '../../../src/core/link.ts';
import { BLOCKS } from '../../../src/templater/blocks.ts';
import type { Pass } from '../../../src/templater/helpers/helper.ts';
import { HELPERS } from '../../../src/templater/helpers/index.ts';
import { runLimited } from '../../../src/templater/limit.ts';
import { compileTemplate, LANGUAGE } from '../../../src/templater/render.ts';
import { parseSettings } from '../../../src/templater/settings.ts';
import type { Query } from '../../../src/templater/source/query.ts';
import { SAMPLE_WORLD } from '../../templater/world.ts';
import { mutated } from '../bytes.ts';
import { told } from '../oracle.ts';
import type { Target } from '../target.ts';
import { WEIRD } from '../words.ts';

const SETTINGS = [
  '{{!--\ndest: /etc/app.conf\nmode: 0640\nowner: app:app\ncheck: app -t {file}\non-change: signal HUP\nmin-interval: 30s\n--}}\n',
  '{{! dest: ${OUT:-/var}/${NAME}/a.conf\n on-change: run echo }}\n{{key "a"}}',
  '{{!--\n# a note\ndest: relative/../../x\n--}}',
].map((text) => Buffer.from(text));
const NAMES = ['dest', 'mode', 'owner', 'check', 'on-change', 'min-interval', '__proto__', 'dset', ''];

const comment = fc
  .array(
    fc.tuple(
      fc.constantFrom(...NAMES),
      fc.constantFrom(': ', ':', ' ', '=', '\t:\t'),
      fc.constantFrom(...WEIRD, '/a', '0640', '9', 'restart', 'signal 99', 'run x', '5s'),
    ),
  )
  .map((lines) => `{{!--\n${lines.map((parts) => parts.join('')).join('\n')}\n--}}`);

export const settings: Target<string> = {
  about: 'the settings in the first comment of a template',
  cases: fc.oneof(comment, mutated(SETTINGS).map(String)),
  async open() {
    const env = { OUT: '/out', NAME: 'app', EMPTY: '' };
    return {
      async act(source) {
        const found = parseSettings(source, { file: 'a.hbs', serviceDir: '/services/app', env });
        const { dest, mode = 0, onChange } = found;
        if (!dest.startsWith('/') || /\0|\/\.\.?(\/|$)/.test(dest)) throw new TypeError(`dest is ${dest}`);
        if (mode > 0o7777) throw new TypeError(`mode is ${mode}`);
        // What the tree is told of it is one line.
        const files = [{ dest, digest: '', onChange }];
        if (encode({ type: 'rendered', service: 'app', files }).indexOf('\n') < 0) throw new TypeError(dest);
        return JSON.stringify(found);
      },
      close: async () => {},
    };
  },
};

const EXAMPLES = [...Object.values(HELPERS), ...Object.values(BLOCKS)].flatMap(({ examples }) =>
  examples.map(([template]) => template),
);
const DEEP = '['.repeat(20_000) + ']'.repeat(20_000);
const literal = fc.oneof(
  fc.constantFrom(
    ...[
      'app',
      'app/rate',
      'web',
      'app/json',
      'app/none',
      ',',
      'a,b,c',
      '{"a":[1,{"b":null}]}',
      '- 1\n- a: 2',
    ],
    ...[
      '%s',
      '%5.2f',
      '%q%d',
      '%[1]d',
      '%c',
      '%U',
      '%x',
      '%t',
      '%099d',
      '%.99g',
      '%v %v',
      '%-9o|%b',
      '%e',
      '%*d',
    ],
    ...[
      '(a+)+$',
      '[[:alpha:]]',
      '[',
      '(?P<n>.)',
      '\\pL',
      '${n}',
      '$1',
      '2006-01-02',
      'Mon Jan _2',
      '1h30m',
      '-1.5h',
    ],
    ...['10.0.0.0/8', '::1/128', '1.2.3.4', 'int', 'asc', 'sha256', 'a: &a [*a]', '"\\ud800"', DEEP],
  ),
  fc.constantFrom(...WEIRD),
);
const quoted = (text: string): string => (text.includes('"') ? `'${text.replaceAll("'", '')}'` : `"${text}"`);
const NUMBERS = ['0', '1', '-1', '2', '3.5', '1000000', '99999999999999999999', '-0'];
const PATHS = [
  'this',
  '@key',
  '@index',
  '@root',
  'Value',
  'Key',
  'Address',
  '../Key',
  'x',
  './x',
  'constructor',
  '__proto__',
  'this.__proto__',
  'x.constructor.constructor',
];

/** Helpers in each other's places, with one more or one fewer value than they take, now and then. */
const { call } = fc.letrec<{ call: string; arg: string }>((tie) => ({
  arg: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    literal.map(quoted),
    fc.constantFrom(...NUMBERS, 'true', 'false', 'null', 'undefined'),
    fc.constantFrom('this', 'this', 'this', ...PATHS),
    tie('call').map((text) => `(${text})`),
  ),
  call: fc.constantFrom(...Object.keys(HELPERS)).chain((name) => {
    const { values, options = ['a'] } = HELPERS[name] ?? { values: [0, 0] as const };
    const [least, most] = values;
    const count = fc.integer({ min: Math.max(0, least), max: Math.min(least + 3, most) });
    const some = count.chain((length) => fc.array(tie('arg'), { minLength: length, maxLength: length }));
    const pair = fc.tuple(fc.constantFrom('other', ...options), tie('arg'));
    const hash = fc.oneof(
      { weight: 9, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(pair, { minLength: 1, maxLength: 2 }) },
    );
    return fc
      .tuple(some, hash)
      .map(([args, pairs]) => [name, ...args, ...pairs.map(([key, arg]) => `${key}=${arg}`)].join(' '));
  }),
}));

const body: fc.Arbitrary<string> = fc.letrec<{ body: string; part: string }>((tie) => ({
  part: fc.oneof(
    { maxDepth: 3 },
    call.map((text) => `{{${text}}}`),
    fc.constantFrom(...PATHS).map((path) => `{{${path}}}`),
    fc.constantFrom('text', '\n', '{{else}}', '{{~ ~}}', '\\{{x}}', '{{!-- --}}', '{{> head}}', '{{{this}}}'),
    fc
      .tuple(fc.constantFrom('each', 'if', 'unless', 'with'), call, tie('body'), tie('body'))
      .map(([block, text, inner, other]) => `{{#${block} (${text})}}${inner}{{else}}${other}{{/${block}}}`),
    call.map((text) => `{{set "x" (${text})}}{{get "x"}}`),
  ),
  body: fc.array(tie('part'), { maxLength: 3 }).map((parts) => parts.join('')),
})).body;

/** Enough for any of these that has an end, on a machine that does other things too. */
const LANGUAGE_HERE = { ...LANGUAGE, timeout: 1000 };

export const templates: Target<string> = {
  about: 'templates, their helpers and their errors',
  cases: fc.oneof(
    body,
    fc.tuple(fc.constantFrom(...EXAMPLES), body).map(([example, more]) => example + more),
    mutated(EXAMPLES.map((text) => Buffer.from(text))).map(String),
  ),
  async open() {
    return {
      async act(source) {
        const partials = new Map([['head', '{{Key}}{{x}}']]);
        const compiled = compileTemplate(source, { language: LANGUAGE_HERE, partials, directory: '/app' });
        await compiled.load();
        const { text, missing, kept, error } = compiled(SAMPLE_WORLD);
        if (error !== undefined) return `error: ${told(error)}`;
        if (text === undefined) return `missing: ${missing.join()}`;
        if (text.includes('[object ') && !source.includes('[object '))
          throw new TypeError(text.slice(0, 500));
        return JSON.stringify([text.length, text.slice(0, 2000), kept]);
      },
      close: async () => {},
    };
  },
};

interface Call {
  name: string;
  values: readonly unknown[];
  options: Readonly<Record<string, unknown>>;
}

/** As they come out of other helpers. */
const value = fc.oneof(
  { maxDepth: 2 },
  literal,
  fc.constantFrom<unknown>(
    ...[0, 1, -1, 2, 1.5, 1e21, -0, 255, 0x110000, 2 ** 53, -(10n ** 30n), 10n ** 30n],
  ),
  fc.constantFrom<unknown>(
    ...[true, false, null, undefined, [], {}, ['a', 'b'], [1, [2]], { a: 1 }, [{ Key: 'a' }]],
  ),
  fc.array(fc.constantFrom<unknown>('a', 'B', 1, -1, null, 'a/b'), { maxLength: 4 }),
  fc.dictionary(fc.constantFrom(...WEIRD, 'a', '1'), fc.constantFrom<unknown>('x', 1, [], {}), {
    maxKeys: 3,
  }),
);
const calls: fc.Arbitrary<Call> = fc.constantFrom(...Object.keys(HELPERS)).chain((name) => {
  const { values = [0, 0], options = ['a'] } = HELPERS[name] ?? {};
  const [least, most] = values;
  return fc.record({
    name: fc.constant(name),
    values: fc.array(value, { minLength: least, maxLength: Math.min(most, least + 3) }),
    options: fc.oneof(
      { weight: 3, arbitrary: fc.constant({}) },
      { weight: 1, arbitrary: fc.dictionary(fc.constantFrom('a', ...options), value, { maxKeys: 2 }) },
    ),
  });
});
const ENV = { HOME: '/root', EMPTY: '' };

/** The helpers by themselves: what no template can be written to give them, other helpers can. */
export const helpers: Target<Call> = {
  about: 'helpers, on values of every type',
  cases: calls,
  async open() {
    for (const { load } of Object.values(HELPERS)) await load?.();
    return {
      async act({ name, values, options }) {
        const missing: string[] = [];
        const pass = {
          ask: (query: Query) => SAMPLE_WORLD.get(query),
          lack: (words: string) => missing.push(told(words)),
          keep: () => {},
          env: ENV,
          scratch: new Map(),
          directory: '/app',
          now: () => new Date(0),
        };
        let result: unknown;
        try {
          result = runLimited(1000, () => HELPERS[name]?.run(pass as Pass, values, options));
        } catch (error) {
          // What recurses has an end there, which the render puts into words.
          if (error instanceof RangeError && /call stack/.test(error.message)) return 'too deep';
          throw error;
        }
        if (typeof result === 'function') throw new TypeError('it gives a function');
        return `${show(result)} ${missing.join()}`;
      },
      close: async () => {},
    };
  },
};

function show(result: unknown): string {
  const text = JSON.stringify(result, (_, each: unknown) => (typeof each === 'bigint' ? `${each}n` : each));
  return `${text?.length} ${text?.slice(0, 1000)}`;
}
