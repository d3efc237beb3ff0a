/** The services' output on its way through us: `--log-prefix` and `--capture`. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { execaSync } from 'execa';
import { output } from './fixtures/line-writer.ts';
import {
  BUNDLE,
  type Files,
  NODE,
  processes,
  runTree,
  SLEEPER,
  startTree,
  tempDir,
  until,
  writeFiles,
} from './tree.ts';

/** `SUPERVISE_SOAK=1` runs it with a million lines each. */
const SOAK = process.env['SUPERVISE_SOAK'] === '1';
const COUNT = SOAK ? 1_000_000 : 20_000;
const LONG = 10 * 1024 * 1024;
const WRITERS = 4;
/** What Node and the bundle take, with its buffers; ten times the lines take no more. */
const MOST_MEMORY_MB = 130;
const FIXTURES = join(import.meta.dirname, 'fixtures');
const NEWLINE = 10;

function fdOf(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return ''; // It was closed while we looked.
  }
}

/** What a test reads as bytes: the harness's own reader is for text. Node's pipes are sockets; `real` ones are made by a shell. */
function startRaw(
  t: TestContext,
  files: Files,
  args: string[],
  { real = false } = {},
): { child: ChildProcess; pid: () => number; directory: string } {
  const directory = tempDir(t);
  const scandir = join(directory, 'services');
  mkdirSync(scandir);
  writeFiles(scandir, files);
  const argv = [NODE, BUNDLE, scandir, ...args];
  const script = 'cd "$OUT"; mkfifo out; "$@" >out 2>&1 & echo $! >pid; cat out; wait $!';
  const [command = '', ...rest] = real ? ['sh', '-c', script, 'sh', ...argv] : argv;
  const child = spawn(command, rest, {
    env: { PATH: process.env['PATH'], OUT: directory, SUPERVISE_SOCKET: join(directory, 'control') },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const note = join(directory, 'pid');
  /** 0 until there is one. */
  const pid = (): number =>
    real ? (existsSync(note) ? Number(readFileSync(note, 'utf8')) : 0) : (child.pid ?? 0);
  t.after(() => {
    if (child.exitCode === null) process.kill(pid() || (child.pid ?? 0), 'SIGKILL');
  });
  return { child, pid, directory };
}

/** `writer0` … as oneshots; a main command that waits for them ends the tree. */
function writers(stream: (i: number) => string): Files {
  const files: Files = {};
  for (let i = 0; i < WRITERS; i++) {
    files[`writer${i}/run`] =
      `#!/bin/sh\nexec ${process.execPath} ${join(FIXTURES, 'line-writer.ts')} ${i + 1} ${COUNT} ${LONG}${stream(i)}\n`;
    files[`writer${i}/type`] = 'oneshot';
  }
  return files;
}

/** Counts and digests the lines of each writer, by the prefix that they came with. */
class Digests {
  readonly counts = new Map<string, number>();
  readonly others: string[] = [];
  readonly #hashes = new Map<string, Hash>();
  #pieces: Buffer[] = [];
  readonly #prefix: RegExp;

  constructor(prefix = /^\[(writer\d)\](\+?) /) {
    this.#prefix = prefix;
  }

  take(bytes: Buffer): void {
    let at = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      this.#pieces.push(bytes.subarray(at, end + 1));
      this.#line(this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces));
      this.#pieces = [];
      at = end + 1;
    }
    if (at < bytes.length) this.#pieces.push(Buffer.from(bytes.subarray(at)));
  }

  #line(line: Buffer): void {
    const [prefix = '', name, again] = this.#prefix.exec(line.toString('latin1', 0, 20)) ?? [];
    if (!name) {
      this.others.push(line.toString('latin1', 0, 200));
      return;
    }
    const hash = this.#hashes.get(name);
    // A long line that others had to wait for too long, on a slow machine, was broken off: its newline is none of the writer's.
    if (!again) {
      hash?.update('\n');
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    }
    const content = line.subarray(prefix.length, -1);
    this.#hashes.set(name, (hash ?? createHash('sha256')).update(content));
  }

  get result(): Record<string, string> {
    assert.equal(this.#pieces.length, 0, 'the last line is whole');
    return Object.fromEntries(
      [...this.#hashes].map(([name, hash]) => [name, hash.update('\n').digest('hex')]).sort(),
    );
  }
}

/** The same of what the writers say. A last line without an end gets one on its way. */
function expected(): Record<string, string> {
  const digests = Array.from({ length: WRITERS }, (_, i) => {
    const hash = createHash('sha256');
    for (const block of output(i + 1, COUNT, LONG)) hash.update(block);
    return [`writer${i}`, hash.update('\n').digest('hex')];
  });
  return Object.fromEntries(digests);
}

function memoryOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Says something of every kind, and ends without a newline. */
const SPEAKS =
  "#!/bin/sh\nprintf 'out\\n'; printf 'err\\n' >&2; printf 'nul \\000 \\377\\n'; printf '\\n'; printf half\nexec sleep 0.2\n";

test('by default a service inherits our stdout and stderr, untouched', async (t) => {
  const files = {
    'web/run': '#!/bin/sh\nreadlink /proc/self/fd/1 /proc/self/fd/2 /proc/$PPID/fd/1 /proc/$PPID/fd/2\n',
  };
  const { stdout } = await runTree(t, { ...files, 'web/restart': 'never', 'web/essential': '' });
  const [out, err, ours, oursToo] = stdout.split('\n');
  assert.deepEqual([out, err], [ours, oursToo]);
});

test('--log-prefix: each line with its service, streams kept apart, the last one ended', async (t) => {
  const files = { 'web/run': SPEAKS, 'web/restart': 'never', 'web/essential': '' };
  const { stdout, noise } = await runTree(t, files, { args: ['--log-prefix'] });
  assert.equal(stdout, '[web] out\n[web] nul \0 \ufffd\n[web] \n[web] half\n');
  assert.equal(noise, '[web] err\n');
});

test('--capture: lines as they are', async (t) => {
  const files = { 'web/run': SPEAKS, 'web/restart': 'never', 'web/essential': '' };
  const { stdout, noise } = await runTree(t, files, {
    args: ['--capture'],
    env: { SUPERVISE_LOG_FORMAT: '' },
  });
  assert.equal(stdout, 'out\nnul \0 \ufffd\n\nhalf\n');
  assert.equal(noise, 'err\n');
});

test('--capture --log-format json: each line an object, with all its bytes', async (t) => {
  const files = { 'web/run': SPEAKS, 'web/restart': 'never', 'web/essential': '' };
  const tree = await runTree(t, files, { args: ['--capture', '--log-format', 'json'] });
  const lines = tree.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  for (const line of lines) assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const rest = { service: 'web', stream: 'stdout' };
  assert.deepEqual(
    lines.map(({ time: _, ...line }) => line),
    [
      { ...rest, msg: 'out' },
      { ...rest, msg: 'nul \0 \ufffd', base64: Buffer.from('nul \0 \xff', 'latin1').toString('base64') },
      { ...rest, msg: '' },
      { ...rest, msg: 'half' },
    ],
  );
  const [err] = tree.events.filter((event) => event['stream'] === 'stderr');
  assert.equal(err?.msg, 'err');
});

test('what a service wrote stands ahead of the words of its end', async (t) => {
  const files = { 'web/run': '#!/bin/sh\nprintf last >&2\nkill -9 $$\n', 'web/restart': 'never' };
  const tree = startTree(t, files, { args: ['--capture', '--log-format', 'json'] });
  await tree.event('died', 'web');
  const [last, died] = ['last', 'died'].map((msg) => tree.events.findIndex((event) => event.msg === msg));
  assert.ok(last !== undefined && died !== undefined && last >= 0 && last < died, tree.transcript);
});

test('finish and the main command are captured as services are', async (t) => {
  const files = { 'web/run': SLEEPER, 'web/finish': '#!/bin/sh\necho finish\n' };
  const args = ['--log-prefix', '--', 'sh', '-c', 'echo main'];
  const { stdout } = await runTree(t, files, { args });
  assert.equal(stdout, '[(command)] main\n[web] finish\n');
});

describe('a service opens /dev/stdout and /dev/stderr itself', () => {
  const script = '#!/bin/sh\necho to out >/dev/stdout && echo to err >/dev/stderr && echo both\n';
  const users = process.getuid?.() === 0 ? ['', 'nobody'] : [''];
  for (const args of [[], ['--log-prefix']])
    for (const user of users)
      test(`${args.join('') || 'inherited'}, as ${user || 'us'}`, async (t) => {
        const files: Files = { 'web/run': script, 'web/restart': 'never', 'web/essential': '' };
        if (user) files['web/user'] = user;
        const tree = await runTree(t, files, { args, prefix: ['sh', '-c', PIPES, 'sh'] });
        const mark = args.length > 0 ? '[web] ' : '';
        assert.deepEqual(tree.exit, { code: 0, signal: null });
        assert.equal(tree.stdout, `${mark}to out\n${mark}both\n`, tree.transcript);
        assert.equal(tree.noise, `${mark}to err\n`);
      });
});

test("as PID 1 with a container's terminal, another user opens /dev/stdout", {
  skip: process.getuid?.() !== 0 && 'takes root',
}, async (t) => {
  const files = {
    'web/run': '#!/bin/sh\nid -un >/dev/stdout\n',
    'web/user': 'nobody',
    'web/restart': 'never',
    'web/essential': '',
  };
  const terminal =
    'exec script --quiet --return --command "exec unshare -pf --mount-proc $(printf "%s " "$@")" /dev/null';
  const tree = await runTree(t, files, {
    args: ['--log-level', 'silent'],
    prefix: ['sh', '-c', terminal, 'sh'],
  });
  assert.equal(tree.stdout, 'nobody\r\n', tree.transcript);
});

test('hooks are captured by names of their own', async (t) => {
  const files = {
    'web/run': '#!/bin/sh\nexit 3\n',
    'web/restart': 'never',
    'web/essential': '',
    '.supervise/crash': '#!/bin/sh\nprintf crashed\n',
    '.supervise/finish': '#!/bin/sh\necho over\n',
  };
  const { stdout } = await runTree(t, files, { args: ['--log-prefix'] });
  assert.equal(stdout, '[.supervise/crash] crashed\n[.supervise/finish] over\n');
});

/** Node's pipes are sockets, which nobody can open again; a container's are pipes. */
const PIPES = 'cd "$OUT"; mkfifo out err; cat out & cat err >&2 & "$@" >out 2>err; code=$?; wait; exit $code';

describe('every byte of four writers, none mixed within a line', () => {
  for (const real of [false, true])
    test(real ? 'both streams into one pipe, with our own lines' : 'stdout, a socket', async (t) => {
      const digests = new Digests();
      const args = ['--log-prefix', '--log-format', 'json', '--', 'true'];
      const files = writers((i) => (real && i % 2 === 1 ? ' >&2' : ''));
      const { child, pid } = startRaw(t, files, args, { real });
      let most = 0;
      const watch = setInterval(() => {
        try {
          most = Math.max(most, memoryOf(pid()) || 0);
        } catch {
          // Not there yet, or gone.
        }
      }, 50);
      const started = performance.now();
      let bytes = 0;
      child.stdout?.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        digests.take(chunk);
      });
      const code = await new Promise((resolve) => child.once('close', resolve));
      clearInterval(watch);
      const seconds = (performance.now() - started) / 1000;
      t.diagnostic(
        `${bytes} bytes in ${seconds.toFixed(1)} s, ${(bytes / 1e6 / seconds).toFixed(0)} MB/s, most memory ${most.toFixed(0)} MB`,
      );
      assert.equal(code, 0);
      assert.deepEqual(digests.result, expected());
      assert.deepEqual([...digests.counts.values()], Array(WRITERS).fill(COUNT));
      for (const line of digests.others) assert.doesNotThrow(() => JSON.parse(line), line);
      assert.equal(digests.others.length > 0, real);
      assert.ok(most > 0 && most < MOST_MEMORY_MB, `${most} MB`);
    });
});

