/** Processes started and waited for by the addon. Nothing here may use node:child_process: there is one waiter. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { isChild } from '../../src/os/children.ts';
import { Reaper } from '../../src/os/reaper.ts';
import { startProcess } from '../../src/os/spawn.ts';
import type { SpawnSpec } from '../../src/os/spawn-spec.ts';
import { load } from '../fixtures/native-load.ts';

const { SIGKILL, SIGTERM } = constants.signals;
const scratch = mkdtempSync(join(tmpdir(), 'supervise-spawn-'));
after(() => rmSync(scratch, { recursive: true }));
const native = load();
const reaper = new Reaper(native, () => {});
reaper.start();
// Nothing else keeps a process alive that waits for its children by a signal.
const alive = setInterval(() => {}, 1e6);
after(() => clearInterval(alive));

type End = { refused: number; reason: string } | { code: number; signal: number; pid: number };

/** Runs it to its end. */
function run(
  spec: Partial<SpawnSpec> & Pick<SpawnSpec, 'argv'>,
  started?: (pid: number) => void,
): Promise<End> {
  return new Promise((resolve) => {
    let pid = 0;
    startProcess(
      { cwd: scratch, env: process.env, stdin: 'ignore', session: true, pipes: [], ...spec },
      {
        spawned(given) {
          pid = given;
          started?.(given);
        },
        refused: (refused, reason) => resolve({ refused, reason }),
        exited: (code, signal) => resolve({ code, signal, pid }),
      },
    );
  });
}

/** What a shell script prints, by a file. */
async function output(script: string, spec: Partial<SpawnSpec> = {}): Promise<string> {
  const path = join(scratch, 'output');
  const fd = openSync(path, 'w');
  try {
    const end = await run({
      argv: ['/bin/sh', '-c', script, 'sh', 'an "argument"', ''],
      stdout: fd,
      ...spec,
    });
    assert.deepEqual({ ...end, pid: 0 }, { code: 0, signal: 0, pid: 0 });
  } finally {
    closeSync(fd);
  }
  return readFileSync(path, 'utf8');
}

test('codes from all over, and every signal that ends a process, real-time ones too', async () => {
  for (const code of [0, 1, 99, 127, 128, 255]) {
    const { pid, ...end } = (await run({ argv: ['/bin/sh', '-c', `exit ${code}`] })) as { pid: number };
    assert.deepEqual(end, { code, signal: 0 });
    assert.equal(isChild(pid), false);
  }
  const harmless = ['SIGCHLD', 'SIGCONT', 'SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGURG', 'SIGWINCH'];
  const deadly = Object.entries(constants.signals).filter(([name]) => !harmless.includes(name));
  for (const signal of [...deadly.map(([, number]) => number), 34, 37, 50, 64]) {
    // A stat file leaves no core behind.
    const end = await run({
      argv: ['/bin/sh', '-c', 'ulimit -c 0; kill -$1 $$; sleep 60', 'sh', String(signal)],
    });
    assert.deepEqual({ ...end, pid: 0, code: 0 }, { code: 0, signal, pid: 0 }, `signal ${signal}`);
  }
});

test('what it sees: arguments, directory, environment, session, descriptors', async () => {
  assert.equal(await output('printf "%s|" "$@"; pwd'), `an "argument"||${scratch}\n`);
  assert.equal(await output('pwd', { cwd: undefined }), `${process.cwd()}\n`);
  assert.equal(
    await output('echo "$A $B"', { env: { A: 'ä\n1', B: '2', C: undefined, PATH: '/bin' } }),
    'ä\n1 2\n',
  );
  const own = (await output('echo $$; cut -d" " -f5,6 /proc/$$/stat')).trim().split(/\s/);
  assert.deepEqual(own.slice(1), [own[0], own[0]], 'group and session are its own');
  const shared = await output('cut -d" " -f5 /proc/$$/stat', { session: false });
  assert.equal(shared.trim(), readFileSync('/proc/self/stat', 'latin1').split(' ')[4]);
  // ls has one more open, its own.
  assert.equal(
    await output('ls /proc/self/fd | tr "\\n" " "; readlink /proc/self/fd/0'),
    '0 1 2 3 /dev/null\n',
  );
});

