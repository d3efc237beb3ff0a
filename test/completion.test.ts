/** `supervise completion`: asked as the shells ask, of real ones where they are installed. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { execaSync } from 'execa';
import { COMMANDS, type CommandSpec, flagOf, SHELLS } from '../src/cli.ts';
import { BUNDLE, NODE, SLEEPER, startTree, tempDir } from './tree.ts';

const NOBODY = '/nowhere/control';
const VERBS = Object.keys(COMMANDS).filter((name) => name !== 'run');

function script(shell: string): string {
  const { stdout } = execaSync(NODE, [BUNDLE, 'completion', shell]);
  return stdout;
}

function isInstalled(shell: string): boolean {
  return execaSync(shell, ['-c', 'true'], { reject: false }).exitCode === 0;
}

test('every verb and every option of it is in each script', () => {
  for (const shell of SHELLS) {
    const text = script(shell);
    for (const [name, spec] of Object.entries(COMMANDS) as [string, CommandSpec][]) {
      if (name !== 'run') assert.match(text, new RegExp(`\\b${name}\\b`), `${shell}: ${name}`);
      for (const option of spec.options)
        assert.match(text, new RegExp(`\\b${flagOf(option)}\\b`), `${shell}: ${option}`);
    }
  }
});

test('another shell', () => {
  const { exitCode, stderr } = execaSync(NODE, [BUNDLE, 'completion', 'tcsh'], { reject: false });
  assert.deepEqual(
    [exitCode, stderr],
    [100, 'supervise: cannot complete in "tcsh": expected bash, zsh or fish'],
  );
});

describe('bash', () => {
  let text = '';
  before(() => {
    text = script('bash');
  });

  /** What bash offers for a command line; the last word is the one that is being written. */
  const offers = (line: string, socket = NOBODY, cwd = '/'): string[] => {
    const words = line.split(' ');
    const ask = [
      // What readline has and a script has not.
      'compopt() { :; }',
      `supervise() { '${NODE}' '${BUNDLE}' "$@"; }`,
      text,
      `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`,
      '_supervise',
      'printf "%s\\n" "${COMPREPLY[@]}"',
    ].join('\n');
    const env = { PATH: process.env['PATH'], SUPERVISE_SOCKET: socket };
    const { stdout, stderr } = execaSync('bash', ['--norc', '-c', ask], { env, extendEnv: false, cwd });
    assert.equal(stderr, '');
    return stdout.split('\n').filter(Boolean);
  };

  test('verbs, and directories for the scandir', (t) => {
    const cwd = tempDir(t);
    mkdirSync(join(cwd, 'restful'));
    assert.deepEqual(offers('supervise re', NOBODY, cwd), ['restart', 'reload', 'rescan', 'restful']);
    assert.deepEqual(offers('supervise ', NOBODY, cwd), [...VERBS, 'restful']);
    assert.deepEqual(offers('supervise lint ', NOBODY, cwd), ['restful']);
    assert.deepEqual(offers('supervise --no-watch re', NOBODY, cwd), ['restful']);
  });

  test('options of each verb, values that are words, topics, signals, shells', () => {
    assert.deepEqual(offers('supervise wait web --'), ['--for', '--timeout', '--socket', '--help']);
    assert.deepEqual(offers('supervise --log-l'), ['--log-level']);
    assert.deepEqual(offers('supervise ./dir --watch --log-level '), [
      'debug',
      'info',
      'warn',
      'error',
      'silent',
    ]);
    assert.deepEqual(offers('supervise wait web --for '), ['ready', 'up', 'down']);
    assert.deepEqual(offers('supervise up web --wait r'), ['ready']);
    assert.deepEqual(offers('supervise --wait '), [], 'MIN:MAX is no word');
    assert.deepEqual(offers('supervise help serv'), ['servicedir']);
    assert.deepEqual(offers('supervise help hooks '), []);
    assert.deepEqual(offers('supervise signal US'), ['USR1', 'USR2']);
    assert.deepEqual(offers('supervise signal --socket /x HU'), ['HUP'], 'a value is no word of the verb');
    assert.deepEqual(offers('supervise completion f'), ['fish']);
    assert.deepEqual(offers('supervise rescan '), []);
    assert.deepEqual(offers('supervise -- up we'), [], 'a main command is its own affair');
  });

  test('names of the services that run; nothing, and no complaint, where there is no supervisor', async (t) => {
    const tree = startTree(t, { 'web/run': SLEEPER, 'web@2/run': SLEEPER, 'db/run': SLEEPER });
    await tree.event('started', 'web');
    assert.deepEqual(offers('supervise restart we', tree.socket), ['web', 'web@2']);
    assert.deepEqual(offers('supervise restart web ', tree.socket), ['db', 'web', 'web@2']);
    assert.deepEqual(offers('supervise signal TERM d', tree.socket), ['db']);
    assert.deepEqual(offers('supervise restart we'), []);
  });
});

