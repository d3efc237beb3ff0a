import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  COMMANDS,
  type CommandSpec,
  envName,
  flagOf,
  type Invocation,
  OPTIONS,
  type Options,
  parseCommandLine,
} from '../src/cli.ts';
import { help } from '../src/commands/help.ts';
import { UserError } from '../src/errors.ts';

const parse = (argv: string, env: NodeJS.ProcessEnv = {}): Invocation =>
  parseCommandLine(argv === '' ? [] : argv.split(' '), env);

/** What is refused, as it is shown: the message, and its hint. */
function refusal(
  argv: readonly string[],
  env: NodeJS.ProcessEnv = {},
): { message: string; hint: string | undefined } {
  try {
    parseCommandLine(argv, env);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.exitCode, 100);
    return { message: error.message, hint: error.hint };
  }
  throw new assert.AssertionError({ message: `${argv.join(' ')} was not refused` });
}

const DEFAULTS: Options = {
  stopTimeout: 9000,
  hookTimeout: 10_000,
  exitMap: new Map(),
  rewrite: new Map(),
  disable: [],
  enable: [],
  watch: undefined,
  source: undefined,
  settle: 5000,
  gatePolicy: undefined,
  wait: undefined,
  cache: undefined,
  helpers: undefined,
  renderTimeout: undefined,
  waitUntil: undefined,
  for: undefined,
  timeout: undefined,
  follow: false,
  statusWatch: false,
  socket: undefined,
  logFormat: undefined,
  logLevel: 'info',
  logPrefix: false,
  capture: false,
  json: false,
};

test('nothing: run, with the defaults', () => {
  assert.deepEqual(parse(''), { command: 'run', words: [], main: undefined, options: DEFAULTS, rest: [] });
});

/** Option, what is written, what it is read as; switches are written as in the environment. */
const VALUES: [keyof typeof OPTIONS, string, Partial<Options>][] = [
  ['stop-timeout', '30s', { stopTimeout: 30_000 }],
  ['stop-timeout', '0', { stopTimeout: 0 }],
  ['stop-timeout', '1500', { stopTimeout: 1500 }],
  ['settle', '0', { settle: 0 }],
  ['gate-timeout', '30s:stale', { gatePolicy: { after: 30_000, fallback: 'stale' } }],
  ['gate-timeout', '1m:fail', { gatePolicy: { after: 60_000, fallback: 'fail' } }],
  ['hook-timeout', '1m', { hookTimeout: 60_000 }],
  [
    'exit-map',
    '143=0,130=1',
    {
      exitMap: new Map([
        [143, 0],
        [130, 1],
      ]),
    },
  ],
  ['rewrite', 'TERM:QUIT', { rewrite: new Map([[15, 3]]) }],
  [
    'rewrite',
    'SIGTERM:0,15:2,HUP:RTMIN+3',
    {
      rewrite: new Map([
        [15, 2],
        [1, 37],
      ]),
    },
  ],
  ['rewrite', 'WINCH:0', { rewrite: new Map([[28, 0]]) }],
  ['disable', 'a,b', { disable: ['a', 'b'] }],
  ['enable', 'web', { enable: ['web'] }],
  ['watch', '1', { watch: true }],
  ['source', 'file:kv.json', { source: 'file:kv.json' }],
  ['source', 'consul', { source: 'consul' }],
  ['source', 'consul:127.0.0.1:8500', { source: 'consul:127.0.0.1:8500' }],
  ['wait', '100ms:2s', { wait: '100ms:2s' }],
  ['wait', '1s', { wait: '1s' }],
  ['cache', '/var/cache/x', { cache: '/var/cache/x' }],
  ['helpers', 'h.js', { helpers: 'h.js' }],
  ['render-timeout', '2s', { renderTimeout: 2000 }],
  ['socket', '/tmp/s', { socket: '/tmp/s' }],
  ['log-format', 'json', { logFormat: 'json' }],
  ['log-format', 'text', { logFormat: 'text' }],
  ['log-level', 'silent', { logLevel: 'silent' }],
  ['log-level', 'debug', { logLevel: 'debug' }],
  ['log-prefix', '1', { logPrefix: true }],
  ['capture', '1', { capture: true }],
  ['json', '1', { json: true }],
  ['wait-until', 'ready', { waitUntil: 'ready' }],
  ['wait-until', 'down', { waitUntil: 'down' }],
  ['for', 'up', { for: 'up' }],
  ['timeout', '5s', { timeout: 5000 }],
  ['follow', '1', { follow: true }],
  ['status-watch', '1', { statusWatch: true }],
];
/** A verb that takes the option, where `run` does not. */
const VERB_OF: Partial<Record<keyof typeof OPTIONS, string>> = {
  json: 'status',
  'wait-until': 'up web',
  for: 'wait web',
  timeout: 'wait web',
  follow: 'events',
  'status-watch': 'status',
};

