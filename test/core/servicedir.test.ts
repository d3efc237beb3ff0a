import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  bareConfig,
  DEFAULTS,
  emptyServiceDir,
  loggerOf,
  MAIN_COMMAND,
  ownerOf,
  type Problem,
  parseServiceDir,
  parseUser,
  type RawServiceDir,
  SERVICE_FILES,
  SETTINGS,
  type ServiceConfig,
  takesEffect,
} from '../../src/core/servicedir.ts';
import { runs } from '../nightly.ts';

function raw(texts: Record<string, string> = {}, more: Partial<RawServiceDir> = {}): RawServiceDir {
  return {
    ...emptyServiceDir('web', '/s/web'),
    texts: new Map(Object.entries(texts)),
    run: { is: 'ok' },
    ...more,
  };
}

const BARE: ServiceConfig = {
  name: 'web',
  path: '/s/web',
  command: undefined,
  dependencies: [],
  hasTemplates: false,
  hasLogger: false,
  type: 'longrun',
  hasFinish: false,
  hasCheck: false,
  hasHealth: false,
  healthInterval: 10_000,
  healthRetries: 3,
  env: {},
  account: undefined,
  notifies: false,
  down: false,
  essential: false,
  restart: 'always',
  restartDelay: { min: 1000, max: 30_000 },
  restartLimit: undefined,
  timeoutUp: undefined,
  timeoutKill: 5000,
  timeoutFinish: 5000,
  downSignal: 15,
  reloadSignal: 1,
  notificationFd: undefined,
};

test('a run and nothing else: the defaults', () => {
  assert.deepEqual(parseServiceDir(raw()), { config: BARE, problems: [] });
  assert.deepEqual(DEFAULTS, {
    timeoutKill: 5000,
    timeoutFinish: 5000,
    restartDelay: { min: 1000, max: 30_000 },
    healthInterval: 10_000,
    healthRetries: 3,
  });
});

const GOOD: [string, string, Partial<ServiceConfig>][] = [
  ['down', '', { down: true }],
  ['down', 'anything\n', { down: true }],
  ['essential', '', { essential: true }],
  ['restart', 'always', {}],
  ['restart', 'on-failure\n', { restart: 'on-failure' }],
  ['restart', ' never ', { restart: 'never' }],
  ['restart-delay', '1s 30s', {}],
  ['restart-delay', '500ms', { restartDelay: { min: 500, max: 500 } }],
  ['restart-delay', ' 100   1m\n', { restartDelay: { min: 100, max: 60_000 } }],
  ['restart-delay', '2s\t2s', { restartDelay: { min: 2000, max: 2000 } }],
  ['restart-delay', '1s\n5s\n', { restartDelay: { min: 1000, max: 5000 } }],
  ['restart-limit', '1', { restartLimit: 1 }],
  ['restart-limit', '1000000', { restartLimit: 1_000_000 }],
  ['timeout-kill', '3000', { timeoutKill: 3000 }],
  ['timeout-kill', '1.5s', { timeoutKill: 1500 }],
  ['timeout-kill', '0', { timeoutKill: undefined }],
  ['timeout-finish', '10s', { timeoutFinish: 10_000 }],
  ['timeout-finish', '0', { timeoutFinish: undefined }],
  ['timeout-up', '1m', { timeoutUp: 60_000 }],
  ['timeout-up', '0', { timeoutUp: undefined }],
  ['down-signal', 'SIGQUIT', { downSignal: 3 }],
  ['down-signal', 'int', { downSignal: 2 }],
  ['down-signal', '10\n', { downSignal: 10 }],
  ['down-signal', 'RTMIN+3', { downSignal: 37 }],
  ['reload-signal', 'USR1', { reloadSignal: 10 }],
  ['notification-fd', '3', { notificationFd: 3, notifies: true }],
  ['notification-fd', '255\n', { notificationFd: 255, notifies: true }],
  ['type', 'longrun\n', {}],
  ['type', 'oneshot', { type: 'oneshot', restart: 'never' }],
  ['health-interval', '500ms', { healthInterval: 500 }],
  ['health-retries', '1', { healthRetries: 1 }],
  ['health-retries', '1000000', { healthRetries: 1_000_000 }],
  ['health-interval', '1', { healthInterval: 1 }],
  ['user', 'app\n', {}],
  ['user', '1000:0', {}],
];

