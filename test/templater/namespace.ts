/** Mounts for tests: a shell as root of a mount namespace of its own, whoever we are. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Runs a script; `KEEP`, `RESTORE`, `BOTH` and `WRITE` in it run the fixture. */
export function inNamespace(script: string, directory: string, fixture: string): string {
  const run = `${process.execPath} ${join(import.meta.dirname, 'fixtures', fixture)}`;
  const { stdout, stderr, status } = spawnSync(
    'unshare',
    [process.getuid?.() === 0 ? '-m' : '-rm', 'sh', '-euc', script],
    {
      cwd: directory,
      env: {
        ...process.env,
        WRITE: run,
        KEEP: `${run} keep`,
        RESTORE: `${run} restore`,
        BOTH: `${run} both`,
      },
      encoding: 'utf8',
    },
  );
  assert.equal(status, 0, stderr + stdout);
  return stdout;
}
