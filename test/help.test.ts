/** `supervise help`: the reference. What is in a table of the code is in it; the pages that are text are pinned here. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { COMMANDS, envName, OPTIONS, type OptionName } from '../src/cli.ts';
import { help, topics } from '../src/commands/help.ts';
import { VARIABLES } from '../src/core/environment.ts';
import { HOOKS } from '../src/core/hook-docs.ts';
import { SERVICE_FILES } from '../src/core/servicedir.ts';
import { EXIT } from '../src/errors.ts';
import { HELPERS } from '../src/templater/helpers/index.ts';
import { HELP } from '../src/templater/options.ts';
import { TEMPLATE_SETTINGS } from '../src/templater/settings.ts';
import { SLEEPER, startTree, until } from './tree.ts';

const SRC = join(import.meta.dirname, '../src');

/** Without its folds: tables break long cells. */
const flat = async (topic: string): Promise<string> => (await help(topic)).replaceAll(/\s+/g, ' ');

describe('the pages', () => {
  test('every topic has one, no line is wider than most terminals, and none ends in blanks', async () => {
    for (const topic of [undefined, ...topics()]) {
      const text = await help(topic);
      assert.ok(text.endsWith('\n') && !text.endsWith('\n\n\n'), topic);
      for (const line of text.split('\n')) {
        assert.equal(line, line.trimEnd(), `${topic}: ${line}`);
        if (topic !== 'protocol') assert.ok(line.length <= 130, `${topic}: ${line}`);
      }
    }
  });

  test('the overview names each topic and each verb', async () => {
    const text = await help(undefined);
    for (const topic of [
      'servicedir',
      'hooks',
      'signals',
      'exit-codes',
      'environment',
      'templates',
      'control',
    ])
      assert.match(text, new RegExp(`^  ${topic} `, 'm'));
    for (const { usage } of Object.values(COMMANDS)) assert.ok(text.includes(`  supervise ${usage} `), usage);
  });

  test('servicedir: each file with its default', async () => {
    const text = await help('servicedir');
    for (const [name, file] of Object.entries(SERVICE_FILES)) {
      const line = text.split('\n').find((each) => each.startsWith(`  ${name} `));
      assert.ok(line?.includes(` ${file.default} `) && line.includes(` ${file.takes} `), name);
    }
  });

  test('hooks: what each is given', async () => {
    const text = await flat('hooks');
    for (const [name, { when, args, env }] of Object.entries(HOOKS)) {
      assert.ok(text.includes(`${name}: ${when}`), name);
      for (const [i, meaning] of args.entries()) assert.ok(text.includes(`$${i + 1} ${meaning}`), meaning);
      for (const [variable, meaning] of Object.entries(env))
        assert.ok(text.includes(`${variable} ${meaning}`));
    }
  });

  test('exit-codes: those of errors.ts', async () => {
    const text = await help('exit-codes');
    for (const code of Object.values(EXIT)) assert.match(text, new RegExp(`^  ${code} +\\S`, 'm'));
  });

  test('environment: each option’s variable, and every other that the code reads', async () => {
    const text = await help('environment');
    for (const name of Object.keys(OPTIONS) as OptionName[])
      assert.match(text, new RegExp(`^  ${envName(name)} `, 'm'));
    const read = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.startsWith('os/native/'))
      .flatMap((file) => [
        ...readFileSync(join(SRC, file), 'utf8').matchAll(/\benv\['([A-Z_]+)'\]|\benv\.([A-Z][A-Z_]+)\b/g),
      ])
      .map(([, a, b]) => a ?? b ?? '');
    const known = [...Object.keys(VARIABLES), ...(Object.keys(OPTIONS) as OptionName[]).map(envName)];
    const others = ['PATH'];
    assert.deepEqual(
      [...new Set(read)].filter((name) => !known.includes(name) && !others.includes(name)),
      [],
    );
  });

  test('templates: each setting and each helper', async () => {
    const text = await flat('templates');
    for (const [name, meaning] of Object.entries(TEMPLATE_SETTINGS))
      assert.ok(text.includes(`${name} ${meaning}`), name);
    for (const { usage } of Object.values(HELPERS)) assert.ok(text.includes(usage), usage);
  });

  test('control: the places, in their order', async () => {
    const text = await help('control');
    assert.match(
      text,
      /\n {2}\$SUPERVISE_RUNTIME_DIR\/control\n {2}\/run\/supervise\/control\n {2}\$XDG_RUNTIME_DIR\/supervise\/control\n {2}<temp directory>\/supervise-<uid>\/control\n/,
    );
  });

  test('protocol is JSON', async () => {
    const { $defs } = JSON.parse(await help('protocol')) as { $defs: object };
    assert.ok(Object.keys($defs).includes('status'));
  });

  test('signals', async () => {
    assert.equal(
      await help('signals'),
      `  SIGNAL
  SIGTERM, SIGINT       stop the tree; the second one at once: what still runs is killed
  SIGHUP                read the services directory again (rescan); from a terminal that is gone: stop the tree
  others                passed to the main command, else to the essential service, else nothing
  SIGRTMIN to SIGRTMAX  nothing; without the addon each ends supervise where it is not PID 1
  SIGKILL, SIGSTOP      cannot be caught; where supervise is not PID 1, its services are left running

Others: SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP, SIGALRM, SIGVTALRM, SIGURG, SIGIO, SIGPWR, SIGSTKFLT,
SIGXCPU, SIGXFSZ.

A hook of the signal’s name runs instead (supervise help hooks); --rewrite TERM:QUIT takes one for another.
To one service: supervise signal USR1 web, supervise reload web (its reload-signal).
`,
    );
  });

  test('a verb', async () => {
    assert.equal(
      await help('restart'),
      `supervise restart <service…> [--wait ready|down] [--timeout T]

  stop and start

  Reads the service’s directory again. What has to wait is told to start, says what it waits for, and exits 0.
  The crashes before it are forgotten. --wait ready waits for the readiness of the new run, --wait down for the end of the old.
  Without check and notification-fd, a service is ready once executed: give it one before you trust --wait ready.
  A service that is up is restarted without waiting for what it depends on.
  Exit 0 when it is told, or with --wait when it is so; 1 as soon as that cannot happen by itself, with the reason;
  99 when --timeout is over, with what it still waits for.

  OPTION             ENVIRONMENT           DEFAULT
  --wait ready|down  SUPERVISE_WAIT_UNTIL  do not wait       wait for each service: for its readiness, or its end
  --timeout TIME     SUPERVISE_TIMEOUT     none              stop waiting after this long, with exit code 99
  --socket PATH      SUPERVISE_SOCKET      see help control  the control socket
`,
    );
  });
});