describe('a setting', () => {
  for (const [file, text, settings] of GOOD)
    test(`${file} ${JSON.stringify(text)}`, () => {
      assert.deepEqual(parseServiceDir(raw({ [file]: text })), {
        config: { ...BARE, ...settings },
        problems: [],
      });
    });

  const EXPECTED: Record<string, string> = {
    restart: 'always, on-failure or never',
    'restart-delay': 'one or two times such as "1s 30s", the least first',
    'restart-limit': 'a whole number from 1',
    'timeout-kill': 'a time such as 5s',
    'timeout-finish': 'a time such as 5s',
    'timeout-up': 'a time such as 5s',
    'down-signal': 'a signal such as SIGTERM or 15',
    'reload-signal': 'a signal such as SIGTERM or 15',
    'notification-fd': 'a descriptor number from 3 to 255',
    type: 'longrun or oneshot',
    'health-interval': 'a time such as 5s',
    'health-retries': 'a whole number from 1',
    user: 'user or user:group, names or numbers',
  };
  const BAD: [string, string[]][] = [
    ['restart', ['', 'Always', 'on failure', 'no', '0']],
    ['restart-delay', ['', 'soon', '5s 1s', '1s 2s 3s', '1s,2s', '-1s', '1s x']],
    ['restart-limit', ['', '0', '-1', '1.5', '1e3', '1000001', 'many', '3 4']],
    ['timeout-kill', ['', 'soon', '-5', '5 s', '5sec', '99999h']],
    ['timeout-finish', ['', 'soon']],
    ['timeout-up', ['', 'never']],
    ['down-signal', ['', 'SIGFOO', '0', '65', 'TERM KILL', 'constructor']],
    ['reload-signal', ['', 'HUPP']],
    ['notification-fd', ['', '2', '0', '256', 'three', '3.0', '0x3', '3 4']],
    ['type', ['', 'bundle', 'Longrun']],
    ['health-interval', ['', '0', 'often']],
    ['health-retries', ['', '0', 'x', '1000001']],
    ['user', ['', ':app', 'a b', 'a:b:c', 'app:']],
  ];
  for (const [file, texts] of BAD)
    for (const text of texts)
      test(`${file} ${JSON.stringify(text)} is refused`, () => {
        assert.deepEqual(parseServiceDir(raw({ [file]: `${text}\n` })), {
          config: BARE,
          problems: [
            {
              message: `cannot read /s/web/${file}: expected ${EXPECTED[file]}, got ${JSON.stringify(text)}`,
              file: `/s/web/${file}`,
            },
          ],
        });
      });

  test('every one has its good and its bad values in these tables', () => {
    const flags = Object.keys(SETTINGS).filter((name) => SETTINGS[name]?.expected === 'anything');
    assert.deepEqual(flags, ['down', 'essential']);
    assert.deepEqual([...new Set(GOOD.map(([file]) => file))].sort(), Object.keys(SETTINGS).sort());
    assert.deepEqual([...BAD.map(([file]) => file), ...flags].sort(), Object.keys(SETTINGS).sort());
  });

  test('a long value is cut in the complaint, and a control character cannot reach a terminal', () => {
    const [long] = parseServiceDir(raw({ restart: `  ${'x'.repeat(4000)}` })).problems;
    assert.match(long?.message ?? '', /got "x{60}"$/);
    const [control] = parseServiceDir(raw({ restart: '\x1b[2Jalways' })).problems;
    assert.ok(control && !control.message.includes('\x1b'));
  });

  test('one bad value leaves the others, and each is told', () => {
    const { config, problems } = parseServiceDir(
      raw({ 'timeout-kill': 'soon', restart: 'never', 'down-signal': 'NOPE', essential: '' }),
    );
    assert.deepEqual(config, { ...BARE, restart: 'never', essential: true });
    assert.deepEqual(
      problems.map(({ message }) => message),
      [
        'cannot read /s/web/timeout-kill: expected a time such as 5s, got "soon"',
        'cannot read /s/web/down-signal: expected a signal such as SIGTERM or 15, got "NOPE"',
      ],
    );
  });

  test('whatever the text: settings that can be used, or a complaint; never a throw', () => {
    const texts = fc.dictionary(
      fc.constantFrom(...Object.keys(SETTINGS)),
      fc.oneof(fc.string(), fc.stringMatching(/^[0-9]{1,9}(ms|s|m|h)?( [0-9]{1,9}(ms|s|m|h)?)?$/)),
    );
    fc.assert(
      fc.property(texts, (given) => {
        const { config, problems } = parseServiceDir(raw(given));
        assert.ok(config.restartDelay.min <= config.restartDelay.max);
        assert.ok(config.downSignal >= 1 && config.downSignal <= 64);
        assert.ok(config.timeoutKill === undefined || config.timeoutKill > 0);
        assert.ok(config.restartLimit === undefined || config.restartLimit >= 1);
        assert.equal(config.notifies, config.notificationFd !== undefined);
        for (const { message } of problems)
          assert.match(message, /^cannot read \/s\/web\/[a-z-]+: expected .+, got ".*"$/s);
        assert.ok(problems.length <= Object.keys(given).length);
      }),
      { numRuns: runs(1000, 10) },
    );
  });
});

