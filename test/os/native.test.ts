import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { constants as os, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { loadNative, type Native } from '../../src/os/native.ts';
import { load } from '../fixtures/native-load.ts';

const SOURCE = join(import.meta.dirname, '../../src/os/native/reaper.c');
const PREBUILT = join(import.meta.dirname, '../../src/os/native/prebuilt');
const FIXTURES = join(import.meta.dirname, '../fixtures');
const ARCHES = ['x64', 'arm64'];
const { EAGAIN, EBADF, ECHILD, EINVAL, ENOTTY, EPERM, ESRCH } = os.errno;

const scratch = mkdtempSync(join(tmpdir(), 'supervise-native-'));
after(() => rmSync(scratch, { recursive: true }));

describe('the addon', { skip: process.platform !== 'linux' && 'it is for Linux', timeout: 60_000 }, () => {
  const native: Native = load();

  test('peek sees no child, a living one, and an exited one for as long as nobody waits for it', async () => {
    assert.equal(native.peek(), -ECHILD);

    const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
    const pid = child.pid ?? 0;
    assert.equal(native.peek(), 0);
    assert.equal(native.reap(pid), -EAGAIN);

    process.kill(pid, 'SIGKILL');
    holdTheLoopUntil(() => native.peek() === pid);
    assert.equal(native.peek(), pid, 'to look is not to wait');

    assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL'], 'libuv still learns how it ended');
    assert.equal(native.peek(), -ECHILD);
  });

  test('reap takes nothing but the one child it is given', async () => {
    const child = spawn('sh', ['-c', 'exit 7'], { stdio: 'ignore' });
    holdTheLoopUntil(() => native.peek() === child.pid);
    assert.equal(native.reap(-1), -EINVAL);
    assert.equal(native.reap(0), -EINVAL);
    assert.equal(native.reap(process.ppid), -ECHILD);
    assert.deepEqual(await once(child, 'exit'), [7, null]);
  });

  test('orphans are adopted and reaped beside children of Node, and the ends of both are exact', async () => {
    const { children, orphans, left } = await fixture('native-adopts-orphans.ts');
    const numbers = Array.from({ length: 60 }, (_, i) => i + 1);
    assert.deepEqual(
      children,
      Object.fromEntries(numbers.map((n) => [n, n % 3 === 0 ? 'SIGKILL' : n])),
      'as Node reports them',
    );
    const raw = numbers.map((n) => (n % 3 === 0 ? os.signals.SIGKILL : n << 8));
    assert.deepEqual(orphans.toSorted(ascending), raw.toSorted(ascending), 'as raw wait statuses');
    assert.equal(left, -ECHILD);
  });

  test('ownGroup and ignore change this process', async () => {
    assert.deepEqual(await fixture('native-itself.ts'), {
      before: { group: false, hup: false },
      returned: [0, 0, -EINVAL, -EINVAL],
      after: { group: true, hup: true },
    });
  });

  test('ownGroup is refused to the leader of a session', async () => {
    const { returned } = await fixture('native-itself.ts', { detached: true });
    assert.equal(returned[0], -EPERM);
  });

  test('the terminal is handed to another group and taken back from the background', async () => {
    const { trace, maskKept } = await fixture('native-terminal.ts', { terminal: true });
    assert.deepEqual(trace, ['us', 0, 'them', 0, 'us', -ESRCH, 'us']);
    assert.equal(maskKept, true);
  });

  test('what is no terminal has no foreground', () => {
    const fd = openSync('/dev/null', 'r');
    assert.equal(native.foregroundOf(fd), -ENOTTY);
    assert.equal(native.foreground(fd, process.pid), -ENOTTY);
    closeSync(fd);
    assert.equal(native.foregroundOf(fd), -EBADF);
    assert.equal(native.foreground(fd, process.pid), -EBADF);
  });

  test('a pipe is writable until it is full, when it is drained, and when its reader has gone', () => {
    const path = join(scratch, 'fifo');
    assert.equal(spawnSync('mkfifo', [path]).status, 0);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    assert.equal(native.writable(writer), 1, 'empty');

    const chunk = Buffer.alloc(4096);
    let written = 0;
    for (; native.writable(writer) === 1; written += chunk.length)
      assert.equal(writeSync(writer, chunk), chunk.length, 'what was promised has room');
    assert.equal(native.writable(writer), 0, 'full');
    assert.throws(() => writeSync(writer, chunk), { code: 'EAGAIN' });

    for (let read = 0; read < written; ) read += readSync(reader, chunk);
    assert.equal(native.writable(writer), 1, 'drained');

    while (native.writable(writer) === 1) writeSync(writer, chunk);
    closeSync(reader);
    assert.equal(native.writable(writer), 1, 'a write would fail, not wait');
    closeSync(writer);
    assert.equal(native.writable(writer), -EBADF);
    assert.equal(native.writable(-1), -EBADF);
  });

  test('a pipe is real: blocking, closed on exec, and open again by its name in /proc', () => {
    const ends = native.pipe();
    assert.ok(typeof ends !== 'number');
    const [read, write] = ends;
    const flags = (fd: number): number =>
      Number.parseInt(
        /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '',
        8,
      );
    assert.equal(flags(read) & constants.O_NONBLOCK, 0);
    assert.equal(flags(write) & constants.O_NONBLOCK, 0);
    const listed = spawnSync('ls', ['-l', '/proc/self/fd'], { stdio: ['ignore', 'pipe', 'ignore'] });
    assert.doesNotMatch(
      listed.stdout.toString(),
      new RegExp(` (${read}|${write}) -> pipe`),
      'closed on exec',
    );

    const again = openSync(`/proc/self/fd/${write}`, constants.O_WRONLY);
    writeSync(again, 'a');
    spawnSync('sh', ['-c', 'echo b; echo c >/dev/stdout'], { stdio: ['ignore', write, 'ignore'] });
    const buffer = Buffer.alloc(10);
    assert.equal(buffer.toString('latin1', 0, readSync(read, buffer)), 'ab\nc\n');
    for (const fd of [read, write, again]) closeSync(fd);
  });

  test('a pipe that the system has none to spare for is an errno', () => {
    const script = `const { exports: native } = (() => { const m = { exports: {} }; process.dlopen(m, process.argv[1]); return m; })();
      let last; while (Array.isArray((last = native.pipe()))); console.log(last);`;
    const { stdout } = spawnSync(
      'sh',
      [
        '-c',
        'ulimit -n 64; exec "$@"',
        'sh',
        process.execPath,
        '-e',
        script,
        join(PREBUILT, `reaper-${process.arch}.node`),
      ],
      { encoding: 'utf8' },
    );
    assert.equal(Number(stdout), -os.errno.EMFILE);
  });

  test('what is no number is refused', () => {
    const loose = native as unknown as Record<keyof Native, (...values: unknown[]) => number>;
    assert.equal(loose.reap(), -EINVAL);
    assert.equal(loose.reap('12'), -EINVAL);
    assert.equal(loose.foreground(0), -EINVAL);
    assert.equal(loose.writable({}), -EINVAL);
    assert.equal(loose.peek('and what is too much, ignored'), -ECHILD);
  });
});

describe('loadNative', { skip: process.platform !== 'linux' && 'the addon is for Linux' }, () => {
  const NAME = `reaper-${process.arch}.node`;
  const other = ARCHES.find((arch) => arch !== process.arch);

  test('takes the first that works', () => {
    assert.ok('native' in loadNative([join(scratch, 'nowhere'), PREBUILT]));
  });

  test('names every file it tried and what is wrong with each', () => {
    const broken = directory('broken');
    writeFileSync(join(broken, NAME), '<html>404</html>');
    const foreign = directory('foreign');
    copyFileSync(join(PREBUILT, `reaper-${other}.node`), join(foreign, NAME));
    assert.deepEqual(loadNative(['nowhere', broken, foreign]), {
      cause: [
        `nowhere/${NAME}: no such file (ENOENT)`,
        `${broken}/${NAME}: not a shared object`,
        `${foreign}/${NAME}: made for ${other}, this is ${process.arch}`,
      ].join('; '),
    });
  });

  test('leaves a truncated file to the words of the loader', () => {
    const cut = directory('cut');
    writeFileSync(join(cut, NAME), readFileSync(join(PREBUILT, NAME)).subarray(0, 100));
    const loaded = loadNative([cut]);
    assert.ok('cause' in loaded);
    assert.match(loaded.cause, /reaper-\w+\.node: [^/]/);
  });

  test('tells a noexec mount', (t) => {
    const mounted = directory('noexec');
    const probe = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', '-o', 'noexec', 'tmpfs', mounted]);
    if (probe.status !== 0) return t.skip('cannot mount here');
    const load = `mount -t tmpfs -o noexec tmpfs "$1" && cp "$2" "$1" && exec "$3" "$4" "$1"`;
    const { stdout } = spawnSync(
      'unshare',
      [
        '-rm',
        'sh',
        '-c',
        load,
        'sh',
        mounted,
        join(PREBUILT, NAME),
        process.execPath,
        join(FIXTURES, 'native-load.ts'),
      ],
      { encoding: 'utf8' },
    );
    assert.equal(stdout.trim(), `${mounted}/${NAME}: its file system is mounted noexec`);
  });
});

/** Names and numbers of the ELF specification, as far as they are needed. */
const PT = { load: 1, dynamic: 2, gnuStack: 0x6474e551 };
const DT = { needed: 1, hash: 4, stringTable: 5, symbolTable: 6 };

for (const arch of ARCHES) {
  describe(`prebuilt/reaper-${arch}.node`, () => {
    const file = readFileSync(join(PREBUILT, `reaper-${arch}.node`));
    const elf = readElf(file);

    test('is made from this reaper.c (else: node src/os/native/build.ts, and commit it)', () => {
      const digest = createHash('sha256').update(readFileSync(SOURCE)).digest('hex');
      assert.ok(file.includes(`reaper.c ${digest}\0`));
    });

    test('is small and for its architecture', () => {
      assert.ok(file.length <= 8192, `${file.length} bytes`);
      assert.equal(elf.machine, { x64: 62, arm64: 183 }[arch]);
    });

    test('needs no library, so that any libc can load it', () => {
      assert.deepEqual(elf.needed, []);
      const foreign = elf.undefinedSymbols.filter((name) => !name.startsWith('napi_'));
      assert.deepEqual(foreign, []);
      assert.ok(elf.undefinedSymbols.includes('napi_create_int32'), 'the symbols were read');
    });

    test('runs nothing from its stack or its data', () => {
      assert.ok(
        elf.segments.every(({ type, writes, executes }) => !executes || (type === PT.load && !writes)),
      );
      assert.ok(elf.segments.some(({ type }) => type === PT.gnuStack));
    });
  });
}

/** Synchronously: libuv must have no chance to wait for the child. */
function holdTheLoopUntil(condition: () => boolean): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; !condition(); waited++) {
    assert.ok(waited < 10_000, 'waited for 10 s');
    Atomics.wait(clock, 0, 0, 1);
  }
}

