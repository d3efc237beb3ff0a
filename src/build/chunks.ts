import { basename, dirname, relative, resolve } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import type { BuildOptions, Metafile, Plugin, PluginBuild } from 'esbuild';

/** How a program of many parts becomes one file. */
export interface Chunking {
  /** The entry, whose code is all that is compiled in every case. */
  entry: string;
  /** A file that the entry imports by `import()`, and whose code is compiled in one piece: the time to it counts. */
  hot: string;
  /** The entry's other imports that nothing else needs: they are compressed. */
  cold: readonly string[];
  /** Packages that stay outside. */
  external: readonly string[];
  /** What some package asks for and never needs here: what is asked for, by whom → CommonJS that stands in for it. */
  standIns: readonly { asked: RegExp; by: RegExp; code: string }[];
}

interface Chunk {
  name: string;
  /** CommonJS: the body of a function of `module`, `exports` and `require`. */
  code: string;
  /** Names of chunks that it imports at once, and those that it imports later. */
  now: string[];
  later: string[];
}

/**
 * Puts each part that is loaded by `import()` into the bundle as a string, compiled when it is asked for. Node has to understand
 * every byte of code ahead of the first service, and at every HEALTHCHECK; a string it passes over. What nobody but a cold part
 * needs is compressed, all in one, so that the file is half as large.
 *
 * esbuild cuts the program at each `import()` (its code splitting); what two parts share is there once.
 * @param onInputs is told what the parts are made of
 */
export function chunks(chunking: Chunking, onInputs: (inputs: Metafile['inputs']) => void): Plugin {
  const entry = resolve(chunking.entry);
  return {
    name: 'chunks',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        if (path !== entry) return undefined;
        const { found, inputs } = await split(build, chunking);
        onInputs(inputs);
        return { contents: assemble(found, chunking), loader: 'js' };
      });
    },
  };
}

async function split(
  { esbuild, initialOptions }: PluginBuild,
  { entry, external, standIns }: Chunking,
): Promise<{ found: Found; inputs: Metafile['inputs'] }> {
  const options = sameAs(initialOptions);
  const { outputFiles, metafile } = await esbuild.build({
    ...options,
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    splitting: true,
    outdir: 'chunks',
    external: [...external],
    plugins: [standingIn(standIns)],
    write: false,
    metafile: true,
  });
  const parts = new Map<string, Chunk>();
  const byInput = new Map<string, string>();
  for (const { path, text } of outputFiles) {
    const key = relative(process.cwd(), path);
    const output = metafile.outputs[key];
    if (!output) throw new Error(`esbuild says nothing of ${key}`);
    const { code } = await esbuild.transform(text.replace(HASHBANG, ''), {
      ...options,
      format: 'cjs',
      // There is no import() in a function that was compiled from a string.
      supported: { 'dynamic-import': false },
    });
    const imports = (kind: string): string[] =>
      output.imports
        .filter((each) => each.kind === kind && !each.external)
        .map((each) => basename(each.path));
    const name = basename(path);
    const isCommonJs =
      output.entryPoint !== undefined && metafile.inputs[output.entryPoint]?.format === 'cjs';
    parts.set(name, {
      name,
      code: isCommonJs ? `${code}${NAMED}` : code,
      now: imports('import-statement'),
      later: imports('dynamic-import'),
    });
    if (output.entryPoint) byInput.set(resolve(output.entryPoint), name);
  }
  return { found: { parts, byInput }, inputs: metafile.inputs };
}

function standingIn(standIns: Chunking['standIns']): Plugin {
  return {
    name: 'stand-ins',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /.*/ }, ({ path, importer }) => {
        const index = standIns.findIndex(({ asked, by }) => asked.test(path) && by.test(importer));
        return index < 0 ? undefined : { path: `${index}`, namespace: 'stand-in' };
      });
      onLoad({ filter: /.*/, namespace: 'stand-in' }, ({ path }) => ({
        contents: standIns[Number(path)]?.code ?? '',
      }));
    },
  };
}