test('settings, written down, are read as what they were', () => {
  const time = fc.integer({ min: 1, max: 0x7fff_ffff });
  const settings = fc.record({
    type: fc.constantFrom('longrun' as const, 'oneshot' as const),
    restart: fc.constantFrom('always' as const, 'on-failure' as const, 'never' as const),
    restartDelay: fc.tuple(time, time).map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) })),
    restartLimit: fc.integer({ min: 1, max: 1_000_000 }),
    timeoutUp: time,
    timeoutKill: time,
    timeoutFinish: time,
    healthInterval: time,
    healthRetries: fc.integer({ min: 1, max: 1_000_000 }),
    notificationFd: fc.integer({ min: 3, max: 255 }),
    downSignal: fc.integer({ min: 1, max: 64 }),
    reloadSignal: fc.integer({ min: 1, max: 64 }),
  });
  const written = (value: unknown): string =>
    typeof value === 'object'
      ? Object.values(value ?? {})
          .map((ms) => `${ms}ms`)
          .join(' ')
      : String(value);
  fc.assert(
    fc.property(settings, fc.constantFrom('', ' ', '\n', ' \n\n'), (given, blank) => {
      const texts = Object.entries(given).map(([key, value]) => [
        key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
        `${blank}${written(value)}${blank}`,
      ]);
      const { config, problems } = parseServiceDir(raw(Object.fromEntries(texts)));
      assert.deepEqual(problems, []);
      assert.deepEqual(config, { ...BARE, ...given, notifies: true });
    }),
    { numRuns: runs(300, 10) },
  );
});

describe('its programs', () => {
  const broken: Problem = {
    message: 'cannot start "web": ./run is not executable',
    hint: 'chmod +x /s/web/run',
  };

  test('no run', () => {
    const { config, problems } = parseServiceDir(raw({}, { run: { is: 'missing' } }));
    assert.deepEqual(problems, [
      {
        message: 'cannot start "web": /s/web has no run',
        hint: 'add an executable /s/web/run, or remove the directory',
        file: '/s/web',
      },
    ]);
    assert.equal(config.command, undefined);
  });

  test('no run in a directory that cannot be read: only that is told', () => {
    const missing = { run: { is: 'missing' } } as const;
    const whole = { message: 'cannot read /s/web', file: '/s/web' };
    assert.deepEqual(parseServiceDir(raw({}, { ...missing, unreadable: [whole] })).problems, [whole]);
    const part = { message: 'cannot read /s/web/env', file: '/s/web/env' };
    assert.equal(parseServiceDir(raw({}, { ...missing, unreadable: [part] })).problems.length, 2);
  });

  test('no run where one is built in: that one', () => {
    const { config, problems } = parseServiceDir(raw({}, { run: { is: 'missing' } }), ['node', 'x']);
    assert.deepEqual(problems, []);
    assert.deepEqual(config.command, ['node', 'x']);
  });

  test('a run of its own replaces the one built in; a broken one does too, and is told', () => {
    assert.equal(parseServiceDir(raw(), ['node', 'x']).config.command, undefined);
    const { config, problems } = parseServiceDir(raw({}, { run: { is: 'broken', problem: broken } }), [
      'node',
      'x',
    ]);
    assert.equal(config.command, undefined);
    assert.deepEqual(problems, [broken]);
  });

  test('finish: there, broken', () => {
    assert.equal(parseServiceDir(raw({}, { finish: { is: 'ok' } })).config.hasFinish, true);
    const problem = { message: 'cannot use /s/web/finish: ./finish has no shebang' };
    const { config, problems } = parseServiceDir(raw({}, { finish: { is: 'broken', problem } }));
    assert.deepEqual(problems, [problem]);
    assert.equal(config.hasFinish, false);
  });

  test('check and health: there, broken; a check is readiness', () => {
    const { config } = parseServiceDir(raw({}, { check: { is: 'ok' }, health: { is: 'ok' } }));
    assert.deepEqual([config.hasCheck, config.hasHealth, config.notifies], [true, true, true]);
    const problem = { message: 'cannot use /s/web/health: ./health is not executable' };
    assert.deepEqual(parseServiceDir(raw({}, { health: { is: 'broken', problem } })).problems, [problem]);
  });

  test('all complaints together: the name, what cannot be read, values, programs', () => {
    const unreadable = { message: 'cannot read /s/web/down: it is a directory (EISDIR)' };
    const { problems } = parseServiceDir(
      raw(
        { restart: 'x' },
        { name: 'a b', unreadable: [unreadable], run: { is: 'broken', problem: broken } },
      ),
    );
    assert.deepEqual(
      problems.map(({ message }) => message.slice(0, 30)),
      [
        'cannot use "a b" as a service: expecte',
        unreadable.message,
        'cannot read /s/web/restart: exp',
        broken.message,
      ].map((message) => message.slice(0, 30)),
    );
  });
});

