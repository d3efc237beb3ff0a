import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Action, parseAction } from '../../src/core/action.ts';
import {
  actionsFor,
  decodeOrder,
  decodeReport,
  encode,
  LINK_ENV,
  MAX_LINE,
  type RenderedFile,
  type Report,
} from '../../src/core/link.ts';
import { runs } from '../nightly.ts';

const FILE: fc.Arbitrary<RenderedFile> = fc.record({
  dest: fc.string(),
  digest: fc.string(),
  onChange: fc.constantFrom<Action>('restart', 'reload', 'signal USR1', 'run nginx -s reload', 'none'),
});
const REPORT: fc.Arbitrary<Report> = fc.oneof(
  fc.record(
    {
      type: fc.constant('rendered' as const),
      service: fc.string(),
      files: fc.array(FILE),
      generation: fc.string({ maxLength: 20 }),
      canGoBack: fc.boolean(),
      mended: fc.boolean(),
    },
    { requiredKeys: ['type', 'service', 'files'] },
  ),
  fc.record(
    {
      type: fc.constant('waiting' as const),
      service: fc.string(),
      missing: fc.array(fc.string()),
      stale: fc.record({ generation: fc.string(), files: fc.array(FILE) }),
    },
    { requiredKeys: ['type', 'service', 'missing'] },
  ),
  fc.record({
    type: fc.constant('source' as const),
    name: fc.string(),
    awaySince: fc.option(fc.nat()),
    cause: fc.option(fc.string()),
  }),
);

test('a report comes out as it went in, on one line', () => {
  fc.assert(
    fc.property(REPORT, (report) => {
      const line = encode(report);
      assert.equal(line.indexOf('\n'), line.length - 1);
      assert.deepEqual(decodeReport(line), JSON.parse(JSON.stringify(report)));
      assert.equal(decodeOrder(line), undefined);
    }),
  );
});

test('what is gone from the source, and still stands', () => {
  const kept = { type: 'kept' as const, service: 'a', kept: ['key "x"'] };
  assert.deepEqual(decodeReport(encode(kept)), kept);
  for (const bad of [
    { service: 7 },
    { service: undefined },
    { kept: 'x' },
    { kept: [1] },
    { kept: undefined },
    { type: 'keep' },
  ])
    assert.equal(decodeReport(JSON.stringify({ ...kept, ...bad })), undefined, JSON.stringify(bad));
});

test('a templater that begins says no more than that', () => {
  assert.deepEqual(decodeReport(encode({ type: 'begun' })), { type: 'begun' });
});

test('an order comes out as it went in', () => {
  assert.deepEqual(decodeOrder(encode({ type: 'rescan' })), { type: 'rescan' });
  assert.equal(decodeReport(encode({ type: 'rescan' })), undefined);
  const judgement = { service: 'a', seen: 'x', hold: true, good: null, bad: ['y'], actedMsAgo: 5 };
  const order = { type: 'judgements' as const, services: [judgement] };
  assert.deepEqual(decodeOrder(encode(order)), order);
  assert.equal(decodeOrder('{"type":"judgements","services":[{"service":"a"}]}'), undefined);
});

describe('what is no report', () => {
  const good = { dest: '/a', digest: 'x', onChange: 'restart' };
  const rows: [string, unknown][] = [
    ['null', null],
    ['a number', 7],
    ['a list', []],
    ['no type', { service: 'a', files: [] }],
    ['another type', { type: 'rendred', service: 'a', files: [] }],
    ['rendered without a service', { type: 'rendered', files: [] }],
    ['rendered without files', { type: 'rendered', service: 'a' }],
    ['rendered with files that are no list', { type: 'rendered', service: 'a', files: { 0: good } }],
    ['rendered with one file of many that is none', { type: 'rendered', service: 'a', files: [good, null] }],
    [
      'an action that there is not',
      { type: 'rendered', service: 'a', files: [{ ...good, onChange: 'reboot' }] },
    ],
    [
      'a file without a digest',
      { type: 'rendered', service: 'a', files: [{ dest: '/a', onChange: 'none' }] },
    ],
    ['waiting without words', { type: 'waiting', service: 'a' }],
    ['waiting with words that are none', { type: 'waiting', service: 'a', missing: ['x', 1] }],
    ['a source without a name', { type: 'source', awaySince: null, cause: null }],
  ];
  for (const [name, value] of rows)
    test(name, () => assert.equal(decodeReport(JSON.stringify(value)), undefined));
  for (const text of [
    '',
    '{',
    '7',
    'null',
    '"x"',
    'true',
    'nonsense',
    '{"type":"rendered"',
    '\0',
    '"rescan"',
  ])
    test(JSON.stringify(text), () => {
      assert.equal(decodeReport(text), undefined);
      assert.equal(decodeOrder(text), undefined);
    });

  test('a source that says no more than its name is there', () => {
    assert.deepEqual(decodeReport('{"type":"source","name":"x","awaySince":"long"}'), {
      type: 'source',
      name: 'x',
      awaySince: null,
      cause: null,
    });
  });
});

