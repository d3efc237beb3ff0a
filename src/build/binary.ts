/**
 * Makes dist/supervise, the single executable: the Node that runs this, or another one named by `--node`, with the bundle and
 * the addon inside. Run it by
 *
 *     npm run build:binary [-- --node FILE] [--output FILE]
 *
 * It is Node's own way (a blob that Node prepares, a note that holds it, a fuse that is blown), with `strip` in front, which must
 * come first: it would take the note away. Where there is no strip, the executable is a fifth larger.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { addNote } from './elf-note.ts';

const DIST = join(import.meta.dirname, '../../dist');
const BLOB_NOTE = 'NODE_SEA_BLOB';
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:';

const { values } = parseArgs({
  options: {
    node: { type: 'string', default: process.execPath },
    output: { type: 'string', default: join(DIST, 'supervise') },
  },
});
const scratch = mkdtempSync(join(tmpdir(), 'supervise-binary-'));
try {
  build(values.node, values.output);
} catch (error) {
  console.error(`cannot build the executable: ${(error as Error).message}`);
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true });
}

function build(node: string, output: string): void {
  const arch = run(node, ['-p', 'process.arch']).trim();
  const addon = `reaper-${arch}.node`;
  const blob = join(scratch, 'blob');
  const config = {
    main: join(DIST, 'supervise.cjs'),
    output: blob,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    // A snapshot and a worker that loads node:http end the process.
    useSnapshot: false,
    // A small nursery: many short-lived objects, little that stays.
    execArgv: ['--max-semi-space-size=1'],
    // NODE_OPTIONS is meant for the services.
    execArgvExtension: 'none',
    assets: { [addon]: join(DIST, addon) },
  };
  writeFileSync(join(scratch, 'config.json'), JSON.stringify(config));
  run(node, ['--experimental-sea-config', join(scratch, 'config.json')]);

  const stripped = strip(node);
  const executable = addNote(stripped, BLOB_NOTE, readFileSync(blob));
  blowFuse(executable);
  const fresh = `${output}.new`;
  writeFileSync(fresh, executable);
  chmodSync(fresh, 0o755);
  renameSync(fresh, output);
  tellOfNode(node);
  const size = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  const sizes = [`node ${size(readFileSync(node).length)}`, `without symbols ${size(stripped.length)}`];
  console.log(`${relative(process.cwd(), output)}: ${size(executable.length)} (${sizes.join(', ')})`);
}

function strip(node: string): Buffer {
  const copy = join(scratch, 'node');
  copyFileSync(node, copy);
  const { error, status } = spawnSync('strip', ['--strip-all', copy], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (error) console.error('no strip (binutils): the symbols stay in');
  else if (status !== 0) throw new Error('strip failed');
  return readFileSync(copy);
}

/** The bill of materials of the bundle and Node, and Node's licence, which must go along. */
function tellOfNode(node: string): void {
  const bill = JSON.parse(readFileSync(join(DIST, 'supervise.cdx.json'), 'utf8')) as { components: object[] };
  const version = run(node, ['-p', 'process.versions.node']).trim();
  bill.components.push({ type: 'platform', name: 'node', version, purl: `pkg:generic/node@${version}` });
  writeFileSync(join(DIST, 'supervise-executable.cdx.json'), `${JSON.stringify(bill, undefined, 2)}\n`);
  const licence = join(dirname(realpathSync(node)), '../LICENSE');
  if (existsSync(licence)) copyFileSync(licence, join(DIST, 'NODE-LICENSE'));
  else console.error(`no ${licence}: Node's licence must go along with the executable`);
}

/** Node looks for a blob only where this says so. */
function blowFuse(executable: Buffer): void {
  const at = executable.indexOf(`${FUSE}0`);
  if (at < 0 || executable.indexOf(`${FUSE}0`, at + 1) >= 0)
    throw new Error('this Node has no fuse for a single executable, or more than one');
  executable.write('1', at + FUSE.length, 'latin1');
}

function run(file: string, args: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${[file, ...args].join(' ')}: ${stderr.trim()}`);
  return stdout;
}
