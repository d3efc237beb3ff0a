/** What docs/security.md promises, by the user ids that it speaks of. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { BUNDLE, NODE, tempDir } from './tree.ts';

/** To be two users takes root. */
const AS_ROOT = { skip: process.getuid?.() === 0 ? false : 'not root' };

test("a socket in a shared temp directory that is somebody else's is not believed", AS_ROOT, async (t) => {
  const temp = tempDir(t);
  chmodSync(temp, 0o1777);
  const own = join(temp, `supervise-${process.getuid?.()}`);
  mkdirSync(own, { mode: 0o755 });
  const server = createServer((socket) => socket.end('{"v":1,"ok":true,"data":[]}\n'));
  await new Promise<void>((resolve) => server.listen(join(own, 'control'), resolve));
  t.after(() => server.close());
  const check = () =>
    execa(NODE, [BUNDLE, 'check'], {
      env: { PATH: process.env['PATH'], TMPDIR: temp },
      extendEnv: false,
      reject: false,
    });
  assert.equal((await check()).exitCode, 0, 'ours is');
  chownSync(own, 65534, 65534);
  const { exitCode, stderr } = await check();
  assert.equal(exitCode, 111);
  assert.match(stderr, new RegExp(`nor at ${own}/control: ${own} belongs to uid 65534`));
  chownSync(own, 0, 0);
  chmodSync(own, 0o777);
  assert.match((await check()).stderr, /others may write to/);
});
