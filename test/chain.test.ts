/** Ten services in a row, each ready in its own way: started in order and as early as possible, stopped in the mirror. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Files, processes, type RunningTree, startTree, until } from './tree.ts';

const LENGTH = 10;
/** How each of three kinds tells that the next may start. */
const KINDS: ((name: string) => Files)[] = [
  (name) => ({
    [`${name}/run`]: '#!/bin/sh\nexec sleep 1000\n',
    [`${name}/check`]: '#!/bin/sh\n',
  }),
  (name) => ({
    [`${name}/run`]: '#!/bin/sh\necho >&3\nexec 3>&-\nexec sleep 1000\n',
    [`${name}/notification-fd`]: '3',
  }),
  (name) => ({ [`${name}/run`]: '#!/bin/sh\n', [`${name}/type`]: 'oneshot' }),
];

const NAMES = Array.from({ length: LENGTH }, (_, i) => `s${i}`);

function chain(): Files {
  const files: Files = {};
  for (const [i, name] of NAMES.entries()) {
    Object.assign(files, KINDS[i % KINDS.length]?.(name));
    if (i > 0) files[`${name}/dependencies.d/s${i - 1}`] = '';
  }
  return files;
}

interface Recorded {
  time: string;
  service: string | null;
  event: string;
}

/** When each service was started, and when the next might have been: as `supervise events --json` has it. */
function timeline(tree: RunningTree): { started: number; up: number }[] {
  const { stdout } = tree.control('events', '--json');
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Recorded);
  return NAMES.map((name) => {
    const at = (...names: string[]): number =>
      Date.parse(events.find((each) => each.service === name && names.includes(each.event))?.time ?? '');
    return { started: at('started', 'started, not ready yet'), up: at('ready', 'done') };
  });
}

describe('a oneshot, a check and a descriptor, in turns', () => {
  test('start in order, each as soon as the one before is ready; stop in the mirror', async (t) => {
    const tree = startTree(t, chain());
    await tree.event('ready', 's9');
    const times = timeline(tree);
    for (const [i, { started }] of times.entries()) {
      const before = times[i - 1];
      if (!before) continue;
      assert.ok(started >= before.up, `s${i} started ${before.up - started} ms before s${i - 1} was ready`);
      // Generous for a loaded machine, and far below the second after which anything that asks again would ask.
      assert.ok(
        started - before.up < 500,
        `s${i} started only ${started - before.up} ms after s${i - 1} was ready`,
      );
    }
    tree.signal('SIGTERM');
    assert.equal((await tree.ended).code, 0);
    const longruns = NAMES.filter((_, i) => i % KINDS.length !== 2);
    assert.deepEqual(
      tree.eventsOf('stopping').map(({ service }) => service),
      longruns.toReversed(),
    );
    const stopped = tree.events.filter(({ msg }) => msg === 'stopping' || msg === 'stopped');
    assert.deepEqual(
      stopped.map(({ msg, service }) => `${msg} ${service}`),
      longruns.toReversed().flatMap((name) => [`stopping ${name}`, `stopped ${name}`]),
    );
  });

  for (const cut of [0, 2, 4, 5, 8])
    test(`cut by TERM as s${cut} starts: no process is left`, async (t) => {
      const tree = startTree(t, chain());
      await until(`s${cut} started`, () =>
        tree.events.some(({ msg, service }) => service === `s${cut}` && msg.startsWith('started')),
      );
      const pids = (): number[] => tree.events.map((event) => Number(event['pid'])).filter((pid) => pid > 0);
      tree.signal('SIGTERM');
      assert.equal((await tree.ended).code, 0);
      const left = processes().filter(({ pid, state }) => pids().includes(pid) && state !== 'Z');
      assert.deepEqual(left, []);
      const started = tree.events.filter(({ msg }) => msg.startsWith('started')).length;
      assert.ok(started < LENGTH || cut === 8, 'the stop came when all was over');
    });
});