describe('while nobody reads our output', () => {
  for (const real of [false, true])
    test(`${real ? 'a pipe' : 'a socket'}: services wait as if it were theirs, we do not, and nothing is lost`, async (t) => {
      const files = {
        'web/run': `#!/bin/sh\nexec ${process.execPath} ${join(FIXTURES, 'line-writer.ts')} 7 ${COUNT} 1\n`,
      };
      const all = { ...files, 'web/restart': 'never', 'web/essential': '' };
      const { child, pid, directory } = startRaw(t, all, ['--log-prefix', '--log-level', 'error'], { real });
      await until('the writer to be blocked', () => isBlocked(pid()));
      const before = ticksOf(pid());
      const status = execaSync(NODE, [BUNDLE, 'status'], {
        env: { SUPERVISE_SOCKET: join(directory, 'control') },
      });
      assert.match(status.stdout, /web +ready/);
      assert.ok(ticksOf(pid()) - before < 20, 'and it costs next to nothing');

      const digests = new Digests(/^\[(web)\] /);
      child.stdout?.on('data', (chunk: Buffer) => digests.take(chunk));
      await new Promise((resolve) => child.once('close', resolve));
      const hash = createHash('sha256');
      for (const block of output(7, COUNT, 1)) hash.update(block);
      assert.deepEqual(digests.result, { web: hash.update('\n').digest('hex') });
    });
});

