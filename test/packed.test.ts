/** What goes out: the npm package, what it says of the code of others, and how large it is. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { brotliDecompressSync } from 'node:zlib';
import { thirdParties } from '../src/build/third-party.ts';
import { VERSION } from '../src/version.ts';
import { BUNDLE, NODE, SLEEPER, startTree, tempDir, writeFiles } from './tree.ts';

const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
const CONTENTS = [
  'LICENSE',
  'README.md',
  'dist/THIRD-PARTY-NOTICES.txt',
  'dist/reaper-arm64.node',
  'dist/reaper-x64.node',
  'dist/supervise.cdx.json',
  'dist/supervise.cjs',
  'package.json',
];

/** npm, away from this machine's settings, cache and network. */
function npm(t: TestContext, cwd: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('npm', args, {
    cwd,
    encoding: 'utf8',
    env: {
      PATH: `${dirname(NODE)}:${process.env['PATH']}`,
      HOME: tempDir(t),
      npm_config_cache: tempDir(t),
      npm_config_offline: 'true',
      npm_config_audit: 'false',
      npm_config_fund: 'false',
      npm_config_update_notifier: 'false',
    },
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

test('a package that is loaded by import() is whole in the bundle', (t) => {
  const directory = tempDir(t);
  writeFiles(directory, {
    '.supervise/kv.yaml': 'kv: { a: 1 }\n',
    'app/run': SLEEPER,
    'app/templates/a.hbs': '{{!-- dest: ../a --}}\n{{key "a"}} {{#with (parseYAML "b: 2")}}{{b}}{{/with}}\n',
  });
  const args = [BUNDLE, 'template', '--services', directory, '--once'];
  const { status, stderr } = spawnSync(NODE, args, { cwd: directory, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.equal(readFileSync(join(directory, 'a'), 'utf8'), '1 2\n');
});

test('npm pack: what a user needs and nothing else, installed without a network, and run', (t) => {
  const directory = tempDir(t);
  // Without the scripts: they would build dist/ again, under the feet of the other tests.
  const [packed] = JSON.parse(
    npm(t, ROOT, 'pack', '--json', '--ignore-scripts', '--pack-destination', directory),
  ) as {
    filename: string;
    files: { path: string; mode: number }[];
  }[];
  assert.ok(packed);
  assert.deepEqual(packed.files.map(({ path }) => path).sort(), CONTENTS);

  const user = join(directory, 'user');
  mkdirSync(user);
  npm(t, user, 'install', join(directory, packed.filename));
  assert.deepEqual(
    readdirSync(join(user, 'node_modules')).filter((name) => !name.startsWith('.')),
    ['supervise'],
  );
  assert.equal(npm(t, user, 'exec', '--', 'supervise', '--version'), `supervise ${VERSION}\n`);
});

test('the bundle and one addon, copied alone, are enough', async (t) => {
  const alone = tempDir(t);
  for (const file of ['supervise.cjs', `reaper-${process.arch}.node`])
    copyFileSync(join(DIST, file), join(alone, file));
  const tree = startTree(t, { 'a/run': SLEEPER }, { bundle: join(alone, 'supervise.cjs') });
  await tree.event('started', 'a');
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
  assert.deepEqual(tree.eventsOf('orphans will not be reaped'), []);
});

test('the bundle and the addons are 500 kB at most, in all', () => {
  const files = ['supervise.cjs', 'reaper-x64.node', 'reaper-arm64.node'];
  const sizes = files.map((file) => statSync(join(DIST, file)).size);
  const sum = sizes.reduce((a, b) => a + b);
  assert.ok(sum <= 500_000, `${sum} bytes: ${sizes.join(' + ')}`);
});

test('what the packed verbs throw is told like any other error', () => {
  const { status, stderr } = spawnSync(NODE, [BUNDLE, 'lint', '/nowhere'], { encoding: 'utf8' });
  assert.equal(status, 100);
  assert.match(stderr, /^supervise: cannot read [^\n]*\n {2}hint: [^\n]*\n$/);
});

describe('the code of others in the bundle', () => {
  interface Bill {
    bomFormat: string;
    specVersion: string;
    metadata: { component: { name: string; version: string } };
    components: {
      group?: string;
      name: string;
      version: string;
      purl: string;
      hashes: { content: string }[];
    }[];
  }
  const bill = JSON.parse(readFileSync(join(DIST, 'supervise.cdx.json'), 'utf8')) as Bill;
  const noticed = readFileSync(join(DIST, 'THIRD-PARTY-NOTICES.txt'), 'utf8');
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; integrity: string }>;
  };
  const nameOf = ({ group, name }: Bill['components'][number]): string => (group ? `${group}/${name}` : name);

  test('is listed: each package with version and sum of the lock, and with its licence', () => {
    assert.deepEqual([bill.bomFormat, bill.specVersion], ['CycloneDX', '1.6']);
    assert.deepEqual(bill.metadata.component.version, VERSION);
    assert.ok(bill.components.length > 10);
    for (const component of bill.components) {
      const name = nameOf(component);
      const locked = lock.packages[`node_modules/${name}`];
      assert.equal(component.version, locked?.version, name);
      assert.equal(component.purl, `pkg:npm/${name.replace('@', '%40')}@${component.version}`);
      const sum = Buffer.from(component.hashes[0]?.content ?? '', 'hex').toString('base64');
      assert.equal(`sha512-${sum}`, locked?.integrity, name);
      assert.ok(
        noticed.includes(`\n${name} ${component.version} (`),
        `${name} has its licence in the notices`,
      );
    }
    const licence = readFileSync(join(ROOT, 'node_modules/handlebars/LICENSE'), 'utf8').trim();
    assert.ok(noticed.includes(licence), 'the whole text');
  });

  test('is there: words of each that no minifier changes, and of no package of development', () => {
    const code = readFileSync(BUNDLE, 'utf8');
    const [, small = ''] = /Buffer\.from\("([\w+/=]{1000,})","base64"\)/.exec(code) ?? [];
    const all = code + brotliDecompressSync(Buffer.from(small, 'base64')).toString();
    const names = bill.components.map(nameOf);
    /** A sentence in the code of each, by which it is known. */
    const words: Record<string, string> = {
      handlebars: 'Template was precompiled with an older version of Handlebars',
      yaml: 'Unresolved alias',
      pino: 'pino',
      chokidar: 'followSymlinks',
      consul: 'Consul.kv',
      execa: 'Command failed with',
      'fast-check': 'Property failed after',
    };
    for (const [name, word] of Object.entries(words))
      assert.equal(names.includes(name), all.includes(word), name);
  });

  test('comes out the same each time, and one without a licence stops the build', () => {
    const inputs = bill.components.map((component) => `node_modules/${nameOf(component)}/index.js`);
    const listed = thirdParties([...inputs.toReversed(), 'src/main.ts', ...inputs], ROOT);
    assert.deepEqual(
      listed.map(({ name }) => name),
      bill.components.map(nameOf),
    );
    assert.throws(
      () => thirdParties(['node_modules/nobody/index.js'], ROOT),
      /^Error: cannot list node_modules\/nobody:/,
    );
  });
});