test('descriptors that stand in the way of each other arrive where they belong', async () => {
  const fds = ['a', 'b', 'c'].map((name) => {
    writeFileSync(join(scratch, name), name);
    return openSync(join(scratch, name), 'r+');
  });
  const [a = 0, b = 0, c = 0] = fds;
  const script = 'exec 9>names; for fd in 0 1 2; do name=$(readlink /proc/$$/fd/$fd); echo "$name" >&9; done';
  for (const [stdin, stdout, stderr] of [
    [a, b, c],
    [c, a, b],
    [b, b, b],
  ] as const) {
    rmSync(join(scratch, 'names'), { force: true });
    const end = await run({ argv: ['/bin/sh', '-c', script], stdin, stdout, stderr });
    assert.equal('code' in end && end.code, 0);
    const names = readFileSync(join(scratch, 'names'), 'utf8').trim().split('\n');
    const wanted = [stdin, stdout, stderr].map((fd) => join(scratch, 'abc'[fds.indexOf(fd)] ?? ''));
    assert.deepEqual(names, wanted);
  }
  for (const fd of fds) closeSync(fd);
});

test('no signal is blocked, ignored or caught in it', async () => {
  native.ignore(constants.signals.SIGTTOU);
  process.on('SIGUSR2', () => {});
  const status = await output('cat /proc/self/status');
  assert.deepEqual(status.match(/^Sig(?:Blk|Ign|Cgt):.*$/gm), [
    'SigBlk:\t0000000000000000',
    'SigIgn:\t0000000000000000',
    'SigCgt:\t0000000000000000',
  ]);
  process.removeAllListeners('SIGUSR2');
});

test('a program without a slash is looked up in its own PATH, as execvp does', async () => {
  for (const directory of ['empty', 'denied', 'fine']) mkdirSync(join(scratch, directory));
  for (const [directory, mode] of [
    ['denied', 0o644],
    ['fine', 0o755],
  ] as const) {
    writeFileSync(join(scratch, directory, 'tool'), '#!/bin/sh\nexit 5\n');
    chmodSync(join(scratch, directory, 'tool'), mode);
  }
  const at = (...names: string[]): { PATH: string } => ({
    PATH: names.map((name) => join(scratch, name)).join(':'),
  });
  const tool = { argv: ['tool'] as const };
  assert.equal(codeOf(await run({ ...tool, env: at('empty', 'denied', 'fine') })), 5);
  assert.deepEqual(await run({ ...tool, env: at('empty', 'denied') }), {
    refused: 126,
    reason: 'cannot execute tool: permission denied (EACCES)',
  });
  assert.deepEqual(await run({ ...tool, env: at('empty') }), {
    refused: 127,
    reason: 'cannot execute tool: no such file or directory (ENOENT)',
  });
  // An empty part of PATH is its directory.
  assert.equal(codeOf(await run({ ...tool, cwd: join(scratch, 'fine'), env: { PATH: '/nowhere:' } })), 5);
  assert.equal(codeOf(await run({ argv: ['sh', '-c', 'exit 4'], env: {} })), 4, 'and there is a default');
});

test('what cannot be executed is refused with its cause, and leaves nothing behind', async () => {
  writeFileSync(join(scratch, 'strange'), '#!/no/such/interpreter\n', { mode: 0o755 });
  writeFileSync(join(scratch, 'plain'), 'neither\n', { mode: 0o755 });
  const before = readdirSync('/proc/self/fd').length;
  for (const [argv, spec, refused, reason] of [
    [['./none'], {}, 127, 'cannot execute ./none: no such file or directory (ENOENT)'],
    [['./strange'], {}, 127, 'cannot execute ./strange: its interpreter /no/such/interpreter does not exist'],
    [['./plain'], {}, 126, 'cannot execute ./plain: it is neither a program nor a script (ENOEXEC)'],
    [['.'], {}, 126, 'cannot execute .: permission denied (EACCES)'],
    [['/bin/true'], { cwd: '/no/where' }, 127, 'cannot execute /bin/true: /no/where is gone'],
    [
      ['/bin/true', 'a\0b'],
      {},
      111,
      'cannot execute /bin/true: an argument that the system does not take (EINVAL)',
    ],
    [
      ['/bin/true', 'a'.repeat(3e6)],
      {},
      111,
      'cannot execute /bin/true: the arguments and variables are too long (E2BIG)',
    ],
    [['./none'], { pipes: [3, 7] }, 127, 'cannot execute ./none: no such file or directory (ENOENT)'],
  ] as [SpawnSpec['argv'], Partial<SpawnSpec>, number, string][])
    assert.deepEqual(await run({ argv, ...spec }), { refused, reason });
  await new Promise(setImmediate);
  assert.equal(readdirSync('/proc/self/fd').length, before);
  assert.equal(reaper.hasChildren(), false);
});