test('readers that are gone keep no stop: the first word that cannot be said is that of the stop itself', async (t) => {
  for (const args of [['--log-prefix'], ['--capture'], []]) {
    const tree = startTree(t, { 'web/run': SLEEPER }, { args });
    await tree.event('started', 'web');
    tree.child.stdout?.destroy();
    tree.child.stderr?.destroy();
    tree.signal('SIGTERM');
    assert.deepEqual(await tree.ended, { code: 0, signal: null }, args.join());
  }
});

test('the last words wait for a slow reader, as long as the stop may take', async (t) => {
  const script = '#!/bin/sh\nhead -c 500000 /dev/zero | tr "\\0" x\n';
  const files = { 'web/run': script, 'web/restart': 'never', 'web/essential': '' };
  const { child } = startRaw(t, files, ['--capture', '--log-level', 'error']);
  let bytes = 0;
  await new Promise((resolve) => setTimeout(resolve, 500));
  child.stdout?.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  assert.equal(await new Promise((resolve) => child.once('close', resolve)), 0);
  assert.equal(bytes, 500_001);
});

test('the last words of run after run wait for a slow reader, to the last line', async (t) => {
  const directory = tempDir(t);
  const scandir = writeFiles(join(directory, 'services'), {
    'web/run':
      '#!/bin/sh\necho >>"$OUT/runs"; [ $(wc -l <"$OUT/runs") -le 5 ] || exec sleep 1000\nyes 123456789 | head -c 64000\n',
    'web/restart-delay': '0 0',
  });
  // A pipe and no more: sockets, and programs between, would hold most of it.
  const fifo = join(directory, 'fifo');
  execaSync('mkfifo', [fifo]);
  const both = openSync(fifo, constants.O_RDWR);
  const child = spawn(NODE, [BUNDLE, scandir, '--log-prefix', '--log-level', 'error'], {
    env: { PATH: process.env['PATH'], OUT: directory, SUPERVISE_SOCKET: join(directory, 'control') },
    stdio: ['ignore', both, 'ignore'],
  });
  t.after(() => child.kill('SIGKILL'));
  const out = createReadStream(fifo, 'utf8');
  await until('all runs', () =>
    processes().some(({ ppid, command }) => ppid === child.pid && command === 'sleep 1000'),
  );
  child.kill('SIGTERM');
  await until('the last to be gone', () => !processes().some(({ ppid }) => ppid === child.pid));
  closeSync(both);
  let text = '';
  for await (const piece of out) text += piece;
  assert.equal(text, '[web] 123456789\n'.repeat(5 * 6400));
});

