/** The command line of `supervise template`. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type UserError, describe as words } from '../../src/errors.ts';
import { HELP, parseOptions } from '../../src/templater/options.ts';

const parse = (args: string[], env: Record<string, string> = {}) => parseOptions(args, env, false);

function refusal(...args: string[]): string {
  try {
    parse(args);
  } catch (error) {
    return words(error as UserError);
  }
  throw new Error(`${args.join(' ')} was taken`);
}

describe('-template', () => {
  const one = (text: string) => parse(['-template', text]).templates[0];
  test('is split at colons; those of the command are its own', () => {
    assert.deepEqual(one('in:out'), { file: 'in', dest: 'out', command: undefined });
    assert.deepEqual(one('in:out:a b'), { file: 'in', dest: 'out', command: 'a b' });
    assert.deepEqual(one('in:out:curl http://x:80/ : '), {
      file: 'in',
      dest: 'out',
      command: 'curl http://x:80/ :',
    });
    assert.deepEqual(one(' in : out : '), { file: 'in', dest: 'out', command: undefined });
    assert.deepEqual(one('in'), { file: 'in', dest: undefined, command: undefined });
  });
  test('may be given many times', () => {
    assert.deepEqual(
      parse(['--template=a:b', '-template', 'c:d', '-template=e:f']).templates.map(({ file }) => file),
      ['a', 'c', 'e'],
    );
  });
  test('needs both its files', () => {
    assert.equal(
      refusal('-template', ':out'),
      'cannot run "template": expected --template to be IN:OUT or IN:OUT:COMMAND, got ":out"',
    );
    assert.match(refusal('-template', 'in::cmd'), /got "in::cmd"$/);
    assert.match(
      refusal('-template', 'a:b', '--services', 'x'),
      /--template and --services exclude each other/,
    );
  });
});

test('--services may be given many times; without it the environment names one', () => {
  assert.deepEqual(parse(['--services', 'a', '-services=b']).scandirs, ['a', 'b']);
  assert.deepEqual(parse(['--services', 'a'], { SUPERVISE_SCANDIR: 'c' }).scandirs, ['a']);
  assert.deepEqual(parse([], { SUPERVISE_SCANDIR: 'c' }).scandirs, ['c']);
  assert.deepEqual(parse([]).scandirs, ['./services.d']);
});

describe("consul-template's ways", () => {
  test('one dash or two, with = or without, switches with a value', () => {
    for (const args of [['-once'], ['--once'], ['-once=true'], ['--once=1']])
      assert.equal(parse(args).once, true);
    assert.equal(parse(['-once=false']).once, false);
    assert.match(refusal('-once=perhaps'), /expected --once to be true or false, got "perhaps"/);
    assert.deepEqual(parse(['-wait=1s']).wait, { min: 1000, max: 4000 });
    assert.deepEqual(parse(['-wait', '1s:2s']).wait, { min: 1000, max: 2000 });
  });

  test('names of log levels', () => {
    const levels = {
      trace: 'debug',
      debug: 'debug',
      INFO: 'info',
      warn: 'warn',
      WARNING: 'warn',
      err: 'error',
      error: 'error',
    };
    for (const [given, level] of Object.entries(levels))
      assert.equal(parse(['-log-level', given]).logLevel, level);
    assert.match(
      refusal('-log-level', 'loud'),
      /expected --log-level to be one of debug, info, warn, error, silent, got "loud"/,
    );
  });

  test("Consul's options are its variables, and win over those of the environment", () => {
    const { consulEnv, consulAddr } = parse([
      ...[
        '-consul-addr=x:1',
        '-consul-token=t',
        '-consul-auth=u:p',
        '-consul-ssl',
        '-consul-ssl-verify=false',
      ],
      ...[
        '-consul-ssl-ca-cert=ca',
        '-consul-ssl-ca-path=cas',
        '-consul-ssl-cert=c',
        '-consul-ssl-key=k',
        '-consul-ssl-server-name=n',
      ],
    ]);
    assert.equal(consulAddr, 'x:1');
    assert.deepEqual(consulEnv, {
      CONSUL_HTTP_ADDR: 'x:1',
      CONSUL_HTTP_TOKEN: 't',
      CONSUL_HTTP_TOKEN_FILE: '',
      CONSUL_HTTP_AUTH: 'u:p',
      CONSUL_HTTP_SSL: 'true',
      CONSUL_CACERT: 'ca',
      CONSUL_CAPATH: 'cas',
      CONSUL_CLIENT_CERT: 'c',
      CONSUL_CLIENT_KEY: 'k',
      CONSUL_TLS_SERVER_NAME: 'n',
      CONSUL_HTTP_SSL_VERIFY: 'false',
    });
    assert.deepEqual(
      parse(['-consul-token-file', 'f', '-consul-ssl-verify', '-max-stale', '10s']).consulEnv,
      {
        SUPERVISE_MAX_STALE: '10s',
        CONSUL_HTTP_TOKEN_FILE: 'f',
        CONSUL_HTTP_SSL_VERIFY: 'true',
      },
    );
    assert.match(refusal('-consul-token', 'a', '-consul-token-file', 'b'), /exclude each other/);
  });

  test('-exec and its companions; signals that we listen to', () => {
    const { exec, reloadSignal, killSignal } = parse([
      '-exec',
      'a b',
      '-exec-reload-signal',
      'HUP',
      '-exec-kill-signal=SIGQUIT',
      '-exec-kill-timeout=5s',
      '-exec-splay=1s',
      '-reload-signal',
      'USR1',
      '-kill-signal',
      '',
    ]);
    assert.deepEqual(exec, {
      command: 'a b',
      reloadSignal: 1,
      killSignal: 3,
      killTimeout: 5000,
      splay: 1000,
    });
    assert.deepEqual([reloadSignal, killSignal], [10, 0]);
    assert.deepEqual(parse(['-exec', 'x']).exec, {
      command: 'x',
      reloadSignal: undefined,
      killSignal: undefined,
      killTimeout: 30_000,
      splay: 0,
    });
    assert.match(refusal('-exec', ' '), /expected --exec to be a command/);
    assert.match(refusal('-exec-splay', '1s'), /--exec-splay says nothing without --exec/);
    assert.match(
      refusal('-reload-signal', 'LOUD'),
      /expected --reload-signal to be a signal such as SIGHUP, got "LOUD"/,
    );
  });

  test('what we do without is passed over, with its value, and said', () => {
    const { ignored, templates, once } = parse([
      ...['-retry', '5s', '-dedup', '-syslog', '-syslog-facility=LOCAL0', '-consul-retry-attempts', '3'],
      ...[
        '-consul-transport-dial-timeout',
        '1s',
        '-log-file',
        '/x',
        '-template-error-fatal=false',
        '-template',
        'a:b',
        '-once',
      ],
    ]);
    assert.deepEqual(
      ignored.map(({ option }) => option),
      [
        '-retry',
        '-dedup',
        '-syslog',
        '-syslog-facility',
        '-consul-retry-attempts',
        '-consul-transport-dial-timeout',
        '-log-file',
        '-template-error-fatal',
      ],
    );
    assert.ok(ignored.every(({ cause }) => cause.length > 10));
    assert.deepEqual([templates.length, once], [1, true]);
  });

  test('what must not be passed over is refused, with what to use instead', () => {
    const start = (name: string): string =>
      `cannot use -${name}: it is an option of consul-template's alone\n  hint: `;
    const cases: Record<string, string> = {
      config: 'give each template{} as -template IN:OUT:CMD, and the rest as options',
      'vault-addr': 'secrets of Vault are not read: leave that file to Vault Agent',
      'nomad-addr': 'Nomad is not read: leave that file to Nomad',
      'parse-only': '--diff reads and renders everything, and writes nothing',
      'exec-env-pristine': "say it in the command: -exec 'env -i NAME=value CMD'",
      'default-left-delimiter':
        'Handlebars has {{ }} only: supervise template convert -default-left-delimiter …',
    };
    for (const [name, hint] of Object.entries(cases)) {
      assert.equal(refusal(`-${name}`, 'x'), start(name) + hint);
      assert.equal(refusal(`--${name}=x`), start(name) + hint);
    }
  });

  test('what nobody has is refused with what was meant', () => {
    assert.equal(
      refusal('-tempalte', 'a:b'),
      'cannot run "template": no option is called "--tempalte"\n  hint: did you mean --template?',
    );
  });
});

test('--dry, --diff and --explain exclude each other', () => {
  assert.equal(parse(['-dry']).show, 'content');
  assert.equal(parse(['--diff']).show, 'differences');
  assert.equal(parse(['--explain', '--json']).show, 'queries');
  assert.equal(parse([]).show, undefined);
  assert.match(refusal('--diff', '--dry'), /--dry and --diff exclude each other/);
});

test('--cache, --helpers and --render-timeout are passed on, from the environment too', () => {
  const { cache, helpers, renderTimeout } = parse([
    '--cache',
    'c',
    '--helpers',
    'h.js',
    '--render-timeout',
    '2s',
  ]);
  assert.deepEqual([cache, helpers, renderTimeout], ['c', 'h.js', 2000]);
  const env = parse([], { SUPERVISE_CACHE: 'c', SUPERVISE_HELPERS: 'h', SUPERVISE_RENDER_TIMEOUT: '1s' });
  assert.deepEqual([env.cache, env.helpers, env.renderTimeout], ['c', 'h', 1000]);
});

test('the help names every option, within 120 columns', () => {
  for (const name of [
    'template',
    'exec',
    'exec-splay',
    'diff',
    'explain',
    'cache',
    'consul-token-file',
    'reload-signal',
    'pid-file',
  ])
    assert.match(HELP, new RegExp(`--${name}\\b`));
  for (const line of HELP.split('\n')) assert.ok(line.length <= 120, line);
});
