/**
 * Prints how large what we build is, as a table: on disk, and as a registry or npm would keep it. Run it by
 *
 *     npm run sizes
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';

const DIST = join(import.meta.dirname, '../../dist');

const rows = readdirSync(DIST)
  .filter((name) => /^supervise(\.cjs)?$|\.node$/.test(name))
  .sort()
  .map((name) => [name, readFileSync(join(DIST, name))] as const);
const bundle = Buffer.concat(rows.filter(([name]) => name !== 'supervise').map(([, content]) => content));

console.log('| | on disk | gzip | zstd |\n| --- | --- | --- | --- |');
for (const [name, content] of [...rows, ['bundle and addons', bundle] as const])
  console.log(`| ${[name, content, gzipSync(content), zstdCompressSync(content)].map(cell).join(' | ')} |`);

function cell(value: string | Buffer): string {
  if (typeof value === 'string') return value;
  return value.length < 1e6
    ? `${(value.length / 1e3).toFixed(1)} kB`
    : `${(value.length / 1e6).toFixed(1)} MB`;
}
