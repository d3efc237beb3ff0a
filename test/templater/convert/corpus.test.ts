/**
 * The converter on a corpus: each Go template beside what Go makes of it (oracle/main.go; yaml-toml by hand: the same values in our layout). What it is
 * turned into must render the same bytes.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { convert } from '../../../src/templater/convert/convert.ts';
import { turnable } from '../../../src/templater/convert/functions.ts';
import { remember } from '../../../src/templater/memory.ts';
import { compileTemplate, type Outcome } from '../../../src/templater/render.ts';
import { answerFromFile, readFileData } from '../../../src/templater/source/file-data.ts';

const CORPUS = join(import.meta.dirname, 'corpus');
const NAMES = readdirSync(CORPUS)
  .filter((name) => name.endsWith('.ctmpl'))
  .map((name) => basename(name, '.ctmpl'));
const DATA = readFileData(JSON.parse(readFileSync(join(import.meta.dirname, 'data.json'), 'utf8')));

function read(name: string): string {
  return readFileSync(join(CORPUS, name), 'utf8');
}

/** Renders on the corpus's data, which are all there. */
async function render(text: string, partials: ReadonlyMap<string, string>): Promise<Outcome> {
  const compiled = compileTemplate(text, { partials });
  await compiled.load();
  return compiled({
    get: (query) => remember(undefined, { data: answerFromFile(DATA, query), continuous: true }),
    problem: () => null,
    env: { APP_ENV: 'prod', APP_PORT: '8080' },
  });
}

describe('the corpus renders to the bytes that Go makes of it', () => {
  for (const name of NAMES)
    test(name, async () => {
      const { text = '', partials, problems } = convert(read(`${name}.ctmpl`), { settings: ['dest: x'] });
      assert.deepEqual(problems, []);
      const { text: rendered, error, missing } = await render(text, partials);
      assert.equal(error, undefined, text);
      assert.deepEqual(missing, [], text);
      assert.equal(rendered, read(`${name}.out`), text);
    });
});

test('the corpus is of a size, and uses every function that can be turned', () => {
  assert.ok(NAMES.length >= 60, `only ${NAMES.length}`);
  const all = NAMES.map((name) => read(`${name}.ctmpl`)).join('\n');
  const unused = turnable().filter(
    (name) => !new RegExp(`(?<![\\w."])${name.replace('.', '\\.')}(?!\\w)`).test(all),
  );
  // These three depend on the machine and the moment, or on the mesh; corpus.test.ts has them below.
  assert.deepEqual(unused.sort(), ['caLeaf', 'caRoots', 'connect', 'file', 'sockaddr', 'timestamp']);
});

test('what depends on the machine or the mesh is turned all the same', () => {
  const { text, problems } = convert(
    '{{ range connect "web" }}a{{ end }}{{ range caRoots }}b{{ end }}{{ with caLeaf "web" }}c{{ end }}{{ file "/a" }}{{ timestamp }}{{ timestamp "unix" }}{{ sockaddr "GetPrivateIP" }}',
  );
  assert.deepEqual(problems, []);
  assert.equal(
    text,
    '{{#each (connect "web")}}a{{/each}}{{#each (caRoots)}}b{{/each}}{{#with (caLeaf "web")}}c{{/with}}{{file "/a"}}{{timestamp}}{{timestamp "unix"}}{{sockaddr "GetPrivateIP"}}',
  );
});
