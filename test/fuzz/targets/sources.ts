/** Source files: JSON and YAML as people, and those who mean no good, write them. */
import fc from 'fast-check';
import { answerFromFile, readFileData } from '../../../src/templater/source/file-data.ts';
import { parseFileText } from '../../../src/templater/source/file-text.ts';
import type { Query } from '../../../src/templater/source/query.ts';
import { mutated } from '../bytes.ts';
import { SECRET } from '../oracle.ts';
import type { Target } from '../target.ts';
import { WEIRD } from '../words.ts';

const CONTENT = {
  kv: { app: { rate: 5, list: [1, { a: null }], deep: { er: true } }, 'a/b': '1.10', big: 12345678901234 },
  services: { web: [{ Address: '10.0.0.1', Port: 80, Tags: ['a'], Meta: { v: '1' } }] },
  nodes: [{ Node: 'n1', Address: '10.0.0.1', Datacenter: 'eu' }],
};
const SEEDS = {
  'kv.json': [
    JSON.stringify(CONTENT),
    JSON.stringify(CONTENT, null, 2),
    `{"kv":{"password":"${SECRET}"}}`,
    '{}',
  ],
  'kv.yaml': [
    'kv:\n  app:\n    rate: 5\n    version: 1.10\n    on: yes\n  a/b: !!str 1\nservices:\n  web:\n    - Address: 10.0.0.1\n      Port: 80\n',
    'kv: &all\n  a: &x [1, 2]\n  b: *x\n  <<: {c: 3}\n  ? [complex, key]\n  : value\n',
    '%YAML 1.1\n---\nkv:\n  when: 2001-12-14\n  octal: 0o17\n  on: off\n  bin: !!binary aGVsbG8=\n  set: !!set {a, b}\n  omap: !!omap [a: 1]\n',
    `kv: {password: "${SECRET}", 'q''q': |\n  text\n}\n`,
    'kv:\n  a: &a [x,x,x,x,x,x,x,x,x]\n  b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n  c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n  d: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n',
  ],
};

const json: fc.Arbitrary<string> = fc
  .record(
    {
      kv: fc.dictionary(fc.constantFrom(...WEIRD, 'a', 'a/b', 'b'), fc.jsonValue({ maxDepth: 4 }), {
        maxKeys: 5,
      }),
      services: fc.dictionary(fc.constantFrom(...WEIRD, 'web'), fc.jsonValue({ maxDepth: 3 }), {
        maxKeys: 2,
      }),
      nodes: fc.jsonValue({ maxDepth: 3 }),
    },
    { requiredKeys: [] },
  )
  .map((content) => JSON.stringify(content));

interface File {
  name: string;
  text: string;
}

const files: fc.Arbitrary<File> = fc.oneof(
  ...Object.entries(SEEDS).map(([name, texts]) =>
    fc.record({
      name: fc.constant(name),
      text: mutated(texts.map((text) => Buffer.from(text))).map(String),
    }),
  ),
  // All JSON is YAML.
  fc.record({ name: fc.constantFrom(...Object.keys(SEEDS)), text: json }),
);

const QUERIES: readonly Query[] = [
  { kind: 'prefix', name: '', params: {} },
  { kind: 'key', name: '__proto__', params: {} },
  { kind: 'service', name: 'web', params: { status: 'passing' } },
  { kind: 'services', name: '', params: {} },
  { kind: 'nodes', name: '', params: {} },
  { kind: 'node', name: '', params: {} },
  { kind: 'datacenters', name: '', params: {} },
];

export const sources: Target<File> = {
  about: 'source files, JSON and YAML',
  cases: files,
  async open() {
    return {
      async act({ name, text }) {
        const content = await parseFileText(name, text).catch((error: unknown) => {
          // How deep its parser gets depends on what of it is compiled by then: which of two mistakes it finds is not told.
          if ((text.match(/[[{?-]/g)?.length ?? 0) > 400) throw new Error('it may be nested too deep');
          throw error;
        });
        const data = readFileData(content);
        checkAll(content, data.kv);
        return JSON.stringify(QUERIES.map((query) => answerFromFile(data, query))).slice(0, 10_000);
      },
      close: async () => {},
    };
  },
};

/** What stands in `kv` is in the store: nothing of it is lost without a word. */
function checkAll(content: unknown, kv: ReadonlyMap<string, string>): void {
  const count = (value: unknown): number => {
    if (value === null || value === undefined) return 0;
    if (typeof value !== 'object' || Array.isArray(value)) return 1;
    if (Object.getPrototypeOf(value) !== Object.prototype && Object.getPrototypeOf(value) !== null) return 1;
    return Object.values(value).reduce((sum: number, each) => sum + count(each), 0);
  };
  const given = count((content as { kv?: unknown } | null)?.kv);
  if (given !== kv.size) throw new TypeError(`${given} values were given, and ${kv.size} are there`);
  for (const value of kv.values()) if (typeof value !== 'string') throw new TypeError('a value is no text');
}
