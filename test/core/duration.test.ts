import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, parseDuration, parseWait } from '../../src/core/duration.ts';

describe('parseDuration', () => {
  const good: [string, number][] = [
    ['0', 0],
    ['500', 500],
    ['500ms', 500],
    ['5s', 5000],
    ['1m', 60_000],
    ['2h', 7_200_000],
    ['1.5s', 1500],
    ['0.5m', 30_000],
    ['1.5', 2],
    [' 5s\n', 5000],
    ['007s', 7000],
    ['2147483647', 2_147_483_647],
    ['596h', 2_145_600_000],
  ];
  for (const [text, ms] of good)
    test(`${JSON.stringify(text)}: ${ms} ms`, () => assert.equal(parseDuration(text), ms));

  const bad = [
    '',
    ' ',
    's',
    'soon',
    '-1',
    '-1s',
    '+5',
    '5 s',
    '5S',
    '5sec',
    '5d',
    '1e3',
    '0x10',
    '.5s',
    '5.',
    '5s 6s',
  ];
  // Beyond what a timer of Node holds: it would fire at once.
  const tooLong = ['2147483648', '597h', '99999999999999999999', `${'9'.repeat(400)}h`];
  for (const text of [...bad, ...tooLong, '∞', '５s', 'NaN', 'Infinity', '5s\0'])
    test(`${JSON.stringify(text.slice(0, 30))}: none`, () => assert.equal(parseDuration(text), undefined));

  test('what it reads, a timer can hold; anything else is none, never a throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9.]{0,12}(ms|s|m|h)?$/)), (text) => {
        const ms = parseDuration(text);
        assert.ok(ms === undefined || (Number.isInteger(ms) && ms >= 0 && ms <= 0x7fff_ffff));
      }),
    );
  });

  test('each unit is its number of milliseconds', () => {
    fc.assert(
      fc.property(fc.nat(500), fc.constantFrom('ms', 's', 'm', 'h'), (n, unit) => {
        assert.equal(parseDuration(`${n}${unit}`), n * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[unit]);
      }),
    );
  });
});

describe('parseWait', () => {
  for (const [text, wait] of [
    ['100ms:2s', { min: 100, max: 2000 }],
    ['1s', { min: 1000, max: 4000 }],
    ['1s:1s', { min: 1000, max: 1000 }],
    ['0:0', { min: 0, max: 0 }],
    ['0', { min: 0, max: 0 }],
    ['2s:1s', undefined],
    ['1s:', undefined],
    [':1s', undefined],
    ['soon', undefined],
    ['1s:soon', undefined],
    ['1s:2s:3s', undefined],
    ['', undefined],
  ] as const)
    test(JSON.stringify(text), () => assert.deepEqual(parseWait(text), wait));
});

describe('formatDuration', () => {
  const rows: [number, string][] = [
    [0, '0ms'],
    [0.4, '0ms'],
    [850, '850ms'],
    [850.6, '851ms'],
    [999.4, '999ms'],
    [1000, '1.0s'],
    [3000, '3.0s'],
    [3099, '3.0s'],
    [59_999, '59.9s'],
    [60_000, '1m00s'],
    [250_000, '4m10s'],
    [3_599_999, '59m59s'],
    [3_600_000, '1h00m'],
    [7_500_000, '2h05m'],
    [86_399_999, '23h59m'],
    [86_400_000, '1d00h'],
    [273_600_000, '3d04h'],
  ];
  for (const [ms, text] of rows) test(`${ms}: ${text}`, () => assert.equal(formatDuration(ms), text));

  test('is never 1000ms: that is a second', () => {
    assert.equal(formatDuration(999.6), '1.0s');
  });

  test('says no more than has passed, and at least nine tenths of it', () => {
    const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x7fff_ffff }), (ms) => {
        const text = formatDuration(ms);
        assert.match(text, /^(\d{1,3}ms|\d{1,2}\.\ds|\d{1,2}m[0-5]\ds|\d{1,2}h[0-5]\dm|\d+d[0-2]\dh)$/);
        const parts = [...text.matchAll(/([\d.]+)(ms|[smhd])/g)];
        const said = parts.reduce(
          (sum, [, n, unit]) => sum + Number(n) * (units[unit ?? ''] ?? Number.NaN),
          0,
        );
        assert.ok(said <= ms + 1e-6 && said >= ms * 0.9, `${ms}: ${text} is ${said}`);
      }),
    );
  });
});