describe('an option', () => {
  for (const [name, value, options] of VALUES) {
    const isSwitch = !('value' in OPTIONS[name]);
    const verb = VERB_OF[name] ? `${VERB_OF[name]} ` : '';
    const flag = `--${flagOf(name)}`;
    test(`--${name} ${value}, as a flag and in the environment`, () => {
      const flags = isSwitch ? [flag] : [`${flag} ${value}`, `${flag}=${value}`];
      for (const written of flags)
        assert.deepEqual(parse(`${verb}${written}`).options, { ...DEFAULTS, ...options });
      assert.deepEqual(parse(verb.trim(), { [envName(name)]: value }).options, { ...DEFAULTS, ...options });
    });
  }

  test('each is in the table above, and belongs to some verb', () => {
    assert.deepEqual([...new Set(VALUES.map(([name]) => name))].sort(), Object.keys(OPTIONS).sort());
    const used = new Set<string>(Object.values(COMMANDS).flatMap(({ options }) => options));
    assert.deepEqual([...used].sort(), Object.keys(OPTIONS).sort());
  });

  test('its variable', () => {
    assert.equal(envName('stop-timeout'), 'SUPERVISE_STOP_TIMEOUT');
    assert.equal(envName('watch'), 'SUPERVISE_WATCH');
  });

  test('a flag that means one thing to one verb and another to the next has a variable for each', () => {
    const env = { SUPERVISE_WAIT: '1s:2s', SUPERVISE_WATCH: '1' };
    assert.deepEqual(parse('up web', env).options, DEFAULTS);
    assert.deepEqual(parse('status', env).options, DEFAULTS);
    assert.deepEqual(
      parse('', { SUPERVISE_WAIT_UNTIL: 'ready', SUPERVISE_STATUS_WATCH: '1' }).options,
      DEFAULTS,
    );
    assert.equal(parse('--wait 1s:2s').options.wait, '1s:2s');
  });

  test('the flag wins over the environment, of two flags the later', () => {
    const env = { SUPERVISE_STOP_TIMEOUT: '1s', SUPERVISE_WATCH: '1', SUPERVISE_LOG_LEVEL: 'error' };
    const { options } = parse('--stop-timeout 2s --stop-timeout 3s --no-watch --log-level debug', env);
    assert.deepEqual(options, { ...DEFAULTS, stopTimeout: 3000, watch: false, logLevel: 'debug' });
  });

  test('the flag wins even over a value in the environment that is none', () => {
    const env = { SUPERVISE_STOP_TIMEOUT: 'soon', SUPERVISE_WATCH: 'maybe' };
    assert.deepEqual(parse('--stop-timeout 2s --watch', env).options, {
      ...DEFAULTS,
      stopTimeout: 2000,
      watch: true,
    });
  });

  test('an empty variable is none', () => {
    const env = Object.fromEntries(Object.keys(OPTIONS).map((name) => [envName(name), '']));
    assert.deepEqual(parse('', env).options, DEFAULTS);
  });

  test('a switch in the environment, in the words that people use', () => {
    for (const on of ['1', 'true', 'yes', 'on', 'TRUE'])
      assert.equal(parse('', { SUPERVISE_WATCH: on }).options.watch, true);
    for (const off of ['0', 'false', 'no', 'off', 'No'])
      assert.equal(parse('', { SUPERVISE_WATCH: off }).options.watch, false);
  });

  test('before the verb, behind it, and around the scandir', () => {
    assert.equal(parse('--socket /x status').command, 'status');
    assert.equal(parse('--socket /x status').options.socket, '/x');
    assert.deepEqual(parse('status web --socket /x db').words, ['web', 'db']);
    assert.deepEqual(parse('--stop-timeout 1s ./dir --no-watch').words, ['./dir']);
  });

  test('a variable of one verb is no matter to another', () => {
    assert.deepEqual(parse('stop', { SUPERVISE_STOP_TIMEOUT: '1s' }).words, []);
  });
});

