/** The package as it is: its own Node, its version, and nothing of the machine that it was made on. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, test } from 'node:test';
import { VERSION } from '../src/version.ts';

const ROOT = join(import.meta.dirname, '..');
const BIN = join(ROOT, 'node_modules/.bin');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

interface Package {
  version: string;
  bin: Record<string, string>;
  dependencies?: Record<string, string>;
  devDependencies: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}
const PACKAGE = JSON.parse(read('package.json')) as Package;
/** In a package of its own among the development dependencies: a user's npm never sees it. */
const OWN_NODES = (JSON.parse(read('test/own-node/package.json')) as Package).optionalDependencies ?? {};
/** The Node that the project brings along for this machine. */
const OWN_NODE = OWN_NODES[`node-linux-${process.arch}`];

describe('its own Node', () => {
  test('is the same for every machine', () => {
    const versions = Object.values(OWN_NODES);
    assert.ok(versions.length >= 2);
    assert.equal(new Set(versions).size, 1);
  });

  test('is the one in node_modules/.bin', () => {
    const version = execFileSync(join(BIN, 'node'), ['--version'], { encoding: 'utf8' }).trim();
    assert.equal(version, `v${OWN_NODE}`);
  });

  test('is the one that npm scripts find first, and the one that runs this', () => {
    const path = [BIN, process.env['PATH']].join(delimiter);
    const found = execFileSync('/bin/sh', ['-c', 'command -v node && node --version'], {
      encoding: 'utf8',
      env: { PATH: path },
    });
    assert.equal(found, `${join(BIN, 'node')}\nv${OWN_NODE}\n`);
    assert.equal(
      process.version,
      `v${OWN_NODE}`,
      'run it by npm test, or with node_modules/.bin first in PATH',
    );
  });
});

test('the version that it tells is that of package.json and of the lock', () => {
  assert.equal(VERSION, PACKAGE.version);
  const lock = JSON.parse(read('package-lock.json')) as {
    version: string;
    packages: Record<string, Package>;
  };
  assert.equal(lock.version, PACKAGE.version);
  assert.equal(lock.packages['']?.version, PACKAGE.version);
  assert.deepEqual(lock.packages['']?.devDependencies, PACKAGE.devDependencies);
  assert.deepEqual(lock.packages['test/own-node']?.optionalDependencies, OWN_NODES);
});

test('what it is made with is pinned, and none of it is needed where it runs', () => {
  assert.equal(PACKAGE.dependencies, undefined);
  assert.equal(PACKAGE.optionalDependencies, undefined);
  const { 'own-node': ownNode, ...made } = PACKAGE.devDependencies;
  assert.equal(ownNode, 'file:test/own-node');
  for (const [name, version] of Object.entries({ ...made, ...OWN_NODES }))
    assert.match(version, /^\d+\.\d+\.\d+$/, name);
});

/** Directories of this repository. */
const OURS = ['', 'node_modules/own-node', 'test/own-node'];

test('the lock names sums, and no place to fetch from', () => {
  const lock = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { resolved?: string; integrity?: string; link?: boolean }>;
  };
  for (const [path, { resolved, integrity }] of Object.entries(lock.packages)) {
    if (OURS.includes(path)) continue;
    assert.equal(resolved, undefined, path);
    assert.ok(integrity, `${path} has no sum`);
  }
});

test('no file of ours names a place of the machine that it was made on', () => {
  // In pieces, or this file would be found.
  const places = [
    new RegExp(['(?<![\\w.*-])', 'work', '(main|shared)\\b'].join('/')),
    new RegExp(['(?<![\\w.*$}-])', 'work', ''].join('/')),
    new RegExp(['(?<![\\w.-])', '(home|Users)', '[a-z]\\w*', ''].join('/')),
    new RegExp(`\\b(${['registry', 'npm', 'npmjs'].join('|')})\\.[a-z0-9-]+\\.[a-z]{2,}\\b`),
    new RegExp(`^\\s*(@[\\w-]+:)?${'registry'}\\s*=`, 'm'),
  ];
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(ROOT, file)));
  assert.ok(files.includes('package.json') && files.length > 40, 'git told of the files');
  const found = files.flatMap((file) =>
    readFileSync(join(ROOT, file), 'latin1')
      .split('\n')
      .flatMap((line, i) =>
        places.some((place) => place.test(line)) ? [`${file}:${i + 1}: ${line.trim().slice(0, 120)}`] : [],
      ),
  );
  assert.deepEqual(found, []);
});

test('the bundle can be executed by its own name, as npm and images do', () => {
  const { status, stdout } = spawnSync(join(ROOT, 'dist/supervise.cjs'), ['--version'], {
    env: { PATH: `${BIN}${delimiter}${process.env['PATH']}` },
    encoding: 'utf8',
  });
  assert.equal(status, 0);
  assert.equal(stdout, `supervise ${VERSION}\n`);
});
