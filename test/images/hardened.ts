/** What operators do to a container, and that nothing of ours breaks by it; for each of the two deliverables. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { COMMAND, Container, type Hardening, type Kind, makeRoot } from './container.ts';

const ORPHANS = 20;
/** Not 0, so that it can be nobody else's: what our own exit code 0 becomes. */
const EXIT_CODE = 42;
const OPTIONS = ['/etc/services.d', '--exit-map', `0=${EXIT_CODE}`];
/** Well below Docker's 10 s: nothing had to be waited for. */
const STOP_LIMIT_MS = 5000;

const TREE = {
  'etc/services.d/app/run': `#!/bin/sh
i=0
while [ $i -lt ${ORPHANS} ]; do (sleep 0.01 &); i=$((i + 1)); done
echo made
exec sleep 1000
`,
  // A program that stays, for where there is no shell.
  'etc/services.d/other/run': '#!/bin/tail -f\n',
};
const SAMPLE = join(import.meta.dirname, '../../services.d');
const SHELLS = ['bin/sh', 'bin/ash', 'bin/hush', 'bin/bash', 'bin/static-sh', 'bin/env', 'usr/bin/env'];
const NON_ROOT = { uid: 1000, gid: 1000 };
const NOEXEC = { '/tmp': ['noexec'], '/run': ['noexec'] };

const ROWS: Record<string, Hardening> = {
  'as root, nothing taken away': {},
  'a USER': { user: NON_ROOT },
  'any uid, with gid 0': { user: { uid: 1_234_567, gid: 0 } },
  'a read-only root': { readOnly: true, tmpfs: { '/run': [] } },
  'all capabilities dropped': { noCapabilities: true },
  'no new privileges': { noNewPrivileges: true, user: NON_ROOT },
  'noexec wherever one can write': { user: NON_ROOT, readOnly: true, tmpfs: NOEXEC },
  'no /run': { without: ['run'], readOnly: true, user: NON_ROOT, tmpfs: { '/tmp': [] } },
  'no access to the processes of others in /proc': { user: NON_ROOT, proc: ['hidepid=2'] },
  'all of it at once': {
    user: { uid: 1_234_567, gid: 0 },
    readOnly: true,
    noCapabilities: true,
    noNewPrivileges: true,
    tmpfs: NOEXEC,
    proc: ['hidepid=2'],
  },
};

/** Rows, as tests of one deliverable. */
export function testHardened(kind: Kind): void {
  const root = makeRoot({ after }, kind, TREE);
  cpSync(SAMPLE, join(root, 'sample'), { recursive: true });
  const command = [...COMMAND[kind], ...OPTIONS];
  const check = [...COMMAND[kind], 'check'];

  for (const [name, hardening] of Object.entries(ROWS))
    test(name, async (t) => {
      const container = new Container(t, root, command, hardening);
      await container.until('the orphans', () => container.stdout.includes('made'));
      await holds(container, check);
      assert.doesNotMatch(container.stderr, /"level":"(warn|error)"/, 'nothing to complain about');
    });

  test('no shell', async (t) => {
    const without = [...SHELLS.filter((path) => isThere(root, path)), 'etc/services.d/app'];
    await holds(new Container(t, root, command, { without, user: NON_ROOT }), check);
  });

  test('nowhere to write', async (t) => {
    const container = new Container(t, root, command, { readOnly: true, user: NON_ROOT });
    await container.until('the orphans', () => container.stdout.includes('made'));
    await container.until('the warning', () => container.stderr.includes('"running without control"'));
    assert.equal(container.stderr.match(/"level":"(warn|error)"/g)?.length, 1, container.stderr);
    await ends(container);
  });

  test('behind an init', async (t) => {
    const container = new Container(t, root, ['/bin/sh', '-c', INIT, 'init', ...command]);
    await container.until('the orphans', () => container.stdout.includes('made'));
    const supervise = container.processes().find(({ ppid }) => ppid === container.init);
    assert.match(supervise?.command ?? '', /supervise/, 'it is not PID 1');
    await holds(container, check);
  });

  test('a terminal', async (t) => {
    const container = new Container(t, root, command, { tty: true, user: NON_ROOT });
    await container.until('the orphans', () => container.stdout.includes('made\r\n'));
    await holds(container, check);
  });

  test('a main command on a terminal', async (t) => {
    const main = ['--', 'sh', '-c', 'test -t 0 && exit 6'];
    const container = new Container(t, root, [...command, ...main], { tty: true, user: NON_ROOT });
    assert.equal(await container.ended, 6, container.transcript);
  });

  test('the sample, its template rendered by its templater', async (t) => {
    const env = { SUPERVISE_SCANDIR: '/sample', SAMPLE_DIR: '/tmp/app' };
    const container = new Container(t, root, COMMAND[kind], {
      user: NON_ROOT,
      readOnly: true,
      tmpfs: { '/tmp': ['noexec'] },
      env,
    });
    await container.until('a greeting', () =>
      container.stdout.includes('app: hello from .supervise/kv.json\n'),
    );
    assert.equal(container.exec(...check).code, 0);
    container.kill('TERM');
    assert.equal(await container.ended, 0, container.transcript);
    assert.match(container.stdout, /finish hook: stopped by signal, exit code 0\n$/);
  });

  test('stdout and stderr closed from the start', async (t) => {
    const closed = ['/bin/sh', '-c', 'exec "$@" >&- 2>&-', 'sh', ...command];
    await holds(new Container(t, root, closed, { user: NON_ROOT }), check);
  });

  test('stdout and stderr whose reader has gone', async (t) => {
    const container = new Container(t, root, command, { user: NON_ROOT });
    await container.until('the orphans', () => container.stdout.includes('made'));
    container.child.stdout?.destroy();
    container.child.stderr?.destroy();
    await holds(container, check);
  });
}

/** As `docker run --init` does it: hands signals on, waits, and takes the exit code. */
const INIT =
  '"$@" & child=$!; trap \'kill -TERM $child\' TERM; while :; do wait $child; code=$?; kill -0 $child 2>/dev/null || exit $code; done';

/** It is well, and ends well. */
async function holds(container: Container, check: readonly string[]): Promise<void> {
  await container.until('it is well', () => container.exec(...check).code === 0);
  await ends(container);
}

/** What is made an orphan in it is reaped; TERM ends it in time, with its exit code. */
async function ends(container: Container): Promise<void> {
  // As `docker exec` leaves one: made by a process that PID 1 knows nothing of.
  const made = container.exec(...ORPHANING);
  assert.equal(made.code, 0, made.stderr);
  await container.until(
    'no zombie, and no orphan',
    () => !container.processes().some(({ state, command }) => state === 'Z' || /sleep 0\./.test(command)),
  );
  const before = performance.now();
  container.kill('TERM');
  assert.equal(await container.ended, EXIT_CODE, container.transcript);
  assert.ok(performance.now() - before < STOP_LIMIT_MS, container.transcript);
}

const ORPHANING = ['/bin/busybox', 'start-stop-daemon', '-S', '-b', '-x', '/bin/sleep', '--', '0.05'];

function isThere(root: string, path: string): boolean {
  return spawnSync('test', ['-L', `${root}/${path}`]).status === 0;
}
