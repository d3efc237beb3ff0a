import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  exitCodeOf,
  type Outcome,
  parseExitMap,
  type StopReason,
  treeExitCode,
} from '../../src/core/exit.ts';

const ended = (code: number, signal = 0): { code: number; signal: number } => ({ code, signal });

test("a process's end as one exit code, as shells tell it", () => {
  assert.equal(exitCodeOf(ended(0)), 0);
  assert.equal(exitCodeOf(ended(7)), 7);
  assert.equal(exitCodeOf(ended(255)), 255);
  assert.equal(exitCodeOf(ended(256, 9)), 137);
  assert.equal(exitCodeOf(ended(256, 15)), 143);
  assert.equal(exitCodeOf(ended(0, 11)), 139);
  assert.equal(exitCodeOf(ended(256, 37)), 165);
});

test('an exit code fits into what exit(2) takes', () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.nat(64), (code, signal) => {
      const exitCode = exitCodeOf(ended(code, signal));
      assert.ok(exitCode >= 0 && exitCode <= 255);
    }),
  );
});

describe('the exit code of the tree', () => {
  const QUIET: Outcome = { why: 'signal', command: undefined, essential: undefined, killed: false };
  const rows: [string, Partial<Outcome>, number][] = [
    ['a signal, services only, all went down in time', {}, 0],
    ['a signal, services only, something had to be killed', { killed: true }, 137],
    ['supervise stop', { why: 'stop' }, 0],
    ['supervise stop, something killed', { why: 'stop', killed: true }, 137],
    ['the main command, exit 7', { why: 'command', command: ended(7) }, 7],
    ['the main command, exit 0', { why: 'command', command: ended(0) }, 0],
    ['the main command, SIGSEGV', { why: 'command', command: ended(256, 11) }, 139],
    [
      'the main command ended well, a service had to be killed',
      { why: 'command', command: ended(0), killed: true },
      0,
    ],
    ['a signal, and the main command handled it', { command: ended(3) }, 3],
    ['a signal, and the main command died of it', { command: ended(256, 15) }, 143],
    ['supervise stop, and the main command died of it', { why: 'stop', command: ended(256, 15) }, 143],
    ['an essential service, exit 5', { why: 'essential', essential: ended(5) }, 5],
    ['an essential service, exit 0', { why: 'essential', essential: ended(0) }, 0],
    ['an essential service, SIGKILL', { why: 'essential', essential: ended(256, 9) }, 137],
    [
      'an essential service, exit 0, another killed',
      { why: 'essential', essential: ended(0), killed: true },
      0,
    ],
    [
      'an essential service, exit 5; the main command only obeyed the stop that followed',
      { why: 'essential', essential: ended(5), command: ended(256, 15) },
      5,
    ],
  ];
  for (const [name, outcome, code] of rows)
    test(`${name}: ${code}`, () => assert.equal(treeExitCode({ ...QUIET, ...outcome }), code));

  test('is one, whatever happened', () => {
    const status = fc.option(fc.record({ code: fc.nat(256), signal: fc.nat(64) }), { nil: undefined });
    const why = fc.constantFrom<StopReason>('signal', 'essential', 'command', 'stop');
    fc.assert(
      fc.property(fc.record({ why, command: status, essential: status, killed: fc.boolean() }), (outcome) => {
        const code = treeExitCode(outcome);
        assert.ok(Number.isInteger(code) && code >= 0 && code <= 255);
      }),
    );
  });
});

describe('--exit-map', () => {
  test('reads pairs; of two for one code the later counts', () => {
    assert.deepEqual([...(parseExitMap('143=0') ?? [])], [[143, 0]]);
    assert.deepEqual(
      [...(parseExitMap(' 143=0 , 130=1,0=255') ?? [])],
      [
        [143, 0],
        [130, 1],
        [0, 255],
      ],
    );
    assert.equal(parseExitMap('1=2,1=3')?.get(1), 3);
  });

  for (const bad of [
    '',
    '143',
    '143=',
    '=0',
    '256=0',
    '0=256',
    'a=b',
    '1=2,',
    '-1=0',
    '1=2;3=4',
    '1.5=0',
    '1=2=3',
    '1000=0',
  ])
    test(`refuses ${JSON.stringify(bad)}`, () => assert.equal(parseExitMap(bad), undefined));

  test('reads back what it is', () => {
    const code = fc.nat(255);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(code, code), { minLength: 1, selector: ([from]) => from }),
        (pairs) => {
          const text = pairs.map(([from, to]) => `${from}=${to}`).join(',');
          assert.deepEqual([...(parseExitMap(text) ?? [])], pairs);
        },
      ),
    );
  });
});
