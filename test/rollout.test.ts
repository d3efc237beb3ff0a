/** A config that the service cannot live with is taken back; one that fails its check never gets there. */
import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { hiddenName } from '../src/templater/disk.ts';
import { startConsul } from './consul.ts';
import {
  BUNDLE,
  NODE,
  processes,
  type RunningTree,
  SLEEPER,
  startTree,
  type TreeOptions,
  until,
  writeFiles,
} from './tree.ts';

/** Says what it runs on; `bad` in its config is a crash soon after the start. */
const APP = `#!/bin/sh
config=$(cat "$OUT/app.conf")
echo "$config" >>"$OUT/seen"
case $config in *bad*) sleep 0.05; exit 3;; esac
exec sleep 1000
`;
const template = (settings = ''): string => `{{!--\ndest: \${OUT}/app.conf\n${settings}--}}\n{{key "v"}}\n`;
const kv = (values: Record<string, string>): Record<string, string> => ({
  '.supervise/kv.json': JSON.stringify({ kv: values }),
});

function start(
  t: Parameters<typeof startTree>[0],
  files: Record<string, string>,
  options: TreeOptions = {},
): RunningTree {
  return startTree(t, files, {
    ...options,
    args: ['--settle', '1s', '--wait', '20ms:200ms', ...(options.args ?? [])],
  });
}

/** Files of ours beside destinations. */
function leftovers(tree: RunningTree): string[] {
  return readdirSync(tree.directory).filter((name) => name.startsWith('.supervise'));
}

function configOf(tree: RunningTree): {
  generation: string;
  state: string;
  bad: { generation: string } | null;
} {
  return JSON.parse(tree.control('status', 'app', '--json').stdout).services[0].rollout;
}

for (const source of ['a file', 'Consul'])
  test(`a bad value in ${source}: the previous file is back, the service ready on it, the generation marked, the good value rolls out`, async (t) => {
    const consul = source === 'Consul' ? await startConsul() : undefined;
    if (consul) t.after(() => consul.stop());
    const put = async (v: string, tree?: RunningTree): Promise<void> => {
      if (consul) await consul.put('v', v);
      else if (tree) writeFiles(tree.scandir, kv({ v }));
    };
    await put('one');
    const tree = start(
      t,
      {
        'app/run': APP,
        'app/templates/app.conf.hbs': template(),
        '.supervise/crash': '#!/bin/sh\necho "$1 $SUPERVISE_CONFIG $SUPERVISE_GENERATION" >>"$OUT/crash"\n',
        ...kv({ v: 'one' }),
      },
      consul ? { env: { CONSUL_HTTP_ADDR: consul.address } } : {},
    );
    await until('one', () => tree.lines('seen').length === 1);
    await put('bad', tree);
    const before = performance.now();
    await tree.event('config taken back', 'app');
    await until('the old file', () => tree.file('app.conf') === 'one\n');
    await until(
      'the service on it',
      () => tree.lines('seen').at(-1) === 'one' && tree.control('check').code === 0,
    );
    const took = performance.now() - before;
    const bad = String((await tree.event('config judged bad', 'app'))['generation']);
    await until('the crash hook', () => tree.lines('crash').length > 0);
    assert.equal(tree.lines('crash')[0], `app bad ${bad}`);
    assert.ok(took < 2000, `${took} ms`);
    await tree.event('config proved good', 'app');
    assert.equal(configOf(tree).bad?.generation, bad);
    assert.match(tree.control('status').stdout, /config held back: generation \w+ was taken back/);
    for (const said of ['config changed', 'config judged bad', 'config taken back', 'config proved good'])
      assert.ok(tree.control('events', 'app').stdout.includes(said), said);
    // The same content is not tried again.
    await put('bad', tree);
    assert.equal(tree.control('rescan').code, 0);
    await tree.event('config judged bad', 'app', 2);
    assert.equal((await tree.event('bad config allowed again', 'app'))['generation'], bad);
    await tree.event('config proved good', 'app', 2);
    await put('two', tree);
    await until('two', () => tree.lines('seen').at(-1) === 'two');
    assert.equal(tree.eventsOf('config judged bad').length, 2);
    await until('two to be good', () => configOf(tree).state === 'good');
    await until('nothing to be left', () => leftovers(tree).length === 0);
  });

