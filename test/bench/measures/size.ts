import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { BUNDLE } from '../../tree.ts';
import type { Bench } from '../context.ts';
import { onPath } from '../path.ts';
import type { Quantity } from '../results.ts';

export const SIZE: Quantity = { measure: 'size', what: 'size: on disk', unit: 'kB' };
const PACKED: Quantity = { measure: 'size', what: 'size: gzip', unit: 'kB' };
/** Debian's packages of the peers; what they depend on comes on top (Python, for one, is 30 MB). */
const PACKAGES: Record<string, readonly string[]> = {
  s6: ['s6', 'libs6-2.11', 'libskarnet2.13', 'libexecline2.9', 'execline'],
  runit: ['runit'],
  supervisord: ['supervisor'],
  tini: ['tini'],
  'dumb-init': ['dumb-init'],
  catatonit: ['catatonit'],
};

/** (9) what we add to an image, beside what Debian says of the peers' packages. */
export async function size({ results, peers }: Bench): Promise<void> {
  const dist = dirname(BUNDLE);
  for (const name of readdirSync(dist).sort()) {
    if (!/^supervise(\.cjs)?$|\.node$/.test(name)) continue;
    const content = readFileSync(join(dist, name));
    const what = name === 'supervise' ? 'supervise, executable' : name;
    results.add(SIZE, what, content.length / 1000);
    results.add(PACKED, what, gzipSync(content).length / 1000);
  }
  if (!readdirSync(dist).includes('supervise'))
    results.say(
      'size: the executable is not built; `npm run build:binary`, then `node test/bench/bench.ts size`',
    );
  for (const { name } of peers) {
    const installed = sizeOfPackages(PACKAGES[name] ?? []);
    if (installed !== undefined) results.add(SIZE, `${name}, Debian’s package`, installed);
  }
  const pm2 = onPath('pm2-runtime');
  if (pm2 && peers.some(({ name }) => name === 'pm2-runtime'))
    results.add(SIZE, 'pm2-runtime, its node_modules', sizeOfTree(nodeModulesOf(realpathSync(pm2))) / 1000);
}

/** kB, of those packages that are installed. */
function sizeOfPackages(names: readonly string[]): number | undefined {
  if (names.length === 0) return undefined;
  const { status, stdout } = spawnSync('dpkg-query', ['-W', '-f', '${Installed-Size}\n', ...names], {
    encoding: 'utf8',
  });
  if (status === null || stdout === '') return undefined;
  return stdout.split('\n').reduce((sum, line) => sum + Number(line) * 1.024, 0);
}

function nodeModulesOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/node_modules/') + '/node_modules'.length);
}

function sizeOfTree(directory: string): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
