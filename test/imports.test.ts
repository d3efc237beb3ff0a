/** The arrows of ARCHITECTURE.md, read from the import statements themselves. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, test } from 'node:test';

const SRC = join(import.meta.dirname, '../src');

interface Import {
  /** `core/order.ts` for a file of ours, the name of a package or of a part of Node otherwise. */
  target: string;
  /** Only types: gone when it runs. */
  typeOnly: boolean;
}

/** File → what it imports. Dynamic `import()` is left out: it is how the lazy parts are loaded. */
const IMPORTS = new Map(
  readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .sort()
    .map((file) => [file, importsOf(file, readFileSync(join(SRC, file), 'utf8'))] as const),
);

function importsOf(file: string, text: string): Import[] {
  const statements = text.matchAll(/^(?:import|export)\s+(?:(type)\s+)?(?:([^'";]*?)\s+from\s+)?'([^']+)'/gm);
  return [...statements].map(([, type, names = '', specifier = '']) => ({
    target: specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : specifier,
    typeOnly: type !== undefined || /^\{(\s*type\s[^,}]+,?)+\s*\}$/.test(names),
  }));
}

function targetsOf(file: string, options: { types: boolean }): string[] {
  return (IMPORTS.get(file) ?? [])
    .filter(({ typeOnly }) => options.types || !typeOnly)
    .map(({ target }) => target);
}

/** All that is loaded with these files, ahead of any `import()`. */
function loadedWith(...roots: string[]): Set<string> {
  const loaded = new Set<string>();
  const todo = [...roots];
  for (let file = todo.pop(); file !== undefined; file = todo.pop()) {
    if (loaded.has(file)) continue;
    loaded.add(file);
    todo.push(...targetsOf(file, { types: false }));
  }
  return loaded;
}

const within = (directory: string): string[] =>
  [...IMPORTS.keys()].filter((file) => file.startsWith(`${directory}/`));

/** `file → target` for each import, types too, that `allowed` does not name. */
function strangers(files: readonly string[], allowed: (target: string) => boolean): string[] {
  return files.flatMap((file) =>
    targetsOf(file, { types: true })
      .filter((target) => !allowed(target))
      .map((target) => `${file} → ${target}`),
  );
}

test('the import statements are read as they are written', () => {
  const text = [
    "import type { A } from './a.ts';",
    "import { type B, type C } from '../b.ts';",
    "import { type D, e } from 'pkg';",
    "import f, { g } from 'node:fs';",
    "import './h.ts';",
    "export * from './i.ts';",
    "import {\n  j,\n  k,\n} from './j.ts';",
    "  const { m } = await import('./lazy.ts');",
    "const from = 'x';",
  ].join('\n');
  assert.deepEqual(
    importsOf('core/x.ts', text).map(({ target, typeOnly }) => `${typeOnly ? 'type ' : ''}${target}`),
    ['type core/a.ts', 'type b.ts', 'pkg', 'node:fs', 'core/h.ts', 'core/i.ts', 'core/j.ts'],
  );
});

test('every import of ours leads to a file, and every file is read', () => {
  assert.ok(IMPORTS.size > 30, `only ${IMPORTS.size} files`);
  assert.deepEqual(
    strangers([...IMPORTS.keys()], (target) => !target.endsWith('.ts') || IMPORTS.has(target)),
    [],
  );
  for (const [file, imports] of IMPORTS) {
    const lines = readFileSync(join(SRC, file), 'utf8').match(/^(import\s[^(]|export\s.*\sfrom\s)/gm) ?? [];
    assert.equal(imports.length, lines.length, file);
  }
});

describe('who imports whom', () => {
  test('core: core, and the words of errors; of Node only the names of signals', () => {
    const allowed = (target: string): boolean =>
      target.startsWith('core/') || ['errors.ts', 'node:os'].includes(target);
    assert.deepEqual(strangers(within('core'), allowed), []);
    const fromOs = within('core').flatMap((file) => {
      const text = readFileSync(join(SRC, file), 'utf8');
      return [...text.matchAll(/import (.*) from 'node:os'/g)].map(([, names]) => `${file}: ${names}`);
    });
    assert.deepEqual(fromOs, ['core/signals.ts: { constants }']);
  });

  test('core reads no clock and waits for nothing', () => {
    for (const file of within('core')) {
      const code = readFileSync(join(SRC, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      assert.doesNotMatch(
        code,
        /\b(Date|performance|setTimeout|setInterval|setImmediate|await|Promise)\b|\bprocess\s*[?.[]/,
        file,
      );
      assert.doesNotMatch(code, /Math\.random|\bimport\(/, file);
    }
  });

  test('os: core, errors, log and os, never upwards', () => {
    const allowed = (target: string): boolean =>
      target.startsWith('core/') ||
      target.startsWith('os/') ||
      ['directories.ts', 'errors.ts', 'log.ts'].includes(target) ||
      !target.endsWith('.ts');
    assert.deepEqual(strangers(within('os'), allowed), []);
  });

  test('errors imports what makes text fit for a terminal, log only core, directories only errors', () => {
    assert.deepEqual(
      strangers(['directories.ts'], (target) => target === 'errors.ts' || !target.endsWith('.ts')),
      [],
    );
    assert.deepEqual(
      strangers(['errors.ts'], (target) => target === 'core/printable.ts'),
      [],
    );
    assert.deepEqual(
      strangers(['log.ts'], (target) => target.startsWith('core/')),
      [],
    );
  });

  test('the templater knows neither the tree nor the OS side of it', () => {
    const ofTheTree = ['tree.ts', 'service.ts', 'shutdown.ts', 'hooks.ts', 'gate.ts', 'cli.ts', 'main.ts'];
    const allowed = (target: string): boolean =>
      !ofTheTree.includes(target) && !/^(os|control|commands)\//.test(target);
    assert.deepEqual(strangers(within('templater'), allowed), []);
  });

  test('the installer of packages knows nothing of the tree', () => {
    const allowed = (target: string): boolean =>
      /^(package|core|os)\//.test(target) ||
      ['directories.ts', 'errors.ts', 'log.ts', 'version.ts'].includes(target) ||
      !target.endsWith('.ts');
    assert.deepEqual(strangers(within('package'), allowed), []);
  });

  test('the tree knows neither the templater nor the commands', () => {
    const files = ['tree.ts', 'service.ts', 'shutdown.ts', 'hooks.ts', 'gate.ts', ...within('control')];
    const allowed = (target: string): boolean =>
      !/^(templater|commands|package)\/|^(cli|main)\.ts$/.test(target);
    assert.deepEqual(strangers(files, allowed), []);
  });

  test('lint reads: core, os and templater, and nothing that runs a tree; nobody but its command knows it', () => {
    const allowed = (target: string): boolean =>
      /^(core|os|templater|lint)\//.test(target) || target === 'errors.ts' || target.startsWith('node:');
    assert.deepEqual(strangers(within('lint'), allowed), []);
    for (const target of ['os/spawn.ts', 'os/native.ts', 'templater/templater.ts', 'templater/unit.ts'])
      assert.ok(!loadedWith('lint/lint.ts').has(target), target);
    const others = [...IMPORTS.keys()].filter((file) => !/^lint\/|^commands\/lint\.ts$/.test(file));
    assert.deepEqual(
      strangers(others, (target) => !target.startsWith('lint/')),
      [],
    );
  });

  test('what builds is no part of what is built', () => {
    const others = [...IMPORTS.keys()].filter((file) => !file.startsWith('build/'));
    assert.deepEqual(
      strangers(others, (target) => !target.startsWith('build/')),
      [],
    );
    assert.deepEqual(
      strangers(within('build'), (target) => target.startsWith('build/') || !target.endsWith('.ts')),
      [],
    );
  });

  test('the cold verbs are reached through main.ts alone, or they would not be cold', () => {
    const config = readFileSync(join(SRC, '../tsup.config.ts'), 'utf8');
    const [, list = ''] = /COLD = \[(.*?)\]/.exec(config) ?? [];
    const cold = [...list.matchAll(/'(\w+)'/g)].map(([, verb]) => `commands/${verb}.ts`);
    assert.ok(cold.length > 3 && cold.every((file) => IMPORTS.has(file)));
    const importers = [...IMPORTS.keys()].filter((file) => file !== 'main.ts' && !cold.includes(file));
    const found = importers.flatMap((file) => {
      const text = readFileSync(join(SRC, file), 'utf8');
      const specifiers = [...text.matchAll(/'(\.{1,2}\/[^']+\.ts)'/g)].map(([, specifier = '']) => specifier);
      return specifiers
        .filter((specifier) => cold.includes(normalize(join(dirname(file), specifier))))
        .map((specifier) => `${file} → ${specifier}`);
    });
    assert.deepEqual(found, []);
  });

  test('one service does not know the tree', () => {
    const above = ['tree.ts', 'shutdown.ts', 'hooks.ts', 'gate.ts'];
    assert.deepEqual(
      strangers(['service.ts'], (target) => !above.includes(target)),
      [],
    );
  });
});

describe('what PID 1 loads', () => {
  /** main.ts imports the verb that it was given: here `run`. */
  const loaded = loadedWith('main.ts', 'commands/run.ts');

  test('is the tree, and of packages nothing at all', () => {
    assert.ok(
      loaded.has('tree.ts') && loaded.has('core/lifecycle.ts') && loaded.has('os/spawn.ts'),
      'the walk works',
    );
    const packages = [...loaded].filter((target) => !target.endsWith('.ts') && !target.startsWith('node:'));
    assert.deepEqual(packages, []);
  });

  test('is neither the templater nor what costs time', () => {
    for (const name of ['chokidar', 'handlebars', 'pino', 'yaml', 'consul', 'execa', 'fflate'])
      assert.ok(!loaded.has(name), name);
    assert.deepEqual(
      [...loaded].filter((target) =>
        /^(templater|control|package|lint)\/|^node:(http|https|tls|crypto|zlib)$/.test(target),
      ),
      [],
    );
  });

  test('and main.ts imports its verbs when it needs them', () => {
    assert.deepEqual(
      targetsOf('main.ts', { types: false }).filter((target) => target.startsWith('commands/')),
      [],
    );
  });
});

test('there is no cycle, not even one of types', () => {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      return;
    }
    if (done.has(file)) return;
    for (const target of targetsOf(file, { types: true })) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of IMPORTS.keys()) visit(file, []);
  assert.deepEqual(cycles, []);
});
