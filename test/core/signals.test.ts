import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { endName, parseSignal, signalName } from '../../src/core/signals.ts';

describe('parseSignal', () => {
  const good: [string, number][] = [
    ['TERM', 15],
    ['SIGTERM', 15],
    ['sigterm', 15],
    ['Term', 15],
    ['15', 15],
    [' 15\n', 15],
    ['015', 15],
    ['HUP', 1],
    ['QUIT', 3],
    ['KILL', 9],
    ['USR1', 10],
    ['WINCH', 28],
    ['1', 1],
    ['64', 64],
    ['RTMIN', 34],
    ['SIGRTMIN+3', 37],
    ['rtmin+3', 37],
    ['RTMAX', 64],
    ['RTMAX-1', 63],
    ['RTMIN+30', 64],
  ];
  for (const [text, number] of good)
    test(`${JSON.stringify(text)}: ${number}`, () => assert.equal(parseSignal(text), number));

  const bad = [
    '',
    'SIG',
    '0',
    '65',
    '-1',
    '+15',
    '1.5',
    '15 15',
    'TERMS',
    'SIGSIGTERM',
    'RTMIN-1',
    'RTMAX+1',
    'RTMIN+31',
  ];
  for (const text of [
    ...bad,
    'RTMIN+',
    'RTMIN+x',
    'constructor',
    '__proto__',
    'SIG__PROTO__',
    'toString',
    'SIGSIGRTMIN',
    'XRTMIN',
    '9'.repeat(400),
  ])
    test(`${JSON.stringify(text.slice(0, 30))}: none`, () => assert.equal(parseSignal(text), undefined));

  test('is a signal or none, never a throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^(SIG)?RTM(IN|AX)[+-]?\d{0,3}$/)), (text) => {
        const number = parseSignal(text);
        assert.ok(number === undefined || (Number.isInteger(number) && number >= 1 && number <= 64));
      }),
    );
  });
});

describe('signalName', () => {
  const rows: [number, string][] = [
    [1, 'SIGHUP'],
    [6, 'SIGABRT'],
    [9, 'SIGKILL'],
    [15, 'SIGTERM'],
    [29, 'SIGIO'],
    [31, 'SIGSYS'],
    [34, 'SIGRTMIN'],
    [37, 'SIGRTMIN+3'],
    [64, 'SIGRTMIN+30'],
    [32, 'signal 32'],
  ];
  for (const [number, name] of rows) test(`${number}: ${name}`, () => assert.equal(signalName(number), name));

  test('reads back as the same signal, with and without SIG', () => {
    for (let number = 1; number <= 64; number++) {
      const name = signalName(number);
      if (number === 32 || number === 33) continue; // The C library's own; they have no name.
      assert.equal(parseSignal(name), number, name);
      assert.equal(parseSignal(name.replace('SIG', '')), number, name);
    }
  });

  test('every name that Node knows is read', () => {
    for (const [name, number] of Object.entries(constants.signals))
      assert.equal(parseSignal(name), number, name);
  });
});

test('endName: the code or the signal, in words', () => {
  assert.equal(endName({ code: 3, signal: 0 }), 'exit 3');
  assert.equal(endName({ code: 0, signal: 0 }), 'exit 0');
  assert.equal(endName({ code: 256, signal: 9 }), 'SIGKILL');
});