test('what a newcomer asks is on the page', async () => {
  for (const verb of ['up', 'once', 'restart', 'wait'])
    assert.match(
      await help(verb),
      /Without check and notification-fd, a service is ready once executed/,
      verb,
    );
  assert.match(
    await help('servicedir'),
    /\nTimes: 500ms, 5s, 1m; a bare number is milliseconds, as in s6\.\n/,
  );
  const templates = await help('templates');
  for (const word of ['{{> head}}', 'templates/partials/head.hbs', '--helpers FILE', 'on-change', '--settle'])
    assert.ok(templates.includes(word), word);
  assert.equal(await help('template'), HELP);
});

test('the crash hook is given what help says, and nothing else', async (t) => {
  const tree = startTree(
    t,
    {
      '.supervise/crash':
        '#!/bin/sh\n{ echo $#; env | grep ^SUPERVISE_ | cut -d= -f1 | sort; } >$OUT/new; mv $OUT/new $OUT/given\n',
      'app/run': '#!/bin/sh\nexit 3\n',
      'app/restart': 'never',
      'app/templates/a.hbs': '{{!-- dest: ${OUT}/a --}}\nx\n',
      '.supervise/kv.json': '{}',
      'stays/run': SLEEPER,
    },
    { args: ['--capture'] },
  );
  await until('the hook', () => tree.lines('given').length > 0);
  const inherited = ['SUPERVISE_LOG_FORMAT', 'SUPERVISE_SOCKET'];
  const [count, ...names] = tree.lines('given');
  const { args = [], env = {} } = HOOKS['crash'] ?? {};
  assert.equal(Number(count), args.length);
  assert.deepEqual(
    names.filter((name) => !inherited.includes(name)),
    Object.keys(env).sort(),
  );
});
