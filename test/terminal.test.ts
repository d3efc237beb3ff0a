/** SPEC §1: a main command gets the terminal, if there is one. `script` (util-linux) makes the terminal. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { BUNDLE, NODE, SLEEPER, tempDir, until, writeFiles } from './tree.ts';

interface Terminal {
  child: ChildProcess;
  directory: string;
  /** All that was shown. */
  screen: () => string;
  type: (text: string) => void;
  exit: Promise<number | null>;
}

function open(t: TestContext, command: string): Terminal {
  const directory = tempDir(t);
  const scandir = writeFiles(join(directory, 'services'), { 'app/run': SLEEPER });
  const line = `exec '${NODE}' '${BUNDLE}' '${scandir}' --no-watch -- ${command}`;
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    env: {
      PATH: process.env['PATH'],
      SUPERVISE_SOCKET: join(directory, 'control'),
      OUT: directory,
      SHELL: '/bin/sh',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let screen = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (screen += text));
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  t.after(() => {
    if (child.exitCode === null) child.kill('SIGKILL');
  });
  return { child, directory, screen: () => screen, type: (text) => child.stdin?.write(text), exit };
}

test('the main command reads what is typed, and its exit code is ours', async (t) => {
  const terminal = open(t, `sh -c 'echo "what?"; read answer; echo "got <$answer>"; exit 6'`);
  await until('the question', () => terminal.screen().includes('what?'));
  terminal.type('forty-two\n');
  assert.equal(await terminal.exit, 6);
  assert.match(terminal.screen(), /got <forty-two>/);
});

test('it is the foreground process group, and a group of its own', async (t) => {
  const terminal = open(t, `sh -c 'cat /proc/$$/stat'`);
  assert.equal(await terminal.exit, 0);
  const stat = /^(\d+) \(cat|(\d+) \(sh\) \S+ (\d+) (\d+) \d+ \d+ (\d+)/m.exec(terminal.screen());
  assert.ok(stat, terminal.screen());
  const [pid, , group, foreground] = stat.slice(2).map(Number);
  assert.equal(group, pid);
  assert.equal(foreground, pid);
});

test('Ctrl-C goes to the main command alone; when it ends of it, the tree stops: 130', async (t) => {
  const terminal = open(t, `sh -c 'echo up; exec sleep 1000'`);
  await until('up', () => terminal.screen().includes('up\r\n'));
  terminal.type('\x03');
  assert.equal(await terminal.exit, 130);
  assert.match(terminal.screen(), /stopping the tree why=command/);
});

test('a main command that takes Ctrl-C for itself goes on', async (t) => {
  const terminal = open(
    t,
    `sh -c 'trap "echo caught" INT; echo up; while ! read line; do :; done; echo "read $line"; exit 3'`,
  );
  await until('up', () => terminal.screen().includes('up\r\n'));
  terminal.type('\x03');
  await until('caught', () => terminal.screen().includes('caught\r\n'));
  terminal.type('on\n');
  assert.equal(await terminal.exit, 3);
});

test('a command that is not there: 127', async (t) => {
  const terminal = open(t, 'no-such-program');
  assert.equal(await terminal.exit, 127);
  assert.match(terminal.screen(), /cannot execute no-such-program: no such file or directory/);
});

test('pipes work as ever: SIGPIPE is the default in the main command', async (t) => {
  const terminal = open(t, `sh -c 'grep ^SigIgn /proc/self/status'`);
  assert.equal(await terminal.exit, 0);
  const ignored = BigInt(`0x${/SigIgn:\s+([0-9a-f]+)/.exec(terminal.screen())?.[1]}`);
  assert.equal(ignored & (1n << 12n), 0n, 'SIGPIPE is ignored');
});
