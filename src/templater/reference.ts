import { BLOCKS } from './blocks.ts';
import type { Helper } from './helpers/helper.ts';
import { GROUPED } from './helpers/index.ts';

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

/** Every word that templates know, in the order in which it is best read. */
export function referenceRows(): ReferenceRow[] {
  return [
    ...rowsOf('Blocks', BLOCKS),
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
