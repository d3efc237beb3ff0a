/** A death that the kernel caused for lack of memory, in a control group of the test's own. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startTree, until } from './tree.ts';

const LIMIT = 200 * 1024 * 1024;

test('the kernel kills for memory: the death, the status and the crash hook say oom; another SIGKILL does not', async (t) => {
  const group = memoryGroup(t);
  if (!group) return t.skip('no control group can be made here');
  const join = `echo $$ >${group}/cgroup.procs && exec "$@"`;
  const files = {
    // Its first life is short for want of memory, its second by our hand.
    'eater/run':
      '#!/bin/sh\n[ -e "$OUT/eaten" ] && exec sleep 1000\ntouch "$OUT/eaten"\nexec tail /dev/zero\n',
    'eater/restart-delay': '10ms',
    '.supervise/crash': '#!/bin/sh\necho "$1 $3 $SUPERVISE_REASON" >>"$OUT/crashes"\n',
  };
  const tree = startTree(t, files, { prefix: ['sh', '-c', join, 'sh'] });
  const died = await tree.event('died', 'eater');
  assert.equal(died['signal'], 'SIGKILL');
  assert.equal(died['reason'], 'oom');
  await tree.event('started', 'eater', 2);
  assert.match(tree.control('status').stdout, /last end: oom after/);

  process.kill(tree.servicePid('eater'), 'SIGKILL');
  assert.equal((await tree.event('died', 'eater', 2))['reason'], undefined);
  await until('the hooks', () => tree.lines('crashes').length === 2);
  assert.deepEqual(tree.lines('crashes'), ['eater 9 oom', 'eater 9 SIGKILL']);
  tree.signal('SIGTERM');
  await tree.ended;
});

/** A group with a limit of its memory, of cgroup v1 or v2; undefined where none can be made. */
function memoryGroup(t: TestContext): string | undefined {
  for (const [root, limit] of [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
    ['/sys/fs/cgroup', 'memory.max'],
  ] as const) {
    const path = join(root, `supervise-test-${process.pid}`);
    try {
      mkdirSync(path);
    } catch {
      continue;
    }
    t.after(() => until('the group to be empty', () => removed(path)));
    if (!existsSync(join(path, limit))) continue;
    writeFileSync(join(path, limit), String(LIMIT));
    return path;
  }
  return undefined;
}

function removed(path: string): boolean {
  try {
    rmdirSync(path);
  } catch {
    // Its last process is not gone yet.
  }
  return !existsSync(path);
}
