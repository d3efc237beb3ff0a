/** `-exec`: one command, supervised. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../tree.ts';
import { kv, type Lone, living, runLone, startLone } from './lone.ts';

const FILES = { 'a.hbs': '{{key "a"}}', ...kv({ a: '1' }) };
const A = ['-template', 'a.hbs:out/a'];

/** A command that notes its starts and the signals that it gets, and ends at TERM with 5. */
const NOTES = {
  'notes.sh': [
    '#!/bin/sh',
    'echo "start $(cat out/a)" >> notes',
    'for s in HUP USR1 USR2 INT QUIT; do trap "echo $s >> notes" $s; done',
    'trap "echo TERM >> notes; exit 5" TERM',
    'echo ready >> notes',
    'while :; do sleep 0.01; done',
    '',
  ].join('\n'),
};

async function notes(run: Lone, ...lines: string[]): Promise<void> {
  await until(
    `the notes ${lines.join(', ')}, got ${run.file('notes')}\n${run.transcript}`,
    () => run.file('notes') === `${lines.join('\n')}\n`,
  );
}

test('starts when the files are there, and its exit code is ours', async (t) => {
  const run = await runLone(t, FILES, [...A, '-exec', 'sh -c "cat out/a; exit 7"']);
  assert.deepEqual([run.exit.code, run.stdout], [7, '1']);
  const signalled = await runLone(t, FILES, [...A, '-exec', 'sh -c "kill -9 $$"']);
  assert.equal(signalled.exit.code, 137);
  const once = await runLone(t, FILES, ['-once', ...A, '-exec', 'cat out/a']);
  assert.deepEqual([once.exit.code, once.stdout], [0, '1']);
  const none = await runLone(t, FILES, [...A, '-exec', './no-such-program']);
  assert.equal(none.exit.code, 127);
  assert.match(String((await none.event('could not start'))['cause']), /cannot execute .\/no-such-program/);
  const wrong = await runLone(t, { ...FILES, 'a.hbs': '{{#if}}' }, ['-once', ...A, '-exec', 'touch started']);
  assert.deepEqual([wrong.exit.code, wrong.file('started')], [100, '']);
});

test('is not started before the last file is there', async (t) => {
  const run = startLone(t, { ...FILES, 'b.hbs': '{{key "b"}}' }, [
    ...A,
    '-template',
    'b.hbs:out/b',
    '-exec',
    'cat out/b',
  ]);
  await run.until('out/a', '1');
  run.write(kv({ a: '1', b: 'B' }));
  assert.equal((await run.ended).code, 0);
  assert.equal(run.stdout, 'B');
});

test('a change stops it and starts it again; SIGHUP does neither; other signals are handed on; TERM ends both', async (t) => {
  const run = startLone(t, { ...FILES, ...NOTES }, [...A, '-exec', './notes.sh']);
  await notes(run, 'start 1', 'ready');
  run.write(kv({ a: '2' }));
  await notes(run, 'start 1', 'ready', 'TERM', 'start 2', 'ready');
  const seen = ['start 1', 'ready', 'TERM', 'start 2', 'ready'];
  run.signal('SIGHUP');
  run.write({ 'b.hbs': 'x' });
  run.signal('SIGUSR1');
  await notes(run, ...seen, 'USR1');
  run.signal('SIGUSR2');
  await notes(run, ...seen, 'USR1', 'USR2');
  run.signal('SIGTERM');
  assert.deepEqual(await run.ended, { code: 5, signal: null });
  await notes(run, ...seen, 'USR1', 'USR2', 'TERM');
});