describe('a value that is none', () => {
  const time = 'a time such as 5s';
  const rows: [keyof typeof OPTIONS, string, string[]][] = [
    ['stop-timeout', time, ['soon', '5x', '', '99999h']],
    ['hook-timeout', time, ['soon']],
    ['exit-map', 'pairs such as 143=0', ['143', '143=256', '143:0', '1=2,']],
    [
      'rewrite',
      'pairs of signals such as TERM:QUIT, without KILL and STOP',
      ['TERM', 'TERM:NOPE', 'NOPE:TERM', 'TERM:QUIT:INT', '0:TERM', 'TERM:'],
    ],
    ['wait', 'two times such as 100ms:2s', ['soon', '2s:1s', '1s:2s:3s', ':', '1s:']],
    ['source', 'file:PATH, consul or consul:HOST:PORT', ['foo', 'file:', 'kv.json', 'Consul']],
    ['log-format', 'text or json', ['xml', 'JSON']],
    ['wait-until', 'ready or down', ['up', 'READY', '1s:2s']],
    ['for', 'ready, up or down', ['done', 'Ready']],
    ['timeout', time, ['soon', '-1s', '99999h']],
    ['log-level', 'debug, info, warn, error, silent', ['trace', 'INFO', 'warning']],
  ];
  for (const [name, expected, values] of rows)
    for (const value of values)
      test(`--${name} ${JSON.stringify(value)}`, () => {
        const flag = `--${flagOf(name)}`;
        const message = `cannot use ${flag} (or ${envName(name)}): expected ${expected}, got "${value}"`;
        const verb = VERB_OF[name]?.split(' ') ?? [];
        assert.equal(refusal([...verb, `${flag}=${value}`]).message, message);
        if (value !== '') assert.equal(refusal(verb, { [envName(name)]: value }).message, message);
      });

  test('--wait of a verb, given to the tree: whose it is', () => {
    assert.deepEqual(refusal(['--wait', 'ready']), {
      message: 'cannot use --wait (or SUPERVISE_WAIT): expected two times such as 100ms:2s, got "ready"',
      hint: '--wait ready belongs to up, once, restart, down and reload',
    });
  });

  test('a switch in the environment: named, with what was expected', () => {
    assert.equal(
      refusal([], { SUPERVISE_WATCH: 'maybe' }).message,
      'cannot use --watch (or SUPERVISE_WATCH): expected 1 or 0, got "maybe"',
    );
  });
});

