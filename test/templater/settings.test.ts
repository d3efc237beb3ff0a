/* biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is what templates are written with */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UserError } from '../../src/errors.ts';
import { expand, firstComment, parseSettings } from '../../src/templater/settings.ts';

const CONTEXT = { file: 'services.d/web/templates/a.hbs', serviceDir: '/srv/web', env: {} };

function parse(lines: string, env: Record<string, string> = {}) {
  return parseSettings(`{{!--\n${lines}\n--}}\nbody`, { ...CONTEXT, env });
}

function refused(lines: string): string {
  try {
    parse(lines);
  } catch (error) {
    assert.ok(error instanceof UserError);
    return error.message;
  }
  return assert.fail('it was taken');
}

test('all settings, and their defaults', () => {
  assert.deepEqual(parse('dest: /etc/app.conf\nmode: 0640\nowner: app:www\non-change: reload'), {
    dest: '/etc/app.conf',
    mode: 0o640,
    owner: { user: 'app', group: 'www' },
    check: undefined,
    onChange: 'reload',
    minInterval: 0,
  });
  assert.deepEqual(parse('# where it goes\n\n  dest:/etc/app.conf  '), {
    dest: '/etc/app.conf',
    mode: undefined,
    owner: undefined,
    check: undefined,
    onChange: 'restart',
    minInterval: 0,
  });
});

test('the short comment, whitespace control and text before it', () => {
  for (const source of [
    '{{! dest: /a }}x',
    '{{~! dest: /a ~}}x',
    '{{!--dest: /a--~}}x',
    '#!/bin/sh\n{{! dest: /a }}\n',
  ])
    assert.equal(parseSettings(source, CONTEXT).dest, '/a', source);
  assert.equal(firstComment('\\{{! not a comment }} {{! dest: /a }}'), ' dest: /a ');
  assert.equal(firstComment('{{key "a"}}'), undefined);
});

test('a relative destination belongs to the service directory; variables are put in', () => {
  assert.equal(parse('dest: data/app.conf').dest, '/srv/web/data/app.conf');
  assert.equal(parse('dest: ${DIR:-/tmp/x}/app.conf').dest, '/tmp/x/app.conf');
  assert.equal(parse('dest: ${DIR:-/tmp/x}/app.conf', { DIR: '/run/y' }).dest, '/run/y/app.conf');
  assert.equal(parse('dest: ${DIR:-/tmp/x}/app.conf', { DIR: '' }).dest, '/tmp/x/app.conf');
});

test('what is wrong is named with file, value and what was expected', () => {
  const start = 'cannot read services.d/web/templates/a.hbs: ';
  const cases: [string, string][] = [
    ['mode: 0640', 'expected a setting "dest", got none'],
    ['dest: /a\nmode: rw', 'expected mode to be an octal mode such as 0640, got "rw"'],
    ['dest: /a\nmode: 0999', 'expected mode to be an octal mode such as 0640, got "0999"'],
    ['dest: /a\nowner: a b', 'expected owner to be user, user:group or :group, got "a b"'],
    [
      'dest: /a\non-change: explode',
      'expected on-change to be restart, reload, signal SIG, run COMMAND or none, got "explode"',
    ],
    ['dest: /a\nmod: 3', 'no setting is called "mod" (did you mean "mode"?)'],
    ['dest: /a\ndest: /b', 'the setting "dest" is given twice'],
    [
      'dest: /a\non-change: signal NOPE',
      'expected on-change to be restart, reload, signal SIG, run COMMAND or none, got "signal NOPE"',
    ],
    ['dest: /a\ncheck:', 'expected check to be a command such as "app --check-config {file}", got ""'],
    ['dest: /a\nmin-interval: soon', 'expected min-interval to be a time such as 30s, got "soon"'],
    ['dest: /a mode: 0640', 'expected one setting a line, got "mode:" behind dest'],
    ['dest: /etc/', 'expected dest to be the path of a file, got "/etc/"'],
    ['dest: ${NOT_SET}/a', 'dest names the variable NOT_SET, which is not set'],
    [
      'dest: ${A}/${B}\nmode: rw\nmod: 3\nowner: a b',
      'no setting is called "mod" (did you mean "mode"?); ' +
        'dest names the variable A, which is not set; dest names the variable B, which is not set; ' +
        'expected mode to be an octal mode such as 0640, got "rw"; ' +
        'expected owner to be user, user:group or :group, got "a b"',
    ],
    [
      'mode: rw',
      'expected a setting "dest", got none; expected mode to be an octal mode such as 0640, got "rw"',
    ],
    [
      'dest: /a\nrenders the config\nof the app',
      'expected a setting such as "dest: /etc/app.conf", got "renders the config"',
    ],
  ];
  for (const [lines, message] of cases) assert.equal(refused(lines), start + message);
  assert.throws(
    () => parseSettings('no comment', CONTEXT),
    /expected a first comment that names its destination/,
  );
});

test('whatever stands in a comment is settings or a complaint about this file', () => {
  const line = fc.oneof(
    fc.string(),
    fc
      .tuple(fc.constantFrom('dest', 'mode', 'owner', 'on-change', 'dset', 'check'), fc.string())
      .map((l) => l.join(': ')),
  );
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      try {
        const settings = parse(lines.join('\n'));
        assert.ok(settings.dest.startsWith('/'));
        assert.ok(settings.mode === undefined || settings.mode <= 0o7777);
      } catch (error) {
        assert.ok(error instanceof UserError);
        assert.ok(error.message.startsWith(`cannot read ${CONTEXT.file}: `), error.message);
      }
    }),
  );
});

test('text without variables stays as it is', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      fc.pre(!text.includes('${'));
      assert.equal(expand(text, {}, assert.fail), text);
    }),
  );
});