test('the last words of our own log wait for a slow reader', async (t) => {
  const directory = tempDir(t);
  const fifo = join(directory, 'fifo');
  execaSync('mkfifo', [fifo]);
  const full = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  const err = openSync(fifo, constants.O_WRONLY);
  writeSync(full, Buffer.alloc(65_536, ' '));
  const env = { PATH: process.env['PATH'], OUT: directory, SUPERVISE_LOG_FORMAT: 'json' };
  const child = spawn(NODE, [BUNDLE, '--', 'sh', '-c', 'echo >"$OUT/ended"'], {
    env,
    cwd: directory,
    stdio: ['ignore', 'ignore', err],
  });
  closeSync(err);
  const ended = new Promise((resolve) => child.once('close', resolve));
  await until('the command to have ended', () => existsSync(join(directory, 'ended')));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const reader = createReadStream(fifo, 'utf8');
  let text = '';
  reader.on('data', (piece) => (text += String(piece)));
  assert.equal(await ended, 0);
  closeSync(full);
  await new Promise<void>((resolve) => reader.once('close', () => resolve()));
  assert.match(text, /"msg":"stopped the tree"}\n$/);
});

test('a reader that never reads again does not hang the stop beyond its time', async (t) => {
  const files = { 'web/run': '#!/bin/sh\nexec yes\n' };
  const { child, pid } = startRaw(t, files, ['--capture', '--stop-timeout', '1s']);
  await until('the writer to be blocked', () => isBlocked(pid()));
  const before = performance.now();
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
  assert.ok(performance.now() - before < 2500);
});

