import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { emptyServiceDir, MAIN_COMMAND, type RawServiceDir } from '../../src/core/servicedir.ts';
import { isDisabled, parseServices, type Switches } from '../../src/core/services.ts';

const SWITCHES: Switches = { templater: ['supervise', 'template'], disabled: new Set(), enabled: new Set() };

function raw(name: string, more: Partial<RawServiceDir> = {}): RawServiceDir {
  return { ...emptyServiceDir(name, `/s/${name}`), run: { is: 'ok' }, ...more };
}

/** `name`, with `down` and `refused` where it is. */
function inWords(
  raws: readonly RawServiceDir[],
  switches: Partial<Switches> = {},
  wants?: boolean,
): string[] {
  return parseServices(raws, { ...SWITCHES, ...switches }, wants).map(({ config, problems }) =>
    [config.name, ...(config.down ? ['down'] : []), ...(problems.length > 0 ? ['refused'] : [])].join(' '),
  );
}

const DOWN = new Map([['down', '']]);
const TEMPLATES = { templates: ['a.hbs'] };

describe('the templater', () => {
  test('comes with the first template, and not without', () => {
    assert.deepEqual(inWords([raw('web')]), ['web']);
    assert.deepEqual(inWords([raw('web', TEMPLATES), raw('db')]), ['web', 'db', 'templater']);
  });

  test('comes where somebody knows that it is needed, though what was read cannot tell', () => {
    assert.deepEqual(inWords([raw('web')], {}, true), ['web', 'templater']);
    assert.deepEqual(inWords([raw('web', TEMPLATES)], {}, false), ['web']);
  });

  test('of the built-in kind is down where its directory is there, and nobody needs it', () => {
    const settings = raw('templater', { run: { is: 'missing' } });
    assert.deepEqual(inWords([settings]), ['templater down']);
    assert.deepEqual(inWords([settings, raw('web', TEMPLATES)]), ['templater', 'web']);
    const [first] = parseServices([settings, raw('web', TEMPLATES)], SWITCHES);
    assert.deepEqual(first?.config.command, SWITCHES.templater);
  });

  test('of the user’s own kind runs in any case', () => {
    assert.deepEqual(inWords([raw('templater')]), ['templater']);
    const [first] = parseServices([raw('templater')], SWITCHES);
    assert.equal(first?.config.command, undefined);
  });

  test('is the only one with a run built in', () =>
    assert.deepEqual(inWords([raw('web', { run: { is: 'missing' } })]), ['web refused']));
});

describe('who is run', () => {
  test('not whom its directory says, unless it is enabled', () => {
    assert.deepEqual(inWords([raw('a', { texts: DOWN }), raw('b')]), ['a down', 'b']);
    assert.deepEqual(inWords([raw('a', { texts: DOWN })], { enabled: new Set(['a']) }), ['a']);
  });

  test('not who is disabled, whatever else is said', () => {
    const both = new Set(['a']);
    assert.deepEqual(inWords([raw('a'), raw('b')], { disabled: both, enabled: both }), ['a down', 'b']);
  });

  test('a logger comes ahead of its service, and goes with it or by its own name', () => {
    const service = raw('a', { log: raw('a/log') });
    assert.deepEqual(inWords([service]), ['a/log', 'a']);
    assert.deepEqual(inWords([service], { disabled: new Set(['a']) }), ['a/log down', 'a down']);
    assert.deepEqual(inWords([service], { disabled: new Set(['a/log']) }), ['a/log down', 'a']);
    const down = raw('a', { log: raw('a/log', { texts: DOWN }) });
    assert.deepEqual(inWords([down]), ['a/log down', 'a']);
  });

  test('isDisabled: by name, or by that of its service', () => {
    const disabled = new Set(['a', 'b/log']);
    assert.deepEqual(
      ['a', 'a/log', 'b', 'b/log', 'c'].map((name) => isDisabled(name, disabled)),
      [true, true, false, true, false],
    );
  });
});

test('a directory with the main command’s name is passed over', () =>
  assert.deepEqual(inWords([raw(MAIN_COMMAND), raw('a')]), ['a']));
