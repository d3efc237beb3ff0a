/** A template's `check`: what it says, what it leaves, what it cannot hold up. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { verify } from '../../src/templater/verify.ts';
import { processes, tempDir, until } from '../tree.ts';
import { hbs, startTemplater } from './template.ts';

const never = new AbortController().signal;
/** A command line that only this test has, for `sleep`. */
const mark = (n: number): string => `${100_000 + process.pid}.${n}`;
const isRunning = (n: number): boolean =>
  processes().some(({ command }) => command.includes(`sleep ${mark(n)}`));

test('0 is fine; anything else is told, with the first and the last lines of what it said', async (t) => {
  const directory = tempDir(t);
  const file = join(directory, "it's $HOME.conf");
  writeFileSync(file, 'content\n');
  assert.equal(await verify('grep -q content {file}', file, directory, never), undefined);
  assert.equal(await verify('test "$(pwd)" = "$0" || test -e *.conf', file, directory, never), undefined);
  assert.deepEqual(await verify('exit 7', file, directory, never), { cause: 'exit 7', isVerdict: true });
  assert.deepEqual(await verify('seq 1 100000; echo; echo bad >&2; exit 1', file, directory, never), {
    cause: 'exit 1: 1 | 2 | … | 99999 | 100000 | bad',
    isVerdict: true,
  });
  const lines = async (count: number) =>
    (await verify(`seq 1 ${count}; exit 1`, file, directory, never))?.cause;
  assert.equal(await lines(5), 'exit 1: 1 | 2 | 3 | 4 | 5');
  assert.equal(await lines(6), 'exit 1: 1 | 2 | … | 4 | 5 | 6');
  // More than either end alone holds, and less than both.
  assert.equal(await lines(800), 'exit 1: 1 | 2 | … | 798 | 799 | 800');
  const absent = await verify('no-such-program {file}', file, directory, never);
  assert.match(absent?.cause ?? '', /^exit 127: .*not found/);
  assert.equal(absent?.isVerdict, true);
});

test('one that could not be run, or not to its end, says nothing about the content', async (t) => {
  const directory = tempDir(t);
  assert.deepEqual(await verify('kill -15 $$', 'x', directory, never), {
    cause: 'SIGTERM',
    isVerdict: false,
  });
  const tooLong = await verify(`: ${'x'.repeat(200_000)}`, 'x', directory, never);
  assert.match(tooLong?.cause ?? '', /E2BIG/);
  const nowhere = await verify('true', 'x', join(directory, 'gone'), never);
  assert.match(nowhere?.cause ?? '', /ENOENT/);
  assert.deepEqual([tooLong?.isVerdict, nowhere?.isVerdict], [false, false]);
  const run = startTemplater(
    t,
    {
      'kv.json': '{"kv":{}}',
      'app/templates/a.hbs': hbs(
        {
          dest: '${OUT}/a',
          check: 'test -e "$OUT/tried" || { mkdir -p "$OUT"; >"$OUT/tried"; kill -9 $$; }',
        },
        'x',
      ),
    },
    { args: ['--source', 'file:kv.json'] },
  );
  await until('what lacks', () =>
    run.reports.some(
      (each) => each.type === 'waiting' && /check failed: SIGKILL$/.test(each.missing[0] ?? ''),
    ),
  );
  await run.file('out/a', 'x');
});

test('one that hangs is killed with all that it started', async (t) => {
  const directory = tempDir(t);
  const refusal = await verify(`sleep ${mark(1)} & sleep ${mark(1)}`, 'x', directory, never, 100);
  assert.deepEqual(refusal, { cause: 'it was killed after 0.1 s', isVerdict: false });
  await until('its processes to be gone', () => !isRunning(1));
});

test('what it leaves behind goes with it, and what leaves its group holds nothing up', async (t) => {
  const directory = tempDir(t);
  assert.equal(await verify(`sleep ${mark(2)} &`, 'x', directory, never), undefined);
  await until('what it left to be gone', () => !isRunning(2));
  const began = performance.now();
  assert.equal(await verify('setsid sleep 3 & exit 0', 'x', directory, never, 60_000), undefined);
  assert.ok(performance.now() - began < 2500);
});

test('it goes when we are told to stop, and when the templater is killed', async (t) => {
  const stop = new AbortController();
  const result = verify(`sleep ${mark(3)}`, 'x', tempDir(t), stop.signal);
  await until('it to run', () => isRunning(3));
  stop.abort();
  assert.deepEqual(await result, { cause: 'SIGKILL', isVerdict: false });
  const run = startTemplater(
    t,
    { 'kv.json': '{}', 'app/templates/a.hbs': hbs({ dest: '${OUT}/a', check: `sleep ${mark(4)}` }, 'x') },
    { args: ['--source', 'file:kv.json'] },
  );
  await until('it to run', () => isRunning(4));
  run.kill('SIGKILL');
  await until('it to be gone', () => !isRunning(4));
});

test('a check that hangs holds up no other service', async (t) => {
  const run = startTemplater(
    t,
    {
      'kv.json': '{"kv":{"v":"1"}}',
      'slow/templates/a.hbs': hbs({ dest: '${OUT}/a', check: `sleep ${mark(5)}` }, 'x{{key "v"}}'),
      'app/templates/b.hbs': hbs({ dest: '${OUT}/b' }, '{{key "v"}}'),
    },
    { args: ['--source', 'file:kv.json'] },
  );
  await run.file('out/b', '1');
  run.write({ 'kv.json': '{"kv":{"v":"2"}}' });
  await run.file('out/b', '2');
  assert.equal(run.read('out/a'), undefined);
  run.kill('SIGTERM');
  assert.equal(await run.ended, 0);
  await until('the check to be gone', () => !isRunning(5));
});
