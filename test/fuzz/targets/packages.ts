/** ZIP files: broken, lying, and made to do harm; and what stands in a package. */
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { MARKER } from '../../../src/core/package.ts';
import { parseAddress } from '../../../src/package/address.ts';
import { install } from '../../../src/package/install.ts';
import { parseOptions } from '../../../src/package/options.ts';
import { snapshot } from '../../package/installing.ts';
import { DIRECTORY, FILE, LINK, type Part, SCRIPT, zip } from '../../package/zip.ts';
import { mutated } from '../bytes.ts';
import { scratch } from '../scratch.ts';
import { SILENT } from '../silent.ts';
import type { Target } from '../target.ts';
import { WEIRD } from '../words.ts';

const number = fc.constantFrom(0, 1, 4, 255, 65_535, 0x7fff_ffff, 0xffff_ffff);
const manifest = JSON.stringify({ name: 'p', version: '1', services: { app: '1' } });
const NAMES = ['run', 'a', 'a/b', 'b/', 'dir/c', 'services.d/app/run', 'services.d/', 'x', 'y', 'z'];
const name = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(...NAMES) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<string | Buffer>(
      ...['A', 'manifest.json', MARKER, '../x', 'a/../../x', '/x', 'C:/x', 'a\\b', 'a/./b', 'é', 'e\u0301'],
      ...[Buffer.from([0xff]), Buffer.from([0x61, 0]), ...WEIRD],
    ),
  },
);

/** Nearly always as it should be. */
function mostly<T>(usual: readonly T[], others: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...usual) }, { weight: 1, arbitrary: others });
}

const part: fc.Arbitrary<Part> = fc.record({
  name,
  content: fc.constantFrom('', 'text', '#!/bin/sh\n', manifest, '{"name":{}}', '{', 'x'.repeat(100_000)),
  mode: mostly([FILE, SCRIPT, undefined], fc.constantFrom(DIRECTORY, LINK, 0o104755, 0o020666, 0o010644, 0)),
  method: mostly([8, 0], fc.constantFrom(9, 99)),
  flags: mostly([0], fc.constantFrom(1, 8, 0x2000)),
  lies: mostly<NonNullable<Part['lies']>>(
    [{}],
    fc.record({ crc: number, size: number, packed: number, offset: number }, { requiredKeys: [] }),
  ),
});

const GOOD = [
  zip([
    { name: 'run', content: '#!/bin/sh\n', mode: SCRIPT },
    { name: 'dir/', mode: DIRECTORY },
    { name: 'dir/file', content: 'x'.repeat(1000), mode: FILE },
  ]),
  zip([{ name: 'manifest.json', content: manifest, mode: FILE }]),
  zip([{ name: 'stored', content: 'abc', method: 0 }], { streamed: true, comment: 'PK' }),
];

const archives = fc.oneof(
  fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => zip(parts)),
  fc
    .tuple(fc.array(part, { minLength: 1, maxLength: 3 }), fc.boolean())
    .chain(([parts, streamed]) => mutated([zip(parts, { streamed })])),
  mutated(GOOD),
);

/** Small, so that a bomb need not be a large one. */
const MOST_UNPACKED = 10_000_000;

export const packages: Target<Buffer> = {
  about: 'the installer, from a file to its directory',
  cases: archives,
  async open() {
    const { directory, remove } = scratch();
    const [file, dest, outside] = [
      join(directory, 'p.zip'),
      join(directory, 'in/app'),
      join(directory, 'out'),
    ];
    mkdirSync(outside);
    const address = parseAddress(pathToFileURL(file).href);
    const options = { ...parseOptions(['--dir', dest], {}, false), address, maxUnpacked: MOST_UNPACKED };
    const never = new AbortController().signal;
    return {
      async act(bytes) {
        writeFileSync(file, bytes);
        rmSync(join(directory, 'in'), { recursive: true, force: true });
        mkdirSync(join(directory, 'in'));
        let isIn = false;
        try {
          await install(options, SILENT, never);
          isIn = true;
        } finally {
          check(directory, isIn);
        }
        return snapshot(dest)
          .filter((line) => !line.startsWith(MARKER))
          .join('\n');
      },
      close: async () => remove(),
    };
  },
};

/** All or nothing, and nothing anywhere else. */
function check(directory: string, isIn: boolean): void {
  const around = readdirSync(directory).sort().join();
  if (around !== 'in,out,p.zip') throw new TypeError(`there is ${around}`);
  if (readdirSync(join(directory, 'out')).length > 0) throw new TypeError('something is outside');
  const inside = readdirSync(join(directory, 'in')).join();
  if (inside !== (isIn ? 'app' : '')) throw new TypeError(`${isIn ? 'installed' : 'refused'}: ${inside}`);
  if (!isIn) return;
  if (!existsSync(join(directory, 'in/app', MARKER))) throw new TypeError('it has no marker');
  JSON.parse(readFileSync(join(directory, 'in/app', MARKER), 'utf8'));
  let size = 0;
  for (const path of readdirSync(join(directory, 'in/app'), { recursive: true, encoding: 'utf8' })) {
    const stat = lstatSync(join(directory, 'in/app', path));
    if (!stat.isFile() && !stat.isDirectory()) throw new TypeError(`${path} is neither file nor directory`);
    if ((stat.mode & 0o7000) !== 0) throw new TypeError(`${path} has mode ${stat.mode.toString(8)}`);
    size += stat.size;
  }
  if (size > MOST_UNPACKED * 1.1) throw new TypeError(`it is ${size} bytes`);
}