test('a oneshot is tried again only where somebody says so', () => {
  const restartOf = (texts: Record<string, string>): string => parseServiceDir(raw(texts)).config.restart;
  assert.equal(restartOf({ type: 'oneshot' }), 'never');
  assert.equal(restartOf({ type: 'oneshot', restart: 'on-failure' }), 'on-failure');
  assert.equal(restartOf({ type: 'oneshot', restart: 'always' }), 'always');
});

test('environment and account are taken as found', () => {
  const account = { uid: 7, gid: 8, groups: [9], name: 'app', home: '/app' };
  const env = new Map([
    ['A', '1'],
    ['B', null],
  ]);
  const { config } = parseServiceDir(raw({}, { env, account }));
  assert.deepEqual([config.env, config.account], [{ A: '1', B: null }, account]);
});

test('every setting and every program is among the files that help and README show', () => {
  const files = Object.keys(SERVICE_FILES);
  for (const name of [...Object.keys(SETTINGS), 'run', 'finish', 'check', 'health'])
    assert.ok(files.includes(name), name);
  for (const [name, doc] of Object.entries(SERVICE_FILES))
    assert.ok(doc?.help && doc.default && doc.takes, `${name} has no words`);
});

test('when a change of a file takes effect', () => {
  const rows: [string, string][] = [
    ['run', 'at the next start'],
    ['finish', 'at once'],
    ['type', 'at the next start'],
    ['timeout-kill', 'at once'],
    ['timeout-up', 'at the next start'],
    ['env/PORT', 'at the next start'],
    ['dependencies.d/db', 'at once'],
    ['user', 'at the next start'],
    ['version', 'at the next start'],
    ['nobody-knows', 'at once'],
    ['nobody/knows', 'at once'],
  ];
  for (const [file, takes] of rows) assert.equal(takesEffect(file), takes, file);
});

test('whom a user file names', () => {
  assert.deepEqual(parseUser(' app\n'), { user: 'app', group: undefined });
  assert.deepEqual(parseUser('1000:a.b@c-$'), { user: '1000', group: 'a.b@c-$' });
  for (const text of ['', ':app', 'a b', 'a:b:c', 'app:']) assert.equal(parseUser(text), undefined, text);
  assert.equal(MAIN_COMMAND, '(command)');
});

test('a logger has its service’s name, and a service that is called so is none', () => {
  assert.equal(loggerOf('web'), 'web/log');
  assert.deepEqual(['web/log', 'web', 'weblog', 'log', '/log'].map(ownerOf), [
    'web',
    undefined,
    undefined,
    undefined,
    '',
  ]);
});

test('dependencies and templates are taken as found', () => {
  const { config } = parseServiceDir(raw({}, { dependencies: ['cache', 'db'], templates: ['a.hbs'] }));
  assert.deepEqual(config.dependencies, ['cache', 'db']);
  assert.equal(config.hasTemplates, true);
});

describe('its name', () => {
  for (const name of ['web', 'web-1', 'a.b', 'user@host:80', '_x', '9', 'A,b=c+d'])
    test(`${name} is one`, () => assert.deepEqual(parseServiceDir(raw({}, { name })).problems, []));
  for (const name of ['', 'a b', '-x', '.x', 'a/b', 'é', 'a\nb', '(command)', 'a;b', '$x', "a'b"])
    test(`${JSON.stringify(name)} is none`, () =>
      assert.deepEqual(parseServiceDir(raw({}, { name })).problems, [
        {
          message: `cannot use ${JSON.stringify(name)} as a service: expected a name of letters, digits and ._@:+,=-`,
          hint: 'rename the directory, or begin its name with a dot to have it passed over',
          file: '/s/web',
        },
      ]));
});

test('what has no directory: the defaults and its command', () => {
  assert.deepEqual(bareConfig(MAIN_COMMAND, ['sleep', '1']), {
    ...BARE,
    name: MAIN_COMMAND,
    path: undefined,
    command: ['sleep', '1'],
  });
});
