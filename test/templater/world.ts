/** Something to render from, without a source: the content of a source file, and what such a file cannot hold. */
import assert from 'node:assert/strict';
import { type Memory, remember } from '../../src/templater/memory.ts';
import { SAMPLE, SAMPLE_ENV } from '../../src/templater/reference.ts';
import { compileTemplate, type Outcome, type Surroundings, type World } from '../../src/templater/render.ts';
import { answerFromFile, readFileData } from '../../src/templater/source/file-data.ts';
import { instance } from '../../src/templater/source/instances.ts';
import { type DataOf, describeQuery, type Kind, type Query } from '../../src/templater/source/query.ts';

/** A world in which everything has been answered. */
export function worldOf(
  content: unknown,
  env: Readonly<Record<string, string>> = {},
  more: Readonly<Record<string, DataOf[Kind]>> = {},
): World {
  const data = readFileData(content);
  const answer = (query: Query): DataOf[Kind] | null => {
    if (['key', 'prefix', 'service'].includes(query.kind)) return answerFromFile(data, query);
    const words = describeQuery(query);
    return Object.hasOwn(more, words) ? (more[words] ?? null) : null;
  };
  const get = (query: Query): Memory => remember(undefined, { data: answer(query), continuous: false });
  return {
    get: get as World['get'],
    problem: () => null,
    env,
    now: () => new Date('2026-01-02T03:04:05.678Z'),
  };
}

const N1 = { ID: '1', Node: 'n1', Address: '10.0.0.1', Datacenter: 'eu', TaggedAddresses: {}, Meta: {} };
const N2 = { ...N1, ID: '2', Node: 'n2', Address: '10.0.0.2' };

/** The world of the reference's examples. */
export const SAMPLE_WORLD: World = worldOf(SAMPLE, SAMPLE_ENV, {
  services: [
    { Name: 'db', Tags: [] },
    { Name: 'web', Tags: ['blue', 'main'] },
  ],
  nodes: [N1, N2],
  'node "n1"': { Node: N1, Services: [{ Service: 'web', Port: 80 }] } as unknown as DataOf['node'],
  datacenters: ['eu', 'us'],
  'connect "web"': [instance({ Name: 'web-proxy', Address: '10.0.0.9', Port: 20000 })],
  caRoots: [
    { RootCert: 'PEM of the root', Active: true },
    { RootCert: 'another', Active: false },
  ] as unknown as DataOf['caRoots'],
  'caLeaf "web"': { CertPEM: 'PEM of the leaf' } as unknown as DataOf['caLeaf'],
  'file "/app/data/banner"': { Content: 'welcome\n' },
});

export function run(source: string, world: World = SAMPLE_WORLD, surroundings: Surroundings = {}): Outcome {
  return compileTemplate(source, { directory: '/app', ...surroundings })(world);
}

/** The text of a template that is to render. */
export function text(source: string, world?: World, surroundings?: Surroundings): string {
  const outcome = run(source, world, surroundings);
  assert.deepEqual([outcome.error, outcome.missing], [undefined, []], source);
  return outcome.text ?? assert.fail(source);
}

/** The error of a template that is not to. */
export function error(source: string, world?: World, surroundings?: Surroundings): string {
  return run(source, world, surroundings).error ?? assert.fail(`${source}: no error`);
}

/** What a template is refused with before there are data. */
export function refusal(source: string, surroundings?: Surroundings): string {
  try {
    compileTemplate(source, surroundings);
  } catch (error) {
    return (error as Error).message;
  }
  return assert.fail(`${source}: not refused`);
}