describe('flags that cannot be read', () => {
  const rows: [string[], string][] = [
    [['--stop-timout', '1s'], 'no such option as --stop-timout (did you mean --stop-timeout?)'],
    [['--stop-timout=1s'], 'no such option as --stop-timout (did you mean --stop-timeout?)'],
    [['--jsn'], 'no such option as --jsn (did you mean --json?)'],
    [['--versio'], 'no such option as --versio (did you mean --version?)'],
    [['--hlep'], 'no such option as --hlep (did you mean --help?)'],
    [['--frobnicate'], 'no such option as --frobnicate'],
    [['--no-frobnicate'], 'no such option as --no-frobnicate'],
    [['--stop-timeout'], "Option '--stop-timeout <value>' argument missing"],
    [['--watch=1'], "Option '--watch' does not take an argument"],
  ];
  for (const [argv, cause] of rows)
    test(argv.join(' '), () => {
      assert.deepEqual(refusal(argv), {
        message: `cannot read the command line: ${cause}`,
        hint: 'supervise --help',
      });
    });

  test('a short one is named as it was written', () => {
    assert.equal(refusal(['-x']).message, 'cannot read the command line: no such option as -x');
  });

  test('the message is one line, whatever Node says', () => {
    const { message } = refusal(['--stop-timeout', '-5']);
    assert.match(
      message,
      /^cannot read the command line: Option '--stop-timeout' argument is ambiguous[^\n]*$/,
    );
  });

  test('an option of another verb', () => {
    assert.deepEqual(refusal(['status', '--stop-timeout', '1s']), {
      message: 'cannot use --stop-timeout with "status"',
      hint: 'supervise help status',
    });
    assert.equal(refusal(['--json', '.']).message, 'cannot use --json with "run"');
    assert.equal(refusal(['up', 'web', '--no-watch']).message, 'cannot use --watch with "up"');
  });
});

describe('behind --', () => {
  test('is the main command, unread', () => {
    const { command, words, main, options } = parse(
      './dir --stop-timeout 1s -- sh -c --help -- status --nonsense',
    );
    assert.equal(command, 'run');
    assert.deepEqual(words, ['./dir']);
    assert.equal(options.stopTimeout, 1000);
    assert.deepEqual(main, ['sh', '-c', '--help', '--', 'status', '--nonsense']);
  });

  test('a verb there is a program', () => {
    for (const verb of ['status', 'template', 'help']) assert.deepEqual(parse(`-- ${verb}`).main, [verb]);
    assert.equal(parse('-- template').command, 'run');
  });

  test('arguments keep their blanks and their emptiness', () => {
    assert.deepEqual(parseCommandLine(['--', 'sh', '-c', '', 'a b'], {}).main, ['sh', '-c', '', 'a b']);
  });

  test('nothing there', () => {
    assert.deepEqual(refusal(['dir', '--']), {
      message: 'cannot run: expected a command behind --',
      hint: 'supervise [options] [scandir] [-- command args…]',
    });
  });

  test('with another verb', () => {
    assert.deepEqual(refusal(['up', 'web', '--', 'sh']), {
      message: 'cannot up: it takes no command behind --',
      hint: 'supervise up <service…> [--wait ready|down] [--timeout T]',
    });
  });
});

describe('the first word', () => {
  test('a verb is that verb, anything else the scandir', () => {
    for (const verb of Object.keys(COMMANDS).filter((name) => name !== 'run' && name !== 'template')) {
      const words = ' web'.repeat(COMMANDS[verb as keyof typeof COMMANDS].words[0]);
      assert.equal(parse(`${verb}${words}`).command, verb);
    }
    for (const word of [
      './status',
      'services.d',
      '/status',
      'statu',
      'Status',
      'constructor',
      'toString',
      '.',
    ]) {
      assert.equal(parse(word).command, 'run');
      assert.deepEqual(parse(word).words, [word]);
    }
  });

  test('words behind the verb are its own, though they are verbs themselves', () => {
    assert.deepEqual(parse('restart up down').words, ['up', 'down']);
    assert.deepEqual(parse('help status').words, ['status']);
  });

  test('template reads the rest itself', () => {
    const { command, rest, main, words } = parse('template --services ./x -once -- sh');
    assert.equal(command, 'template');
    assert.deepEqual(rest, ['--services', './x', '-once', '--', 'sh']);
    assert.deepEqual([main, words], [undefined, []]);
  });

  test('--help and --version anywhere before --, and -h', () => {
    assert.deepEqual(parse('--help').command, 'help');
    assert.deepEqual(parse('-h').command, 'help');
    assert.deepEqual(parse('status --help').words, ['status']);
    assert.equal(parse('--version').command, 'version');
    assert.equal(parse('x --version -- sh').command, 'version');
    assert.equal(parse('-- sh --version').command, 'run');
  });
});