test('two files, one check fails: neither is replaced, the other service goes on; then both', async (t) => {
  const file = (name: string, settings: string): string =>
    `{{!--\ndest: \${OUT}/${name}\n${settings}--}}\n{{key "v"}}\n`;
  const tree = start(t, {
    'app/run': SLEEPER,
    'app/templates/a.hbs': file('a', ''),
    'app/templates/b.hbs': file('b', 'check: echo looked >>"$OUT/checks"; ! grep bad {file}\n'),
    'other/run': SLEEPER,
    'other/templates/c.hbs': file('c', ''),
    ...kv({ v: 'one' }),
  });
  await tree.event('started', 'app');
  await tree.event('started', 'other');
  writeFiles(tree.scandir, kv({ v: 'bad' }));
  const failed = await tree.event('check failed');
  assert.match(String(failed['cause']), /^cannot use .*app\/templates\/b\.hbs: check failed: exit 1: bad$/);
  await until('the other service', () => tree.file('c') === 'bad\n');
  await until('status to say why', () =>
    /config held back: cannot use .*check failed: exit 1: bad/.test(tree.control('status').stdout),
  );
  assert.deepEqual([tree.file('a'), tree.file('b')], ['one\n', 'one\n']);
  writeFiles(tree.scandir, kv({ v: 'bad', more: '1' }));
  assert.equal(tree.control('check').code, 0);
  writeFiles(tree.scandir, kv({ v: 'two' }));
  await until('both', () => tree.file('a') === 'two\n' && tree.file('b') === 'two\n');
  await tree.event('config changed', 'app');
  assert.equal(tree.eventsOf('config changed', 'app').length, 1);
  assert.equal(tree.lines('checks').length, 3, 'content that was refused is not asked about again');
  await until('nothing to be left', () => leftovers(tree).length === 0);
});

