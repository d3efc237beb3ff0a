/**
 * Compiles reaper.c into prebuilt/reaper-<arch>.node for every architecture that has a compiler here, or for those named:
 *
 *     node src/os/native/build.ts [x64] [arm64]
 *
 * Run it after a change of reaper.c and commit the result: users and other developers have Node and npm, no compiler.
 * `CC` names the compiler for this machine's architecture, `CC_X64` and `CC_ARM64` the one for each.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';

const HERE = import.meta.dirname;
const SOURCE = join(HERE, 'reaper.c');
const PREBUILT = join(HERE, 'prebuilt');
const MODULES = join(HERE, '../../../node_modules');

/** Architecture as Node calls it → as the toolchain does. */
const TRIPLES = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' } as const;
type Arch = keyof typeof TRIPLES;
const ARCHES = Object.keys(TRIPLES) as Arch[];

const FLAGS = [
  ...['-std=c11', '-Wall', '-Wextra', '-Werror'],
  // No libc, no start files, no libgcc: see reaper.c.
  ...['-shared', '-fPIC', '-nostdlib', '-ffreestanding', '-fvisibility=hidden'],
  // Each of these would call into a libc, or only describe code that nothing unwinds.
  ...['-fno-stack-protector', '-fno-unwind-tables', '-fno-asynchronous-unwind-tables'],
  // Small, and the same bytes from the same compiler, wherever and whenever it runs.
  ...['-Os', '-g0', '-fno-ident', '-Wl,-s', '-Wl,--build-id=none', '-Wl,-z,noseparate-code'],
  // The classic hash table is the one that every loader reads. Symbols are bound at load, so that what a Node lacks is
  // a cause in words there and not the end of the process at the first call.
  ...['-Wl,--hash-style=sysv', '-Wl,-z,now', '-Wl,-z,noexecstack'],
  // arm64 kernels may have pages of 64 kB: relro would fill the file up to that, for the sake of four addresses.
  ...['-Wl,-z,norelro'],
];

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !ARCHES.some((arch) => arch === name));
const arches = asked.length > 0 ? ARCHES.filter((arch) => asked.includes(arch)) : ARCHES;
const problem =
  unknown === undefined ? buildAll() : `unknown architecture "${unknown}" (${ARCHES.join(', ')})`;
if (problem !== undefined) {
  console.error(`cannot build the addon: ${problem}`);
  process.exitCode = 1;
}

/** Builds what can be built; a problem is that none could, or not one that was asked for by name. */
function buildAll(): string | undefined {
  const headers = ARCHES.map((arch) => join(MODULES, `node-linux-${arch}/include/node`)).find(existsSync);
  if (headers === undefined)
    return 'no Node-API headers in node_modules/node-linux-*/include/node (npm install)';
  const digest = createHash('sha256').update(readFileSync(SOURCE)).digest('hex');
  const flags = [...FLAGS, `-DSOURCE_SHA256="${digest}"`, '-isystem', headers];

  mkdirSync(PREBUILT, { recursive: true });
  let built = 0;
  for (const arch of arches) {
    const compiler = compilersFor(arch).find(
      ([command, ...rest]) => command && runs(command, [...rest, '--version']),
    );
    if (compiler) {
      if (!compile(arch, compiler, flags)) return `${compiler.join(' ')} failed for ${arch}`;
      built++;
    } else if (asked.length > 0) {
      return `no compiler for ${arch} (name one in CC_${arch.toUpperCase()})`;
    } else {
      console.error(
        `no compiler for ${arch}: its prebuilt stays as it is (name one in CC_${arch.toUpperCase()})`,
      );
    }
  }
  return built === 0 ? 'no compiler found' : undefined;
}

/** The commands to try, best first, each with its leading arguments. */
function compilersFor(arch: Arch): string[][] {
  const named = process.env[`CC_${arch.toUpperCase()}`];
  if (named) return [named.split(/\s+/)];
  const triple = TRIPLES[arch];
  const cross = [[`${triple}-gcc`], ['clang', `--target=${triple}`, '-fuse-ld=lld']];
  if (process.platform !== 'linux' || process.arch !== arch) return cross;
  return process.env['CC'] ? [process.env['CC'].split(/\s+/)] : [['cc'], ['gcc'], ['clang'], ...cross];
}

/** Beside its place and then renamed: a running supervisor has the old file mapped. */
function compile(arch: Arch, [command = '', ...leading]: string[], flags: readonly string[]): boolean {
  const file = join(PREBUILT, `reaper-${arch}.node`);
  const fresh = `${file}.new`;
  const done =
    spawnSync(command, [...leading, ...flags, '-o', fresh, SOURCE], { stdio: 'inherit' }).status === 0;
  if (!done) {
    rmSync(fresh, { force: true });
    return false;
  }
  chmodSync(fresh, 0o644);
  renameSync(fresh, file);
  const size = readFileSync(file).length;
  console.log(`${relative(process.cwd(), file)}: ${size} bytes, by ${[command, ...leading].join(' ')}`);
  return true;
}

function runs(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