test('a process that was left behind and holds the pipe does not hang the stop', async (t) => {
  const files = {
    'web/run': '#!/bin/sh\nsetsid sh -c "trap \'\' TERM; printf left; exec sleep 1000" &\nexec sleep 1000\n',
  };
  const tree = startTree(t, files, { args: ['--log-prefix'] });
  await tree.event('started', 'web');
  await until('it to be left', () => processes().some(({ command }) => command === 'sleep 1000'));
  const before = performance.now();
  tree.signal('SIGTERM');
  await tree.ended;
  assert.ok(performance.now() - before < 5000);
  assert.equal(tree.stdout, '[web] left\n');
});

test('a service that is down keeps no descriptor, and what it left behind is still heard', async (t) => {
  const leftover = 'setsid sh -c "trap \'\' TERM; echo left; >\\$OUT/said; cat \\$OUT/go; echo more" &\n';
  const tree = startTree(
    t,
    {
      'web/run': `#!/bin/sh\nmkfifo "$OUT/go" 2>/dev/null && ${leftover}while [ ! -e "$OUT/said" ]; do sleep 0.01; done\ni=0\nwhile [ $i -lt 2000 ]; do i=$((i+1)); echo $i; done\nprintf last\nexec sleep 1000\n`,
      'once/run': '#!/bin/sh\necho once\n',
      'once/type': 'oneshot',
      'bad/run': '#!/bin/sh\necho bad\nexit 1\n',
      'bad/restart': 'never',
      'other/run': SLEEPER,
      'web/down': '',
      'once/down': '',
      'bad/down': '',
    },
    { args: ['--log-prefix'] },
  );
  const pipes = (): number =>
    readdirSync(`/proc/${tree.pid}/fd`).filter((fd) => fdOf(tree.pid, fd).startsWith('pipe:')).length;
  await tree.event('started', 'other');
  const none = pipes();
  tree.control('up', 'once', 'bad', 'web');
  await tree.event('done', 'once');
  await tree.event('failed', 'bad');
  await until('all of it', () => tree.stdout.includes('[web] 2000\n'));
  await until('those of the others to be closed', () => pipes() === none + 4);
  tree.control('down', 'web', '--wait', 'down');
  await until('the line that has no end', () => tree.stdout.includes('[web] last\n'));
  // What was left behind still has the ends to write.
  assert.equal(pipes(), none + 2);
  tree.control('up', 'web', '--wait', 'ready');
  assert.equal(pipes(), none + 6);
  writeFiles(tree.directory, { go: 'gone\n' });
  await until('its last words', () =>
    ['gone', 'more'].every((line) => tree.stdout.includes(`[web] ${line}\n`)),
  );
  await until('its pipes to be closed', () => pipes() === none + 4);
  await until('all of the second run', () => tree.stdout.split('[web] 2000\n').length === 3);
  tree.control('down', 'web', '--wait', 'down');
  await until('none to be left', () => pipes() === none);
  await until('the second last line', () => tree.stdout.split('[web] last\n').length === 3);
  for (const line of ['[once] once', '[bad] bad']) assert.ok(tree.stdout.includes(`${line}\n`), line);
  assert.equal(tree.stdout.split('\n').filter((line) => line.startsWith('[web] ')).length, 2 * 2001 + 3);
});

test('on a terminal: our own description of it, which leaves the one that is shared alone', async (t) => {
  const script = '#!/bin/sh\ngrep flags /proc/$PPID/fdinfo/1\nseq 20000\n';
  const files = { 'web/run': script, 'web/restart': 'never', 'web/essential': '' };
  const tree = startTree(t, files, {
    args: ['--log-prefix', '--log-level', 'silent'],
    prefix: ['sh', '-c', 'exec script --quiet --return --command "$(printf "%s " "$@")" /dev/null', 'sh'],
  });
  await tree.ended;
  const [flags = '', ...lines] = tree.stdout.replaceAll('\r', '').trim().split('\n');
  assert.match(flags, /^\[web\] flags:\t0\d+$/);
  assert.equal(Number.parseInt(flags.split('\t')[1] ?? '', 8) & constants.O_NONBLOCK, 0);
  assert.deepEqual(
    lines,
    Array.from({ length: 20_000 }, (_, i) => `[web] ${i + 1}`),
  );
});