test('-exec-reload-signal instead of a restart, -exec-kill-signal instead of TERM, KILL after -exec-kill-timeout', async (t) => {
  const run = startLone(t, { ...FILES, ...NOTES }, [
    ...[
      ...A,
      '-exec',
      './notes.sh',
      '-exec-reload-signal',
      'USR1',
      '-exec-kill-signal=SIGQUIT',
      '-exec-kill-timeout=200ms',
    ],
  ]);
  await notes(run, 'start 1', 'ready');
  run.write(kv({ a: '2' }));
  await notes(run, 'start 1', 'ready', 'USR1');
  run.signal('SIGTERM');
  assert.deepEqual(await run.ended, { code: 137, signal: null });
  await notes(run, 'start 1', 'ready', 'USR1', 'QUIT');
});

test('a template can say what its change asks for', async (t) => {
  const files = {
    'a.hbs': '{{!--\non-change: signal USR2\n--}}\n{{key "a"}}',
    'b.hbs': '{{!--\non-change: none\n--}}\n{{key "b"}}',
    ...NOTES,
  };
  const run = startLone(t, { ...files, ...kv({ a: '1', b: '1' }) }, [
    ...A,
    '-template',
    'b.hbs:out/b',
    '-exec',
    './notes.sh',
  ]);
  await notes(run, 'start 1', 'ready');
  run.write(kv({ a: '1', b: '2' }));
  await run.until('out/b', '2');
  run.write(kv({ a: '2', b: '2' }));
  await notes(run, 'start 1', 'ready', 'USR2');
});

test('-kill-signal and -reload-signal are those that we listen to', async (t) => {
  const run = startLone(t, { ...FILES, ...NOTES }, [
    ...A,
    '-exec',
    './notes.sh',
    '-reload-signal',
    'SIGUSR1',
    '-kill-signal',
    'SIGUSR2',
  ]);
  await notes(run, 'start 1', 'ready');
  run.signal('SIGUSR1');
  run.signal('SIGHUP');
  await notes(run, 'start 1', 'ready', 'HUP');
  run.signal('SIGUSR2');
  // It is handed what ended us, lives on, and is ended by the second.
  await notes(run, 'start 1', 'ready', 'HUP', 'USR2');
  run.signal('SIGTERM');
  assert.equal((await run.ended).code, 137);
});

test('it is never left behind: not when we are killed, not what it has left in its group', async (t) => {
  const run = startLone(t, FILES, [...A, '-exec', 'sleep 5432 & sleep 5433; true']);
  await until('both', () => living(/^sleep 5432/).length > 0 && living(/^sleep 5433/).length > 0);
  run.signal('SIGKILL');
  await run.ended;
  await until('the end of both', () => living(/^sleep 543/).length === 0);
  const left = await runLone(t, FILES, [...A, '-exec', 'sleep 5434 & true']);
  assert.equal(left.exit.code, 0);
  await until('the end of what it left', () => living(/^sleep 5434/).length === 0);
  await until('the end of the guards', () => living(/^\/bin\/sh .*supervise-guard/).length === 0);
});

test('values that come while it is stopped are there when it starts again', async (t) => {
  const slow = {
    'slow.sh':
      '#!/bin/sh\ntrap "sleep 0.3; exit 0" TERM\necho "$(cat out/a)" >> notes\nwhile :; do sleep 0.01; done\n',
  };
  const run = startLone(t, { ...FILES, ...slow }, [...A, '-exec', './slow.sh']);
  await notes(run, '1');
  run.write(kv({ a: '2' }));
  await run.until('out/a', '2');
  run.write(kv({ a: '3' }));
  await notes(run, '1', '3');
  assert.equal(run.file('out/a'), '3');
});

test('as PID 1 it takes the orphans of its command', async (t) => {
  const mark = 'a.hbs:out/a';
  const run = startLone(
    t,
    FILES,
    [
      '-template',
      mark,
      '-exec',
      'sh -c "(sh -c \\"sleep 0.05\\" & ) ; sleep 0.3; ps -o stat= -e | grep -c Z; true"',
    ],
    {
      prefix: ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'],
    },
  );
  assert.equal((await run.ended).code, 0, run.transcript);
  assert.equal(run.stdout.trim(), '0');
  assert.ok(join(run.directory, 'out'));
});