test('changes while a generation is judged wait, and are one generation', async (t) => {
  const tree = start(t, { 'app/run': APP, 'app/templates/app.conf.hbs': template(), ...kv({ v: 'one' }) });
  await until('one', () => tree.lines('seen').length === 1);
  writeFiles(tree.scandir, kv({ v: 'two' }));
  await until('two', () => tree.lines('seen').length === 2);
  for (const v of ['three', 'four', 'five']) {
    writeFiles(tree.scandir, kv({ v }));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(tree.file('app.conf'), 'two\n');
  await until('five', () => tree.lines('seen').at(-1) === 'five');
  assert.deepEqual(tree.lines('seen'), ['one', 'two', 'five']);
});

test('a service that is not ready in time is taken back, though it did not crash', async (t) => {
  const tree = start(t, {
    'app/run': `${APP.replace('exec sleep', 'case $config in slow) sleep 1000;; esac; echo >&3; exec sleep')}`,
    'app/notification-fd': '3',
    'app/templates/app.conf.hbs': template(),
    ...kv({ v: 'one' }),
  });
  await tree.event('ready', 'app');
  writeFiles(tree.scandir, kv({ v: 'slow' }));
  const bad = await tree.event('config judged bad', 'app');
  assert.equal(bad['cause'], 'it was not ready within 1.0s');
  await tree.event('ready', 'app', 2);
  assert.equal(tree.file('app.conf'), 'one\n');
});

test('a reload that the service lives with is good; what it ignores harms nobody', async (t) => {
  const tree = start(t, {
    'app/run': '#!/bin/sh\ntrap "echo hup >>\\"$OUT/hups\\"" HUP\nwhile :; do sleep 0.01; done\n',
    'app/templates/app.conf.hbs': template('on-change: reload\n'),
    ...kv({ v: 'one' }),
  });
  await tree.event('started', 'app');
  await new Promise((resolve) => setTimeout(resolve, 200));
  writeFiles(tree.scandir, kv({ v: 'bad' }));
  await tree.event('config proved good', 'app');
  assert.deepEqual(tree.lines('hups'), ['hup']);
  assert.equal(tree.eventsOf('started', 'app').length, 1);
});

test('upon a reload the next change follows as soon as restart-delay allows, not after --settle', async (t) => {
  const tree = start(
    t,
    {
      'app/run': '#!/bin/sh\ntrap : HUP\nwhile :; do sleep 0.01; done\n',
      'app/restart-delay': '200ms',
      'app/templates/app.conf.hbs': template('on-change: reload\n'),
      ...kv({ v: 'v0' }),
    },
    { args: ['--settle', '20s'] },
  );
  await tree.event('started', 'app');
  const began = performance.now();
  for (const v of ['v1', 'v2', 'v3']) {
    writeFiles(tree.scandir, kv({ v }));
    await until(v, () => tree.file('app.conf') === `${v}\n`);
  }
  const took = performance.now() - began;
  assert.ok(took >= 400 && took < 10_000, `${took} ms`);
  await tree.event('config changed', 'app', 3);
  assert.equal(configOf(tree).state, 'settling');
  assert.equal(tree.eventsOf('started', 'app').length, 1);
});

test('down and up again do not save a config that the service cannot live with', async (t) => {
  const tree = start(t, {
    'app/run': APP.replace('sleep 0.05', 'sleep 0.5'),
    'app/templates/app.conf.hbs': template(),
    ...kv({ v: 'one' }),
  });
  await until('one', () => tree.lines('seen').length === 1);
  writeFiles(tree.scandir, kv({ v: 'bad' }));
  await until('bad', () => tree.lines('seen').length === 2);
  tree.control('down', 'app');
  assert.equal(configOf(tree).state, 'unproven');
  tree.control('up', 'app');
  assert.equal((await tree.event('config judged bad', 'app'))['cause'], 'it exited with 3');
  await tree.event('config proved good', 'app');
  assert.equal(tree.file('app.conf'), 'one\n');
});

test('a reload that ends the service is taken back, and the service started on the previous file', async (t) => {
  const tree = start(t, {
    'app/run': `#!/bin/sh
load() { config=$(cat "$OUT/app.conf"); echo "$config" >>"$OUT/seen"; case $config in bad) exit 4;; esac; }
trap load USR1
load
while :; do sleep 0.01; done
`,
    'app/templates/app.conf.hbs': template('on-change: signal USR1\n'),
    ...kv({ v: 'one' }),
  });
  await until('one', () => tree.lines('seen').length === 1);
  // Ahead of that, the crash might be that of a run on the first file; then the second gets another chance.
  await until('the first to be good', () => configOf(tree).state === 'good');
  writeFiles(tree.scandir, kv({ v: 'bad' }));
  assert.equal((await tree.event('config judged bad', 'app'))['cause'], 'it exited with 4');
  await tree.event('config proved good', 'app');
  assert.equal(tree.lines('seen').at(-1), 'one');
  assert.equal(tree.file('app.conf'), 'one\n');
});

test('on-change: run runs a command in the service directory; its failure is a warning', async (t) => {
  const tree = start(t, {
    'app/run': SLEEPER,
    'app/templates/app.conf.hbs': template('on-change: run pwd >>"$OUT/ran"; exit 3\n'),
    ...kv({ v: 'one' }),
  });
  await tree.event('started', 'app');
  writeFiles(tree.scandir, kv({ v: 'two' }));
  const warning = await tree.event('a hook failed', 'app');
  assert.equal(warning['end'], 'exit 3');
  assert.deepEqual(tree.lines('ran'), [join(tree.scandir, 'app')]);
  assert.equal(tree.eventsOf('started', 'app').length, 1);
});

test('a command that takes its time runs alone; what changes meanwhile is one more run', async (t) => {
  const tree = start(t, {
    'app/run': SLEEPER,
    'app/restart-delay': '20ms',
    'app/templates/app.conf.hbs': template(
      'on-change: run echo "begin $(cat "$OUT/app.conf")" >>"$OUT/ran"; until [ -e "$OUT/go" ]; do sleep 0.01; done; echo end >>"$OUT/ran"\n',
    ),
    ...kv({ v: 'v0' }),
  });
  await tree.event('started', 'app');
  for (const v of ['v1', 'v2', 'v3']) {
    writeFiles(tree.scandir, kv({ v }));
    await until(v, () => tree.file('app.conf') === `${v}\n`);
  }
  await tree.event('config changed', 'app', 3);
  writeFiles(tree.directory, { go: '' });
  await until('both runs', () => tree.lines('ran').length >= 4);
  assert.deepEqual(tree.lines('ran'), ['begin v1', 'end', 'begin v3', 'end']);
});

test('crashes on a bad config do not end the tree where the previous files come back, whatever says that the service is over', async (t) => {
  const app = (name: string, files: Record<string, string>): Record<string, string> => ({
    [`${name}/run`]: APP.replaceAll('app.conf', name).replace('seen', `${name}.seen`),
    [`${name}/essential`]: '',
    [`${name}/templates/t.hbs`]: template().replace('app.conf', name),
    ...Object.fromEntries(Object.entries(files).map(([file, content]) => [`${name}/${file}`, content])),
  });
  const tree = start(t, {
    ...app('never', { restart: 'never' }),
    ...app('limit', { 'restart-limit': '1' }),
    // Says no before and after the files are back.
    ...app('early', { finish: '#!/bin/sh\n[ $1 != 3 ] || exit 125\n' }),
    ...app('late', {
      finish:
        '#!/bin/sh\nwhile grep -q bad "$OUT/late"; do sleep 0.01; done\n[ $1 != 3 ] || { sleep 0.3; exit 125; }\n',
    }),
    '.supervise/crash': '#!/bin/sh\necho "$1 $SUPERVISE_NEXT" >>"$OUT/crash"\n',
    ...kv({ v: 'one' }),
  });
  const names = ['early', 'late', 'limit', 'never'];
  for (const name of names) await until(name, () => tree.lines(`${name}.seen`).length === 1);
  writeFiles(tree.scandir, kv({ v: 'bad' }));
  for (const name of names) {
    await until(`${name} on the old file`, () => tree.lines(`${name}.seen`).length === 3);
    assert.deepEqual(tree.lines(`${name}.seen`), ['one', 'bad', 'one']);
  }
  await until('the hooks', () => tree.lines('crash').length === names.length);
  assert.deepEqual(
    tree.lines('crash').sort(),
    names.map((name) => `${name} restart`),
  );
  for (const name of names) await until(`${name} to be ready`, () => tree.control('check', name).code === 0);
  assert.equal(tree.hasEnded, false);
});

for (const [how, lose, least] of [
  [
    'its previous file is gone',
    (tree) => rmSync(join(tree.directory, hiddenName('app.conf', 'previous'))),
    4900,
  ],
  ['the templater is down', (tree) => void tree.control('down', 'templater'), 0],
] as [string, (tree: RunningTree) => void, number][])
  test(`an essential service that a bad config ends for good ends the tree where ${how}`, async (t) => {
    const tree = start(t, {
      'app/run': APP.replace('sleep 0.05', 'until [ -e "$OUT/go" ]; do sleep 0.01; done'),
      'app/essential': '',
      'app/restart': 'never',
      'app/templates/app.conf.hbs': template(),
      ...kv({ v: 'one' }),
    });
    await until('one', () => tree.lines('seen').length === 1);
    writeFiles(tree.scandir, kv({ v: 'bad' }));
    await until('bad', () => tree.lines('seen').length === 2);
    lose(tree);
    writeFiles(tree.directory, { go: '' });
    await tree.event('config judged bad', 'app');
    const before = performance.now();
    const { code } = await tree.ended;
    const took = performance.now() - before;
    assert.equal(code, 3);
    assert.ok(took > least && (least > 0 || took < 4000), `${took} ms`);
  });

test('nothing is started on files that are being taken back', async (t) => {
  const tree = start(t, {
    'app/run': APP.replace('sleep 0.05', 'until [ -e "$OUT/go" ]; do sleep 0.01; done'),
    // It has run that long, and would be started at once.
    'app/restart-delay': '0',
    'app/templates/app.conf.hbs': template(),
    ...kv({ v: 'one' }),
  });
  await until('one', () => tree.lines('seen').length === 1);
  writeFiles(tree.scandir, kv({ v: 'bad' }));
  await until('bad', () => tree.lines('seen').length === 2);
  const templater = tree.servicePid('templater');
  process.kill(templater, 'SIGSTOP');
  writeFiles(tree.directory, { go: '' });
  await tree.event('config judged bad', 'app');
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(tree.lines('seen'), ['one', 'bad']);
  process.kill(templater, 'SIGCONT');
  await until('the old file', () => tree.lines('seen').length === 3);
  assert.deepEqual(tree.lines('seen'), ['one', 'bad', 'one']);
});

test('kill -9 of the templater while a generation is judged: it is taken back all the same', async (t) => {
  const tree = start(t, {
    'app/run': APP.replace('sleep 0.05', 'until [ -e "$OUT/go" ]; do sleep 0.01; done'),
    'app/templates/app.conf.hbs': template(),
    'templater/restart-delay': '0',
    ...kv({ v: 'one' }),
  });
  await until('one', () => tree.lines('seen').length === 1);
  writeFiles(tree.scandir, kv({ v: 'bad' }));
  await until('bad', () => tree.lines('seen').length === 2);
  process.kill(tree.servicePid('templater'), 'SIGKILL');
  writeFiles(tree.directory, { go: '' });
  await tree.event('config judged bad', 'app');
  await until('the service on the old file', () => tree.lines('seen').at(-1) === 'one');
  await tree.event('config proved good', 'app');
  assert.equal(tree.file('app.conf'), 'one\n');
  process.kill(tree.servicePid('templater'), 'SIGKILL');
  await tree.event('started', 'templater', 3);
  await until('it to be held back again', () => tree.control('status').stdout.includes('was taken back'));
  assert.equal(tree.file('app.conf'), 'one\n');
  await until('nothing to be left', () => leftovers(tree).length === 0);
});

test('what a templater left half-done is undone, ahead of everything', async (t) => {
  const tree = start(
    t,
    {
      'app/run': APP,
      'app/templates/app.conf.hbs': template('check: ! grep bad {file}\n'),
      'templater/run':
        '#!/bin/sh\nuntil [ -e "$OUT/go" ]; do sleep 0.01; done\nexec "$NODE" "$BUNDLE" template --services ..\n',
      ...kv({ v: 'one' }),
    },
    { env: { NODE, BUNDLE } },
  );
  const hidden = (what: string): string => join(tree.directory, hiddenName('app.conf', what));
  writeFileSync(join(tree.directory, 'app.conf'), 'half');
  writeFileSync(hidden('previous'), 'one\n');
  writeFileSync(hidden('new-abc'), 'ha');
  writeFiles(tree.scandir, kv({ v: 'bad' }));
  writeFiles(tree.directory, { go: '' });
  await tree.event('found a rollout that was cut short');
  await tree.event('check failed');
  assert.equal(tree.file('app.conf'), 'one\n');
  writeFiles(tree.scandir, kv({ v: 'two' }));
  await until('two', () => tree.lines('seen').at(-1) === 'two');
  await until('nothing to be left', () => leftovers(tree).length === 0);
});

test('a take-back that fails is told, and holds nothing up: the next good value rolls out', async (t) => {
  const tree = start(t, {
    'app/run': APP.replace('sleep 0.05', 'until [ -e "$OUT/go" ]; do sleep 0.01; done'),
    'app/templates/app.conf.hbs': template(),
    ...kv({ v: 'one' }),
  });
  await until('one', () => tree.lines('seen').length === 1);
  writeFiles(tree.scandir, kv({ v: 'bad' }));
  await until('bad', () => tree.lines('seen').length === 2);
  rmSync(join(tree.directory, hiddenName('app.conf', 'previous')));
  writeFiles(tree.directory, { go: '' });
  const failed = await tree.event('could not take back', 'templater');
  assert.match(String(failed['cause']), /^cannot take .*app\.conf back: what was kept of it is gone$/);
  await until('status to say so', () => tree.control('status').stdout.includes('was bad: it exited with 3'));
  writeFiles(tree.scandir, kv({ v: 'two' }));
  await until('two', () => tree.lines('seen').at(-1) === 'two');
  await until('two to be good', () => configOf(tree).state === 'good');
  assert.equal(configOf(tree).bad, null);
  assert.equal(tree.eventsOf('could not take back').length, 1);
});

test('a service that goes, or a destination that changes, while there is something to go back to: nothing is left', async (t) => {
  const tree = start(
    t,
    {
      'app/run': APP,
      'app/templates/app.conf.hbs': template(),
      'other/run': SLEEPER,
      'other/templates/other.conf.hbs': template().replace('app.conf', 'other.conf'),
      ...kv({ v: 'one' }),
    },
    { args: ['--settle', '2s'] },
  );
  await until('one', () => tree.lines('seen').length === 1);
  await tree.event('started', 'other');
  writeFiles(tree.scandir, kv({ v: 'two' }));
  await tree.event('config changed', 'app');
  await tree.event('config changed', 'other');
  assert.equal(leftovers(tree).length, 2);
  tree.control('down', 'app');
  rmSync(join(tree.scandir, 'other'), { recursive: true });
  tree.control('rescan');
  await until('that of the other service to be gone', () => leftovers(tree).length === 1);
  assert.equal(tree.file('other.conf'), 'two\n');
  writeFiles(tree.scandir, { 'app/templates/app.conf.hbs': template().replace('app.conf', 'new.conf') });
  await until('the new file', () => tree.file('new.conf') === 'two\n');
  tree.control('up', 'app');
  await tree.event('config proved good', 'app');
  await until('nothing to be left', () => leftovers(tree).length === 0);
  assert.equal(tree.file('app.conf'), 'two\n');
});

test('the stop of the tree in the middle of a take-back: everything ends, in time', async (t) => {
  const tree = start(t, { 'app/run': APP, 'app/templates/app.conf.hbs': template(), ...kv({ v: 'one' }) });
  await until('one', () => tree.lines('seen').length === 1);
  writeFiles(tree.scandir, kv({ v: 'bad' }));
  await tree.event('config judged bad', 'app');
  tree.signal('SIGTERM');
  assert.deepEqual(await tree.ended, { code: 0, signal: null });
  assert.match(tree.file('app.conf'), /^(one|bad)\n$/);
});

test('min-interval defers, and drops nothing', async (t) => {
  const tree = start(
    t,
    {
      'app/run': APP,
      'app/templates/app.conf.hbs': template('min-interval: 2s\n'),
      ...kv({ v: 'one' }),
    },
    { args: ['--settle', '0'] },
  );
  await until('one', () => tree.lines('seen').length === 1);
  writeFiles(tree.scandir, kv({ v: 'two' }));
  const first = Date.parse((await tree.event('config changed', 'app')).time);
  writeFiles(tree.scandir, kv({ v: 'three' }));
  await until('the reason', () => tree.control('status').stdout.includes('min-interval is not over'));
  assert.equal(tree.file('app.conf'), 'two\n');
  const second = Date.parse((await tree.event('config changed', 'app', 2)).time);
  assert.ok(second - first >= 1900, `${second - first} ms`);
  await until('three', () => tree.lines('seen').at(-1) === 'three');
});

describe('a templater of the user’s own', () => {
  const own = (lines: string): Record<string, string> => ({
    'templater/run': `#!/bin/sh\nsay() { echo "{\\"type\\":\\"rendered\\",\\"service\\":\\"app\\",\\"files\\":[{\\"dest\\":\\"/x\\",\\"digest\\":\\"$1\\",\\"onChange\\":\\"restart\\"}]}" >&3; }\n${lines}\nexec sleep 1000\n`,
    'app/run': SLEEPER,
    'app/templates/x.hbs': '',
  });

  test('that says no more than it ever did goes on working', async (t) => {
    const tree = start(t, own('say 1; sleep 1.2; say 2; say 2'));
    await tree.event('started', 'app', 2);
    assert.equal(tree.eventsOf('config changed').length, 1);
    assert.equal(tree.control('check').code, 0);
  });

  test('that flaps has the service restarted no more often than restart-delay allows', async (t) => {
    const tree = start(
      t,
      own('say 0; sleep 1; for i in $(seq 1 200); do say $i; sleep 0.01; done; say last'),
    );
    await tree.event('started', 'app', 3);
    const starts = tree.eventsOf('config changed').length;
    assert.ok(starts > 50, `only ${starts} reports`);
    const times = tree.eventsOf('stopping', 'app').map(({ time }) => Date.parse(time));
    assert.ok((times[1] ?? 0) - (times[0] ?? 0) >= 990, times.join());
  });
});

describe('--gate-timeout', () => {
  const files = {
    'app/run': APP,
    'app/templates/app.conf.hbs': template(),
    ...kv({}),
  };

  test('stale: started on the file from before; what comes later is new config', async (t) => {
    const tree = start(t, { ...files, 'app/down': '' }, { args: ['--gate-timeout', '300ms:stale'] });
    writeFileSync(join(tree.directory, 'app.conf'), 'old\n');
    await tree.event('started', 'templater');
    rmSync(join(tree.scandir, 'app/down'));
    assert.equal(tree.control('rescan').code, 0);
    assert.equal(tree.control('up', 'app').code, 0);
    await until('old', () => tree.lines('seen')[0] === 'old');
    assert.equal((await tree.event('started on files from before', 'app'))['lacks'], 'key "v"');
    writeFiles(tree.scandir, kv({ v: 'new' }));
    await until('new', () => tree.lines('seen')[1] === 'new');
    writeFiles(tree.scandir, { 'app/templates/app.conf.hbs': template().replace('"v"', '"other"') });
    tree.control('rescan');
    await until('what it waits for', () =>
      /config held back: waits for key "other"/.test(tree.control('status').stdout),
    );
  });

  test('stale, but there is no file: it waits', async (t) => {
    const tree = start(t, files, { args: ['--gate-timeout', '100ms:stale'] });
    await until('the key to be named', () => tree.control('status').stdout.includes('waits for key "v"'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(tree.eventsOf('started', 'app').length, 0);
    writeFiles(tree.scandir, kv({ v: 'new' }));
    await until('new', () => tree.lines('seen')[0] === 'new');
  });

  test('fail: failed, with the reason; an order to start waits anew', async (t) => {
    const tree = start(t, files, { args: ['--gate-timeout', '300ms:fail'] });
    await until('failed', () =>
      / failed .*not rendered within 300ms: \w/.test(tree.control('status').stdout),
    );
    assert.equal(tree.control('check').code, 1);
    assert.equal(tree.control('up', 'app').code, 0);
    writeFiles(tree.scandir, kv({ v: 'new' }));
    await until('new', () => tree.lines('seen')[0] === 'new');
  });

  test('fail, and essential: the tree ends with 100', async (t) => {
    const tree = start(t, { ...files, 'app/essential': '' }, { args: ['--gate-timeout', '200ms:fail'] });
    assert.deepEqual(await tree.ended, { code: 100, signal: null });
  });
});

test('a storm of changes in Consul: the last value, and no more than one action in each --wait window', async (t) => {
  const consul = await startConsul();
  t.after(() => consul.stop());
  await consul.put('storm', '0');
  const tree = startTree(
    t,
    {
      'app/run': APP,
      'app/restart-delay': '0',
      'app/templates/app.conf.hbs': template().replace('"v"', '"storm"'),
    },
    { args: ['--settle', '0', '--wait', '200ms:500ms'], env: { CONSUL_HTTP_ADDR: consul.address } },
  );
  await until('0', () => tree.lines('seen').length === 1);
  const began = performance.now();
  let puts = 0;
  while (performance.now() - began < 2000) {
    await Promise.all(Array.from({ length: 10 }, () => consul.put('storm', String(++puts))));
  }
  await consul.put('storm', 'last');
  await until('the last', () => tree.lines('seen').at(-1) === 'last');
  const windows = Math.ceil((performance.now() - began) / 500) + 1;
  const actions = tree.eventsOf('config changed').length;
  assert.ok(actions >= 2 && actions <= windows, `${actions} actions for ${puts} puts in ${windows} windows`);
});

/** Longer with SUPERVISE_SOAK, the number of changes. */
test('kill -9 of the templater at any moment: in the end the files are whole, the service is on the last values, nothing is left', async (t) => {
  const changes = Number(process.env['SUPERVISE_SOAK'] ?? 25);
  const file = (name: string): string => `{{!--\ndest: \${OUT}/${name}\n--}}\n{{key "v"}}\n`;
  const tree = start(
    t,
    {
      'app/run': `#!/bin/sh
both="$(cat "$OUT/a")+$(cat "$OUT/b")"
echo "$both" >>"$OUT/seen"
case $both in *bad*) exit 3;; esac
exec sleep 1000
`,
      'app/restart-delay': '20ms 50ms',
      'app/templates/a.hbs': file('a'),
      'app/templates/b.hbs': file('b'),
      'templater/restart-delay': '0',
      ...kv({ v: 'v0' }),
    },
    { args: ['--settle', '60ms', '--wait', '0:0'] },
  );
  await until('v0', () => tree.lines('seen').length === 1);
  let kills = 0;
  for (let i = 1; i <= changes; i++) {
    writeFiles(tree.scandir, kv({ v: `${i % 3 === 0 ? 'bad' : 'v'}${i}` }));
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 150));
    if (i % 2 === 0) continue;
    const pid = Number(tree.eventsOf('started', 'templater').at(-1)?.['pid']);
    // It may just be about to be started again.
    if (!processes().some((each) => each.pid === pid && each.command.includes(' template '))) continue;
    process.kill(pid, 'SIGKILL');
    kills++;
  }
  assert.ok(kills > changes / 4);
  writeFiles(tree.scandir, kv({ v: 'last' }));
  await until(
    `the last values, got ${tree.lines('seen').at(-1)}`,
    () => tree.lines('seen').at(-1) === 'last+last',
  );
  assert.deepEqual([tree.file('a'), tree.file('b')], ['last\n', 'last\n']);
  await until('nothing to be left', () => leftovers(tree).length === 0 && configOf(tree).state === 'good');
  assert.equal(tree.control('check').code, 0);
});
