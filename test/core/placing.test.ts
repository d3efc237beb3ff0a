/** What the templater does with the files of a service: each case by itself; what they come to together is in rollout.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Judgement } from '../../src/core/link.ts';
import { type Move, nextMove, type Standing } from '../../src/core/placing.ts';

const JUDGED: Judgement = { service: 'app', seen: 'one', hold: false, good: null, bad: [], actedMsAgo: null };
const AT_REST: Standing = {
  inPlace: 'one',
  candidate: 'one',
  previous: undefined,
  isStuck: false,
  judgement: JUDGED,
};

const rows: [string, Partial<Standing>, Partial<Judgement> | undefined, Move][] = [
  ['nothing is other than it was', {}, {}, 'rest'],
  ['what is to be is not known', { candidate: undefined }, {}, 'rest'],
  ['there is something new', { candidate: 'two' }, {}, 'place'],
  ['nobody judges, and there is something new', { candidate: 'two' }, undefined, 'place'],
  ['nobody judges', { previous: 'zero' }, undefined, 'forget'],
  ['nobody judges, and nothing is kept', {}, undefined, 'rest'],
  ['nobody runs on it yet', { candidate: 'two' }, { seen: null }, 'place'],
  ['nobody runs on it yet, and something is kept', { previous: 'zero' }, { seen: null }, 'forget'],
  ['what is in place is bad', { previous: 'zero' }, { bad: ['one'] }, 'take back'],
  ['what is in place is bad, and there is nothing to go back to', {}, { bad: ['one'] }, 'rest'],
  ['it could not be put back', { previous: 'zero', isStuck: true }, { bad: ['one'] }, 'rest'],
  [
    'what is in place is bad, and there is something new',
    { previous: 'zero', candidate: 'two' },
    { bad: ['one'] },
    'take back',
  ],
  ['what is in place is good', { previous: 'zero' }, { good: 'one' }, 'forget'],
  ['what is in place is good, and nothing is kept', {}, { good: 'one' }, 'rest'],
  ['what was before is good', { previous: 'zero' }, { good: 'zero' }, 'rest'],
  ['what is new was bad before', { candidate: 'two' }, { bad: ['two'] }, 'refuse'],
  ['it is being judged', { candidate: 'two' }, { hold: true }, 'wait'],
  ['the tree has not seen yet what is in place', { candidate: 'two' }, { seen: 'zero' }, 'wait'],
  ['the values are as they were before', { candidate: 'zero', previous: 'zero' }, {}, 'take back'],
  [
    'they are, and could not be put back',
    { candidate: 'zero', previous: 'zero', isStuck: true },
    {},
    'place',
  ],
];
for (const [name, standing, judgement, move] of rows)
  test(`${name}: ${move}`, () =>
    assert.equal(
      nextMove({ ...AT_REST, ...standing, judgement: judgement && { ...JUDGED, ...judgement } }),
      move,
    ));