test('zsh: what it offers, where it is installed', async (t) => {
  const text = script('zsh');
  assert.match(text, /^#compdef supervise\n/);
  if (!isInstalled('zsh')) return;
  const tree = startTree(t, { 'web/run': SLEEPER, 'db/run': SLEEPER });
  await tree.event('started', 'web');
  const directory = tempDir(t);
  writeFileSync(join(directory, '_supervise'), text);
  writeFileSync(join(directory, 'supervise'), `#!/bin/sh\nexec '${NODE}' '${BUNDLE}' "$@"\n`);
  chmodSync(join(directory, 'supervise'), 0o755);
  // A pseudo-terminal of zsh's own, in which TAB is pressed.
  const press = (line: string): string => {
    const ask = [
      'zmodload zsh/zpty',
      `zpty z "PS1= TERM=dumb zsh -f -i"`,
      `zpty -w z "PATH=${directory}:$PATH; fpath=(${directory} \\$fpath); autoload -Uz compinit; compinit -u -D; unsetopt beep; LISTMAX=0; echo RE''ADY"`,
      'while zpty -r z out && [[ $out != *READY* ]]; do :; done',
      `zpty -w -n z "${line}"$'\\t'$'\\t'`,
      `zpty -w -n z $'\\C-a'"echo LI''NE "$'\\C-e'$'\\n'`,
      'all=; while zpty -r z out; do all+=$out; [[ $all == *"LINE "* ]] && break; done; print -r -- $all',
    ].join('\n');
    const env = { PATH: process.env['PATH'], SUPERVISE_SOCKET: tree.socket, HOME: directory };
    return execaSync('zsh', ['-f', '-c', ask], { env, extendEnv: false, timeout: 20_000, reject: false })
      .stdout;
  };
  assert.match(press('supervise resta'), /LINE supervise restart\b/);
  assert.match(press('supervise restart we'), /LINE supervise restart web\b/);
  assert.match(press('supervise wait web --for re'), /LINE supervise wait web --for ready\b/);
  assert.match(press('supervise signal USR1 d'), /LINE supervise signal USR1 db\b/);
});

test('fish: what it offers, where it is installed', async (t) => {
  const text = script('fish');
  assert.match(text, /^complete -c supervise /m);
  if (!isInstalled('fish')) return;
  const tree = startTree(t, { 'web/run': SLEEPER, 'db/run': SLEEPER });
  await tree.event('started', 'web');
  const directory = tempDir(t);
  const offers = (line: string): string[] => {
    const ask = `function supervise; '${NODE}' '${BUNDLE}' $argv; end\n${text}\ncomplete -C '${line}'`;
    const env = { PATH: process.env['PATH'], SUPERVISE_SOCKET: tree.socket, HOME: directory };
    const { stdout } = execaSync('fish', ['--no-config', '-c', ask], {
      env,
      extendEnv: false,
      cwd: directory,
    });
    return stdout
      .split('\n')
      .filter(Boolean)
      .map((each) => each.split('\t')[0] ?? '');
  };
  assert.deepEqual(offers('supervise resta'), ['restart']);
  assert.deepEqual(offers('supervise restart w'), ['web']);
  assert.deepEqual(offers('supervise wait web --for '), ['down', 'ready', 'up']);
  assert.deepEqual(offers('supervise wait web --f'), ['--for']);
  assert.deepEqual(offers('supervise signal USR'), ['USR1', 'USR2']);
  assert.deepEqual(offers('supervise --log-f'), ['--log-format']);
});
