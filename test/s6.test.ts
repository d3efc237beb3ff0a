/** A tree laid out for s6 runs as it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTree } from './tree.ts';

const NOTHING = '#!/bin/sh\n';

test('.s6-svscan/{crash,finish} and finish scripts that hold nothing but a shebang', async (t) => {
  const tree = startTree(t, {
    '.s6-svscan/crash': NOTHING,
    '.s6-svscan/finish': NOTHING,
    'app/run': '#!/bin/sh\nexec sleep 1000\n',
    'app/finish': NOTHING,
    'consul-template/run': '#!/bin/sh\nexec sleep 1001\n',
    'consul-template/finish': NOTHING,
  });
  const { pid } = await tree.event('started', 'app');
  await tree.event('started', 'consul-template');
  process.kill(Number(pid), 'SIGTERM');
  await tree.event('started', 'app', 2);
  assert.equal(tree.eventsOf('found no services').length, 0);
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
  assert.deepEqual(
    tree.events.filter(({ level }) => level === 'error' || (level === 'warn' && true)).map(({ msg }) => msg),
    ['died'],
  );
});

test('.s6-svscan is passed over where there is .supervise', async (t) => {
  const hook = (where: string): string => `#!/bin/sh\necho ${where} >>"$OUT/hook"\n`;
  const tree = startTree(t, {
    '.s6-svscan/finish': hook('s6'),
    '.supervise/finish': hook('supervise'),
    'app/run': '#!/bin/sh\nexit 0\n',
    'app/essential': '',
    'app/restart': 'never',
  });
  await tree.ended;
  assert.equal(tree.file('hook'), 'supervise\n');
});
