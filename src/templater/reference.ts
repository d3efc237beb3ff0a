import { BLOCKS } from './blocks.ts';
import type { Helper } from './helpers/helper.ts';
import { GROUPED } from './helpers/index.ts';
import { flatten } from './source/file-data.ts';

/** A helper or a block, as `help templates` and the README show it. */
export interface ReferenceRow {
  /** What it is for: rows of one group follow each other. */
  group: string;
  name: string;
  usage: string;
  meaning: string;
  /** Templates, and what they come to on SAMPLE. */
  examples: readonly (readonly [template: string, output: string])[];
}

const BLOCK_GROUP = 'Blocks';
const WIDTH = 118;

/** Every word that templates know, in the order in which it is best read. */
export function referenceRows(): ReferenceRow[] {
  return [
    ...rowsOf(BLOCK_GROUP, BLOCKS),
    ...Object.entries(GROUPED).flatMap(([group, helpers]) => rowsOf(group, helpers)),
  ];
}

function rowsOf(
  group: string,
  table: Readonly<Record<string, Pick<Helper, 'usage' | 'meaning' | 'examples'>>>,
): ReferenceRow[] {
  return Object.entries(table).map(([name, { usage, meaning, examples }]) => ({
    group,
    name,
    usage,
    meaning,
    examples,
  }));
}

/** The helpers' part of `help templates`. */
export function describeTemplates(): string {
  const groups = Map.groupBy(referenceRows(), ({ group }) => group);
  return [
    'A helper is written {{helper value option=value}}, and (helper value) where a value stands. What is examined',
    'comes first: {{join (split (key "app/hosts") ",") " "}}. Nothing is HTML-escaped. Each helper below with examples,',
    'and what they come to on the data at the end.',
    ...[...groups].flatMap(([group, rows]) => ['', group.toUpperCase(), ...rows.flatMap(entryOf)]),
    '',
    'THE DATA OF THE EXAMPLES',
    ...[...flatten(SAMPLE.kv)].map(([path, value]) => `  ${path} = ${JSON.stringify(value)}`),
    '  services web: n1 10.0.0.1:80 tags main, blue, zone eu; n2 10.0.0.2:8080 tag main, zone us',
    '  environment HOME=/home/app',
    '',
  ].join('\n');
}

function entryOf({ group, usage, meaning, examples }: ReferenceRow): string[] {
  return [
    `  ${group === BLOCK_GROUP ? `{{${usage}}}` : usage}`,
    `      ${meaning}`,
    ...examples.flatMap(([template, output]) => exampleOf(template, output.replaceAll('\n', '⏎'))),
  ];
}

/** On one line where that is no wider than a terminal. */
function exampleOf(template: string, output: string): string[] {
  const whole = `      ${template}  →  ${output}`.trimEnd();
  return whole.length <= WIDTH ? [whole] : [`      ${template}`, `        →  ${output}`];
}

/** The data of the examples, as a file source holds them. */
export const SAMPLE = {
  kv: {
    app: {
      rate: '5',
      debug: 'false',
      env: 'prod',
      empty: '',
      hosts: 'a,b,c',
      motd: 'hello\nworld',
      quote: "it's; 100%",
      json: '{"name":"web","list":[10,20],"big":12345678901234567890}',
      yaml: 'name: web\ndebug: false\n',
      peers: { a: '10.0.0.1', b: '10.0.0.2' },
      groups: { blue: { a: '1', b: '2' }, green: { a: '3' } },
    },
  },
  services: {
    web: [
      { Node: 'n1', Address: '10.0.0.1', Port: 80, Tags: ['main', 'blue'], Meta: { zone: 'eu' } },
      { Node: 'n2', Address: '10.0.0.2', Port: 8080, Tags: ['main'], Meta: { zone: 'us' } },
    ],
  },
} as const;

/** The environment of the examples. */
export const SAMPLE_ENV: Readonly<Record<string, string>> = { HOME: '/home/app' };
