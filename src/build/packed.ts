import { dirname, resolve } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import type { BuildOptions, Metafile, Plugin } from 'esbuild';

/** What is packed, and who imports it. */
export interface Packing {
  /** The file that imports them by `import()`. */
  importer: string;
  /** The imports, as they are written there. */
  imports: readonly string[];
  /** Packages that stay outside. */
  external: readonly string[];
}

/**
 * Puts some verbs into the bundle as one compressed string, unpacked when the first of them is called. They are the greater part
 * of the program, and PID 1 needs none of it: so the file is half as large, and Node has half as much to read ahead of the first
 * service.
 *
 * What both parts import is there twice. So nothing may cross from one to the other but plain data and functions: an `instanceof`
 * would fail there.
 * @param onInputs is told what the packed part is made of
 */
export function packed(
  { importer, imports, external }: Packing,
  onInputs: (inputs: Metafile['inputs']) => void,
): Plugin {
  const from = resolve(importer);
  return {
    name: 'packed',
    setup({ onResolve, onLoad, initialOptions, esbuild }) {
      onResolve({ filter: /^\.\// }, ({ path, importer: file }) =>
        file === from && imports.includes(path) ? { path: 'verbs', namespace: 'packed' } : undefined,
      );
      onLoad({ filter: /.*/, namespace: 'packed' }, async () => {
        const { outputFiles, metafile } = await esbuild.build({
          ...sameAs(initialOptions),
          external: [...external],
          stdin: {
            contents: imports.map((path) => `export * from ${JSON.stringify(path)};`).join('\n'),
            resolveDir: dirname(from),
          },
          write: false,
          metafile: true,
        });
        onInputs(metafile.inputs);
        const [output] = outputFiles;
        if (!output) throw new Error('the packed part came out empty');
        return { contents: unpacking(output.contents), loader: 'js' };
      });
    },
  };
}

function sameAs({ platform, target, format, minify, define }: BuildOptions): BuildOptions {
  return {
    bundle: true,
    ...(platform && { platform }),
    ...(target && { target }),
    ...(format && { format }),
    ...(minify !== undefined && { minify }),
    ...(define && { define }),
  };
}

/** CommonJS that unpacks and runs it, once. */
function unpacking(code: Uint8Array): string {
  const small = brotliCompressSync(code, {
    params: { [constants.BROTLI_PARAM_SIZE_HINT]: code.length, [constants.BROTLI_PARAM_LGWIN]: 22 },
  });
  return `
    const { compileFunction } = require('node:vm');
    const { brotliDecompressSync } = require('node:zlib');
    const code = brotliDecompressSync(Buffer.from('${small.toString('base64')}', 'base64')).toString();
    const filename = __filename + '/verbs';
    compileFunction(code, ['module', 'exports', 'require'], { filename })(module, module.exports, require);`;
}