/** Cut off by import(), a package of CommonJS has a default export and no other; Node gives it those by name, too. */
const NAMED = ';module.exports={...module.exports.default,default:module.exports.default,__esModule:true};';

/** It must be the first line of all. */
const HASHBANG = /^#!.*\n/;

interface Found {
  parts: Map<string, Chunk>;
  /** Source file → the chunk that it begins. */
  byInput: Map<string, string>;
}

function sameAs({
  platform,
  target,
  minify,
  define,
}: BuildOptions): Pick<BuildOptions, 'platform' | 'target' | 'minify' | 'define'> {
  return {
    ...(platform && { platform }),
    ...(target && { target }),
    ...(minify !== undefined && { minify }),
    ...(define && { define }),
  };
}

/** The bundle: what loads a chunk, and all of them as strings. */
function assemble({ parts, byInput }: Found, { entry, hot, cold }: Chunking): string {
  const at = (file: string): string => {
    const name = byInput.get(resolve(file));
    if (name === undefined) throw new Error(`nothing imports ${file} by import()`);
    return name;
  };
  const from = dirname(entry);
  const first = closure(parts, at(entry), []);
  const second = closure(parts, at(hot), []).filter((name) => !first.includes(name));
  const coldOnes = cold.map((path) => at(resolve(from, path)));
  const warm = closure(parts, at(entry), ['later'], coldOnes);
  const alone = [...parts.keys()].filter((name) => !first.includes(name) && !second.includes(name));
  const groups = [first, second, ...alone.filter((name) => warm.includes(name)).map((name) => [name])];
  const frozen = alone.filter((name) => !warm.includes(name)).map((name) => [name]);
  const codeOf = (names: readonly string[]): string =>
    // In parentheses V8 compiles a function at once, and not twice.
    names
      .map(
        (name) =>
          `define(${JSON.stringify(name)},(function(module,exports,require){${parts.get(name)?.code}}));`,
      )
      .join('');
  const sources = (all: readonly string[][]): [string[], string][] =>
    all.map((names) => [names, codeOf(names)]);
  const small = brotliCompressSync(JSON.stringify(sources(frozen)), {
    params: { [constants.BROTLI_PARAM_LGWIN]: 22 },
  });
  return `#!/usr/bin/env node
    const { compileFunction } = require('node:vm');
    const groups = new Map();
    const functions = new Map();
    const modules = new Map();
    const define = (name, run) => functions.set(name, run);
    const add = (sources) => {
      for (const [names, code] of sources) for (const name of names) groups.set(name, { name: names[0], code });
    };
    const load = (specifier) => {
      if (!specifier.startsWith('./')) return require(specifier);
      const name = specifier.slice(2);
      const known = modules.get(name);
      if (known) return known.exports;
      if (!functions.has(name)) {
        if (!groups.has(name)) thaw();
        const group = groups.get(name);
        compileFunction(group.code, ['define'], { filename: __filename + '/' + group.name })(define);
      }
      const module = { exports: {} };
      modules.set(name, module);
      functions.get(name)(module, module.exports, load);
      return module.exports;
    };
    const thaw = () => {
      const { brotliDecompressSync } = require('node:zlib');
      add(JSON.parse(brotliDecompressSync(Buffer.from('${small.toString('base64')}', 'base64')).toString()));
    };
    add(${JSON.stringify(sources(groups))});
    load('./${at(entry)}');`;
}

/**
 * Chunks that come with one, itself the last: those that it imports at once, and where asked those that it imports later.
 * @param but not these, nor what only they need
 */
function closure(
  parts: Found['parts'],
  root: string,
  kinds: readonly 'later'[],
  but: readonly string[] = [],
): string[] {
  const found = new Set<string>();
  const visit = (name: string): void => {
    const chunk = parts.get(name);
    if (!chunk || found.has(name) || but.includes(name)) return;
    found.add(name);
    for (const next of [...chunk.now, ...kinds.flatMap((kind) => chunk[kind])]) visit(next);
  };
  visit(root);
  return [...found].reverse();
}