/** Runs a fixture to its end, on a terminal of its own if asked for, and returns the JSON that it prints. */
async function fixture(name: string, { detached = false, terminal = false } = {}) {
  const program = [process.execPath, join(FIXTURES, name)];
  const [command = '', ...rest] = terminal
    ? ['script', '--quiet', '--return', '--command', `exec "${program.join('" "')}"`, '/dev/null']
    : program;
  const child = spawn(command, rest, { detached, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    output += chunk;
  });
  const [code, signal] = await once(child, 'close');
  assert.deepEqual([code, signal], [0, null], output);
  return JSON.parse(output);
}

function directory(name: string): string {
  const path = join(scratch, name);
  mkdirSync(path);
  return path;
}

function ascending(a: number, b: number): number {
  return a - b;
}

/** Of a little-endian 64-bit ELF file: what its loader is told. */
function readElf(file: Buffer) {
  const u32 = (at: number) => file.readUInt32LE(at);
  const u64 = (at: number) => Number(file.readBigUInt64LE(at));
  const entries = (at: number, size: number, count: number) =>
    Array.from({ length: count }, (_, i) => at + i * size);

  const headers = entries(u64(32), 56, file.readUInt16LE(56)); // e_phoff, e_phnum
  const segments = headers.map((at) => ({
    type: u32(at),
    executes: (u32(at + 4) & 1) !== 0,
    writes: (u32(at + 4) & 2) !== 0,
    offset: u64(at + 8),
    address: u64(at + 16),
    size: u64(at + 32),
  }));
  /** Tables are told by their address; where the segment that holds it begins in the file gives the offset. */
  const offsetOf = (address = -1) => {
    const holds = segments.find(
      (s) => s.type === PT.load && s.address <= address && address < s.address + s.size,
    );
    assert.ok(holds, `no segment holds ${address}`);
    return address - holds.address + holds.offset;
  };

  const table = segments.find(({ type }) => type === PT.dynamic);
  assert.ok(table);
  const dynamic = entries(table.offset, 16, table.size / 16).map((at) => ({
    tag: u64(at),
    value: u64(at + 8),
  }));
  const valueAt = (wanted: number) => dynamic.find(({ tag }) => tag === wanted)?.value;
  const strings = offsetOf(valueAt(DT.stringTable));
  const string = (at: number) => file.toString('latin1', strings + at, file.indexOf(0, strings + at));

  const symbolCount = u32(offsetOf(valueAt(DT.hash)) + 4); // nchain
  const symbols = entries(offsetOf(valueAt(DT.symbolTable)), 24, symbolCount).slice(1);
  return {
    machine: file.readUInt16LE(18),
    segments,
    needed: dynamic.filter(({ tag }) => tag === DT.needed).map(({ value }) => string(value)),
    undefinedSymbols: symbols.filter((at) => file.readUInt16LE(at + 6) === 0).map((at) => string(u32(at))),
  };
}
