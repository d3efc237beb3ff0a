import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Action, kindOf, parseAction, strongest } from '../../src/core/action.ts';

test('actions as templates name them', () => {
  const rows: [string, Action | undefined][] = [
    ['restart', 'restart'],
    ['reload ', 'reload'],
    ['none', 'none'],
    ['signal HUP', 'signal HUP'],
    ['signal  SIGUSR2', 'signal SIGUSR2'],
    ['signal RTMIN+1', 'signal RTMIN+1'],
    ['run nginx -s reload', 'run nginx -s reload'],
    ['', undefined],
    ['explode', undefined],
    [' restart', undefined],
    ['run a\nb \n', 'run a\nb'],
    ['restart\n', 'restart'],
    ['restart now', undefined],
    ['signal', undefined],
    ['signal NOPE', undefined],
    ['run', undefined],
    ['run  ', undefined],
    ['run a\0b', undefined],
    ['runs a', undefined],
  ];
  for (const [text, action] of rows) assert.equal(parseAction(text), action, text);
  assert.deepEqual((['restart', 'reload', 'signal HUP', 'run x', 'none'] as const).map(kindOf), [
    'restart',
    'reload',
    'signal',
    'run',
    'none',
  ]);
});

test('the strongest counts; of one strength each counts, once', () => {
  assert.deepEqual(strongest(['none', 'run a', 'signal HUP', 'reload', 'restart']), ['restart']);
  assert.deepEqual(strongest(['none', 'run a', 'signal HUP', 'reload', 'reload']), ['reload']);
  assert.deepEqual(strongest(['run b', 'run a', 'none', 'run b']), ['run b', 'run a']);
  assert.deepEqual(strongest(['signal HUP', 'run a', 'signal USR1']), ['signal HUP', 'signal USR1']);
  assert.deepEqual(strongest(['none', 'none']), ['none']);
});
