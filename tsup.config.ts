import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'tsup';
import { chunks } from './src/build/chunks.ts';
import { thirdPartyFiles } from './src/build/third-party.ts';
import type { SampleFile } from './src/commands/init.ts';

/** The sample tree, which `supervise init` writes: what the README runs is what a new user gets. */
function sample(directory: string): SampleFile[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(directory, path)).isFile() && !path.includes('/data/'))
    .sort()
    .map((path) => ({
      path,
      text: readFileSync(join(directory, path), 'utf8'),
      executable: (statSync(join(directory, path)).mode & 0o100) !== 0,
    }));
}

/** Verbs that neither run a tree nor ask one. */
const COLD = ['template', 'lint', 'init', 'install', 'help', 'completion'].map(
  (verb) => `./commands/${verb}.ts`,
);

/** Handlebars looks for it, and does without it. */
const EXTERNAL = ['source-map'];

/** pino writes to a stream of ours: no file, no worker, no process's exit is its business. */
const STAND_INS = [
  {
    asked: /^(sonic-boom|on-exit-leak-free|\.\/lib\/transport|\.\/transport)$/,
    by: /\/pino\//,
    code: 'module.exports = class {};',
  },
  { asked: /^worker_threads$/, by: /\/pino\//, code: 'exports.isMainThread = true;' },
];

/** What the chunks are made of; known once they are built. */
const inputs: string[] = [];

export default defineConfig({
  entry: { supervise: 'src/main.ts' },
  format: ['cjs'],
  platform: 'node',
  target: 'node22',
  outDir: 'dist',
  clean: true,
  splitting: false,
  minify: true,
  silent: true,
  dts: false,
  external: EXTERNAL,
  // node:sea has no name without it.
  removeNodeProtocol: false,
  publicDir: 'src/os/native/prebuilt',
  define: { SAMPLE: JSON.stringify(sample('services.d')) },
  esbuildPlugins: [
    chunks(
      {
        entry: 'src/main.ts',
        hot: 'src/commands/run.ts',
        cold: COLD,
        external: EXTERNAL,
        standIns: STAND_INS,
      },
      (parts) => inputs.push(...Object.keys(parts)),
    ),
    thirdPartyFiles(() => inputs),
  ],
});