describe('the number of words', () => {
  const rows: [string, string, string][] = [
    [
      'up',
      'cannot up: expected the name of a service',
      'supervise up <service…> [--wait ready|down] [--timeout T]',
    ],
    [
      'down',
      'cannot down: expected the name of a service',
      'supervise down <service…> [--wait ready|down] [--timeout T]',
    ],
    [
      'restart',
      'cannot restart: expected the name of a service',
      'supervise restart <service…> [--wait ready|down] [--timeout T]',
    ],
    [
      'reload',
      'cannot reload: expected the name of a service',
      'supervise reload <service…> [--wait ready|down] [--timeout T]',
    ],
    [
      'signal TERM',
      'cannot signal: expected a signal and the name of a service',
      'supervise signal <SIG> <service…>',
    ],
    ['completion', 'cannot completion: expected bash, zsh or fish', 'supervise completion bash|zsh|fish'],
    ['rescan now', 'cannot rescan: unexpected "now"', 'supervise rescan'],
    ['stop web', 'cannot stop: unexpected "web"', 'supervise stop'],
    ['help a b', 'cannot help: unexpected "b"', 'supervise help [topic]'],
    [
      './dir sh',
      'cannot run: unexpected "sh"',
      'supervise [options] [scandir] [-- command args…]\n  a main command goes behind --',
    ],
  ];
  for (const [argv, message, hint] of rows)
    test(argv, () => assert.deepEqual(refusal(argv.split(' ')), { message, hint }));

  const verbs: [string, string, string][] = [
    ['restrat web', 'restrat', 'restart'],
    ['statsu --json', 'statsu', 'status'],
    ['start web', 'start', 'up'],
    ['ps --json', 'ps', 'status'],
    ['event --follow', 'event', 'events'],
  ];
  for (const [argv, word, verb] of verbs)
    test(`${argv}: a verb that is none, though more follows`, () =>
      assert.deepEqual(refusal(argv.split(' ')), {
        message: `cannot run "${word}": no such verb (did you mean "${verb}"?)`,
        hint: 'supervise --help',
      }));

  test('--timeout without --wait would wait for nothing', () =>
    assert.deepEqual(refusal(['up', 'web', '--timeout', '5s']), {
      message: 'cannot up: --timeout is for --wait',
      hint: 'supervise up <service…> [--wait ready|down] [--timeout T]',
    }));

  test('as many services as you like', () => {
    assert.equal(parse('up a b c d').words.length, 4);
    assert.deepEqual(parse('status').words, []);
    assert.deepEqual(parse('check').words, []);
  });
});

describe('help', () => {
  test('shows each option of run with its variable and its default, and each verb', async () => {
    const text = await help(undefined);
    for (const name of COMMANDS.run.options) {
      const line = text.split('\n').find((candidate) => candidate.startsWith(`  --${flagOf(name)}`));
      assert.ok(line?.includes(envName(name)) && line.includes(OPTIONS[name].default), name);
    }
    for (const { usage } of Object.values(COMMANDS)) assert.ok(text.includes(`supervise ${usage}`), usage);
  });

  test('the page of each verb shows each of its options, with its variable and its default', async () => {
    for (const [name, spec] of Object.entries(COMMANDS) as [string, CommandSpec][]) {
      const text = await help(name);
      for (const option of spec.options) {
        const line = text.split('\n').find((candidate) => candidate.startsWith(`  --${flagOf(option)}`));
        assert.ok(
          line?.includes(envName(option)) && line.includes(OPTIONS[option].default),
          `${name}: ${option}`,
        );
      }
    }
  });

  test('has a page for each verb, and says what is near', async () => {
    for (const name of Object.keys(COMMANDS)) assert.match(await help(name), /^supervise /);
    await assert.rejects(
      () => help('statsu'),
      /cannot help with "statsu": no such topic \(did you mean "status"\?\)/,
    );
  });

  test('the defaults that it shows are those that hold', () => {
    for (const name of ['stop-timeout', 'hook-timeout', 'log-level'] as const)
      assert.deepEqual(parse(`--${name} ${OPTIONS[name].default}`).options, DEFAULTS, name);
  });
});