test('decoding throws at nothing, and lets nothing through that is not of its shape', () => {
  const near = fc.record(
    {
      type: fc.oneof(fc.constantFrom('rendered', 'waiting', 'source', 'rescan'), fc.jsonValue()),
      service: fc.oneof(fc.string(), fc.jsonValue()),
      files: fc.oneof(fc.array(fc.oneof(FILE, fc.jsonValue())), fc.jsonValue()),
      missing: fc.oneof(fc.array(fc.string()), fc.jsonValue()),
      name: fc.oneof(fc.string(), fc.jsonValue()),
      awaySince: fc.jsonValue(),
      cause: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  const line = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    near.map((value) => JSON.stringify(value)),
    fc.tuple(REPORT, fc.nat(40)).map(([report, cut]) => encode(report).slice(0, -cut)),
  );
  let understood = 0;
  fc.assert(
    fc.property(line, (text) => {
      decodeOrder(text);
      const report = decodeReport(text);
      if (!report) return;
      understood++;
      if (report.type === 'begun') return;
      if (report.type === 'source') {
        assert.equal(typeof report.name, 'string');
        assert.ok(report.awaySince === null || typeof report.awaySince === 'number');
        assert.ok(report.cause === null || typeof report.cause === 'string');
        return;
      }
      assert.equal(typeof report.service, 'string');
      if (report.type === 'kept') for (const word of report.kept) assert.equal(typeof word, 'string');
      else if (report.type === 'waiting')
        for (const word of report.missing) assert.equal(typeof word, 'string');
      else
        for (const file of report.files)
          assert.ok(parseAction(file.onChange) === file.onChange && typeof file.dest === 'string');
    }),
    { numRuns: runs(3000, 10) },
  );
  assert.ok(understood > 30, `only ${understood} were reports: the walk says little`);
});

test('a generation’s name is cut, and who understands nothing is told no more than a line', () => {
  const report = decodeReport(
    encode({ type: 'rendered', service: 'a', files: [], generation: `${'x'.repeat(64)}y` }),
  );
  assert.deepEqual(report, { type: 'rendered', service: 'a', files: [], generation: 'x'.repeat(64) });
  assert.deepEqual([MAX_LINE, LINK_ENV], [1_048_576, 'SUPERVISE_LINK_FD']);
});

test('what else a report says is passed over where it is of another kind', () => {
  const line = (more: object): string =>
    JSON.stringify({ type: 'rendered', service: 'a', files: [], ...more });
  assert.deepEqual(decodeReport(line({ generation: 7, canGoBack: 'yes', mended: 1 })), {
    type: 'rendered',
    service: 'a',
    files: [],
  });
  const waiting = { type: 'waiting', service: 'a', missing: [] };
  const file = { dest: '/a', digest: 'x', onChange: 'none' };
  for (const stale of [
    null,
    7,
    {},
    { generation: 'x' },
    { files: [] },
    { generation: 'x', files: [file, 1] },
  ])
    assert.deepEqual(decodeReport(JSON.stringify({ ...waiting, stale })), waiting, JSON.stringify(stale));
  const whole = { ...waiting, stale: { generation: 'x', files: [file] } };
  assert.deepEqual(decodeReport(JSON.stringify(whole)), whole);
  for (const services of [
    7,
    [7],
    [null],
    [{ service: 'a', bad: [1] }],
    [{ bad: [] }],
    [{ service: 'a', bad: [] }, {}],
  ])
    assert.equal(decodeOrder(JSON.stringify({ type: 'judgements', services })), undefined);
  for (const bad of [{ dest: 7 }, { digest: 7 }, { onChange: 7 }, { onChange: 'restart ' }])
    assert.equal(
      decodeReport(JSON.stringify({ type: 'rendered', service: 'a', files: [{ ...file, ...bad }] })),
      undefined,
    );
});

describe('actionFor', () => {
  const file = (dest: string, digest: string, onChange: Action): RenderedFile => ({ dest, digest, onChange });
  const applied = new Map([
    ['/a', '1'],
    ['/b', '1'],
    ['/c', '1'],
  ]);
  const rows: [string, RenderedFile[], Action | undefined][] = [
    ['nothing changed', [file('/a', '1', 'restart'), file('/b', '1', 'reload')], undefined],
    ['no files', [], undefined],
    ['one changed', [file('/a', '2', 'reload')], 'reload'],
    ['what did not change has no say', [file('/a', '1', 'restart'), file('/b', '2', 'none')], 'none'],
    [
      'the strongest of those that changed',
      [file('/c', '2', 'none'), file('/b', '2', 'reload'), file('/a', '2', 'restart')],
      'restart',
    ],
    ['reload is stronger than none', [file('/c', '2', 'none'), file('/b', '2', 'reload')], 'reload'],
    ['a file that is new', [file('/d', '1', 'restart')], 'restart'],
  ];
  for (const [name, files, action] of rows)
    test(name, () => assert.deepEqual(actionsFor(applied, files), action && [action]));

  test('reported again, a state asks for nothing', () => {
    fc.assert(
      fc.property(fc.uniqueArray(FILE, { selector: ({ dest }) => dest }), (files) => {
        assert.equal(actionsFor(new Map(files.map(({ dest, digest }) => [dest, digest])), files), undefined);
      }),
    );
  });
});