test('sockets carry both ways, end with it, and cannot be opened by a path', async () => {
  const heard: string[] = [];
  const end = await new Promise<number>((resolve) => {
    startProcess(
      {
        argv: [
          '/bin/sh',
          '-c',
          'read -r line <&5; echo "got $line" >&3; (: >/dev/fd/3) 2>/dev/null || exit 9',
        ],
        cwd: scratch,
        env: process.env,
        stdin: 'ignore',
        session: true,
        pipes: [3, 5],
      },
      {
        async spawned(_pid, pipes) {
          pipes.get(3)?.on('data', (bytes: Buffer) => heard.push(bytes.toString()));
          pipes.get(5)?.write('a line\n');
          const socket = pipes.get(3);
          if (socket) await once(socket, 'end');
          heard.push('end');
        },
        refused: (code) => resolve(code),
        exited: (code) => resolve(code),
      },
    );
  });
  assert.equal(end, 9);
  while (!heard.includes('end')) await new Promise(setImmediate);
  assert.deepEqual(heard, ['got a line\n', 'end']);
});

test('many at once: each told of its own end, once; orphans pass without a word', async () => {
  const starts = Array.from({ length: 200 }, (_, i) =>
    run({ argv: ['/bin/sh', '-c', `(sleep 0.0${i % 10} &) ; exit ${i % 256}`] }),
  );
  const codes = (await Promise.all(starts)).map(codeOf);
  assert.deepEqual(
    codes,
    starts.map((_, i) => i % 256),
  );
});

describe('another user', { skip: process.getuid?.() !== 0 && 'only root can become another' }, () => {
  test('has the ids and groups that it is given, and no more', async () => {
    const ids = 'grep -E "^(Uid|Gid|Groups):" /proc/self/status | tr -s "\\t " " "';
    assert.equal(
      await output(ids, { user: { uid: 65534, gid: 65533, groups: [10, 65532] } }),
      'Uid: 65534 65534 65534 65534\nGid: 65533 65533 65533 65533\nGroups: 10 65532 \n',
    );
    assert.match(await output(ids, { user: { uid: 65534, gid: 65534 } }), /^Groups: $/m);
  });

  test('that may not execute it: 126', async () => {
    writeFileSync(join(scratch, 'mine'), '#!/bin/sh\n', { mode: 0o700 });
    assert.deepEqual(await run({ argv: ['./mine'], user: { uid: 65534, gid: 65534 }, cwd: undefined }), {
      refused: 127,
      reason: 'cannot execute ./mine: no such file or directory (ENOENT)',
    });
    chmodSync(scratch, 0o755);
    assert.deepEqual(await run({ argv: ['./mine'], user: { uid: 65534, gid: 65534 } }), {
      refused: 126,
      reason: 'cannot execute ./mine: permission denied (EACCES)',
    });
  });
});

test('killed from outside, stopped or not', async () => {
  for (const signal of [SIGTERM, SIGKILL]) {
    const end = await run({ argv: ['sleep', '60'] }, (pid) => {
      process.kill(pid, 'SIGSTOP');
      process.kill(pid, signal);
      process.kill(pid, 'SIGCONT');
    });
    assert.deepEqual({ ...end, pid: 0 }, { code: 0, signal, pid: 0 });
  }
});

function codeOf(end: End): number | undefined {
  return 'code' in end ? end.code : undefined;
}