test('the crash hook gets a file with the last output, ours alone and gone with the hook', async (t) => {
  const files = {
    'web/run': '#!/bin/sh\necho first\necho of it >&2\nprintf last\nexit 3\n',
    'web/restart': 'never',
    '.supervise/crash':
      '#!/bin/sh\nstat -c "%a %s" "$SUPERVISE_LOG_TAIL" >"$OUT/mode"\nsort "$SUPERVISE_LOG_TAIL" >"$OUT/tail"\necho "$SUPERVISE_LOG_TAIL" >"$OUT/path"\n',
  };
  const runtime = join(tempDir(t), 'run');
  const tree = startTree(t, files, { args: ['--capture'], env: { SUPERVISE_RUNTIME_DIR: runtime } });
  await until('the hook', () => tree.file('path').endsWith('\n'));
  assert.deepEqual(tree.lines('tail'), ['first', 'last', 'of it']);
  assert.equal(tree.file('mode'), '600 17\n');
  const path = tree.file('path').trim();
  assert.equal(dirname(path), runtime);
  await until('it to be gone', () => !existsSync(path));
});

test('a crash hook that had to wait gets the output as it was at the crash', async (t) => {
  const slow = Array.from({ length: 8 }, (_, i) => `slow${i}`);
  const run = '#!/bin/sh\nsleep 0.1\nexit 1\n';
  const tree = startTree(
    t,
    {
      ...Object.fromEntries(
        slow.flatMap((name) => [
          [`${name}/run`, run],
          [`${name}/restart`, 'never'],
        ]),
      ),
      'web/run':
        '#!/bin/sh\n[ -e "$OUT/again" ] || { echo first; >"$OUT/again"; exit 1; }\necho second\nexec sleep 1000\n',
      'web/restart-delay': '0',
      'web/down': '',
      '.supervise/crash':
        '#!/bin/sh\nwhile [ ! -e "$OUT/go" ]; do sleep 0.01; done\n[ $1 != web ] || cp "$SUPERVISE_LOG_TAIL" "$OUT/tail"\n',
    },
    { args: ['--capture'] },
  );
  for (const name of slow) await tree.event('failed', name);
  tree.control('up', 'web');
  await until('the second run', () => tree.stdout.includes('second'));
  writeFiles(tree.directory, { go: '' });
  assert.equal(await until('the hook', () => tree.file('tail')), 'first\n');
});

test('the crash hook gets none where nothing is captured, or no file can be made', async (t) => {
  const files = {
    'web/run': '#!/bin/sh\nexit 3\n',
    'web/restart': 'never',
    '.supervise/crash': '#!/bin/sh\necho "${SUPERVISE_LOG_TAIL-none}" >"$OUT/tail"\n',
  };
  const nowhere = ['/proc/nowhere', '/dev/null/nowhere'].map((directory) => ({
    args: ['--capture'],
    env: { SUPERVISE_RUNTIME_DIR: directory },
  }));
  for (const options of [{}, ...nowhere]) {
    const tree = startTree(t, files, options);
    await until('the hook', () => tree.file('tail'));
    assert.equal(tree.file('tail'), 'none\n');
    assert.deepEqual(tree.eventsOf('survived a mistake'), []);
  }
});

test('without the addon services inherit our output, and it is said once what follows', async (t) => {
  const bundle = join(tempDir(t), 'supervise.cjs');
  copyFileSync(BUNDLE, bundle);
  const files = { 'web/run': '#!/bin/sh\necho hello\n', 'web/restart': 'never', 'web/essential': '' };
  const tree = await runTree(t, files, { args: ['--log-prefix'], bundle });
  assert.equal(tree.stdout, 'hello\n');
  const said = tree.eventsOf("could not capture the services' output");
  assert.equal(said.length, 1);
  assert.match(String(said[0]?.['cause']), /no such file/);
});

/** Whether all that the supervisor started is stuck in a write. */
function isBlocked(pid: number): boolean {
  const children = processes().filter(({ ppid }) => ppid === pid);
  return (
    pid !== 0 &&
    children.length > 0 &&
    children.every((child) => {
      const call = readFileSync(`/proc/${child.pid}/syscall`, 'latin1').split(' ')[0];
      return call === (process.arch === 'x64' ? '1' : '64');
    })
  );
}

/** CPU time so far, in 10 ms. */
function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

test("the built-in templater's lines are of our own log: they name the service themselves", async (t) => {
  const tree = startTree(
    t,
    {
      'app/run': '#!/bin/sh\necho here\nexec sleep 1000\n',
      'app/templates/a.hbs': '{{!-- dest: ${OUT}/a.conf --}}\nx\n',
      '.supervise/kv.json': '{}',
    },
    { args: ['--log-prefix'] },
  );
  const { service } = await tree.event('rendered', 'templater');
  assert.equal(service, 'templater');
  await until('the service', () => tree.stdout.includes('[app] here\n'));
  assert.doesNotMatch(tree.noise, /\[templater\]/);
});
