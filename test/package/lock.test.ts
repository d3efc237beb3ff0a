/** Several containers, one volume: who installs, who waits, and what becomes of who dies. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog } from '../../src/log.ts';
import { lockDirectory } from '../../src/package/lock.ts';
import { tempDir, until } from '../tree.ts';
import { IS_ROOT, runInstall, serve, snapshot, startInstall } from './installing.ts';
import { files, zip } from './zip.ts';

const MARKER = '.supervise-package.json';
const PACKAGE = zip(files({ 'app.txt': 'one', 'bin/app': '#!/bin/sh\n' }));
/** Process ids of its own, as a container has. */
const CONTAINER = ['unshare', ...(IS_ROOT ? [] : ['-r']), '-pf', '--kill-child', '--mount-proc'];

test('of five that start at once in containers of their own one installs, and the others find it', async (t) => {
  const { url, requests } = await serve(t, (_, response) => setTimeout(() => response.end(PACKAGE), 300));
  // Longer than a socket's path may be, and to be made by whoever comes first.
  const directory = join(tempDir(t), 'x'.repeat(120), 'app');
  const all = await Promise.all(
    Array.from({ length: 5 }, () => runInstall(t, { url: `${url}/a.zip`, directory, prefix: CONTAINER })),
  );
  for (const { exit, transcript } of all) assert.equal(exit.code, 0, transcript);
  const count = (event: string): number => all.flatMap((each) => each.eventsOf(event)).length;
  assert.deepEqual([count('installed the package'), count('found the package in place')], [1, 4]);
  assert.equal(requests.length, 1);
  assert.deepEqual(readdirSync(directory).sort(), [MARKER, 'app.txt', 'bin']);
});

test('who is stopped in the middle is waited for; who is killed is followed at once', async (t) => {
  const waiting: ServerResponse[] = [];
  const { url, requests } = await serve(t, (_, response) => void waiting.push(response));
  const directory = tempDir(t);
  const first = startInstall(t, { url: `${url}/a.zip`, directory });
  await until('its request', () => requests.length === 1);
  first.signal('SIGSTOP');
  const second = startInstall(t, { url: `${url}/a.zip`, directory });
  await second.event('waiting for another installation');
  const third = startInstall(t, { url: `${url}/a.zip`, directory });
  await third.event('waiting for another installation');
  assert.equal(requests.length, 1);
  third.signal('SIGTERM');
  assert.equal((await third.ended).code, 143);
  first.signal('SIGKILL');
  await second.event('removed what an installation that was cut short had left');
  await until('the other request', () => requests.length === 2);
  waiting[1]?.end(PACKAGE);
  assert.equal((await second.ended).code, 0, second.transcript);
  assert.deepEqual(readdirSync(directory).sort(), [MARKER, 'app.txt', 'bin']);
});

test('one that goes at the moment in which it is asked was there: another look, and no error', async (t) => {
  const directory = tempDir(t);
  const name = join(directory, '.supervise-package.lock-1');
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(join(directory, 'unheard'), resolve));
  renameSync(join(directory, 'unheard'), name);
  const log = createLog({ format: 'json', level: 'error', write: () => {} });
  const locked = lockDirectory(directory, log, AbortSignal.timeout(20_000));
  // Its own socket listens in the next tick, and it asks in the microtasks after that one: closed behind them, ahead of any answer.
  let wasThere = false;
  process.nextTick(() =>
    queueMicrotask(() =>
      process.nextTick(() => {
        holder.close();
        wasThere = existsSync(name);
      }),
    ),
  );
  const unlock = await locked;
  assert.ok(wasThere);
  assert.equal(readdirSync(directory).length, 1, 'its own, and what was left of the other is removed');
  unlock();
  assert.deepEqual(readdirSync(directory), []);
});

test('one that fails gives way to the next, and leaves it the directory', async (t) => {
  const waiting: ServerResponse[] = [];
  const { url, requests } = await serve(t, (_, response) => void waiting.push(response));
  const directory = join(tempDir(t), 'made/app');
  const first = startInstall(t, { url: `${url}/a.zip`, directory });
  await until('its request', () => requests.length === 1);
  const second = startInstall(t, { url: `${url}/a.zip`, directory });
  await second.event('waiting for another installation');
  waiting[0]?.writeHead(404).end();
  assert.equal((await first.ended).code, 100);
  await until('the other request', () => requests.length === 2);
  waiting[1]?.end(PACKAGE);
  assert.equal((await second.ended).code, 0, second.transcript);
  assert.deepEqual(readdirSync(directory).sort(), [MARKER, 'app.txt', 'bin']);
});

test("what somebody else laid in the place of the installer's own directory is refused, not followed", async (t) => {
  const victim = join(tempDir(t), 'victim');
  mkdirSync(victim);
  writeFileSync(join(victim, 'passwd'), 'root');
  const before = snapshot(victim);
  const lay: Record<string, (directory: string) => void> = {
    link: (directory) => symlinkSync(victim, join(directory, '.supervise-package')),
    'a link within': (directory) => {
      mkdirSync(join(directory, '.supervise-package'), { mode: 0o777 });
      execFileSync('chmod', ['777', join(directory, '.supervise-package')]);
      symlinkSync(victim, join(directory, '.supervise-package/back'));
    },
    file: (directory) => writeFileSync(join(directory, '.supervise-package'), ''),
  };
  for (const [what, put] of Object.entries(lay)) {
    const directory = tempDir(t);
    put(directory);
    const { exit, noise } = await runInstall(t, { url: 'http://127.0.0.1:1/a.zip', directory });
    assert.equal(exit.code, 100, what);
    assert.equal(
      noise,
      `supervise: cannot use ${directory}/.supervise-package: it is not an installer's\n` +
        `  hint: look who may write to ${directory}: what is there is run; then remove it\n`,
    );
    assert.deepEqual(snapshot(victim), before, what);
  }
});

test('a marker that is a FIFO keeps nobody waiting', async (t) => {
  const directory = tempDir(t);
  execFileSync('mkfifo', [join(directory, MARKER)]);
  const { exit, noise } = await runInstall(t, { url: 'http://127.0.0.1:1/a.zip', directory });
  assert.equal(exit.code, 100);
  assert.match(noise, /cannot read .*\.supervise-package\.json: it is not a regular file/);
});
