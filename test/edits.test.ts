/** Edits while it runs, and switches from outside: SPEC §2, issue of a read-only image. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SLEEPER, startTree, until, writeFiles } from './tree.ts';

describe('a rescan tells which changed files take effect when', () => {
  test('in the log, to whoever asked, and as JSON', async (t) => {
    const tree = startTree(t, {
      'app/run': SLEEPER,
      'app/env/PORT': '80',
      'app/dependencies.d/db': '',
      'db/run': SLEEPER,
    });
    await tree.event('started', 'app');
    writeFileSync(join(tree.scandir, 'app/run'), '#!/bin/sh\nexec sleep 2000\n');
    writeFileSync(join(tree.scandir, 'app/env/PORT'), '81');
    writeFileSync(join(tree.scandir, 'app/timeout-kill'), '1s');
    const { stdout } = tree.control('rescan');
    assert.equal(
      stdout,
      'changed: app (env/PORT at the next start, run at the next start, timeout-kill at once)\n',
    );
    const { level, atOnce, atNextStart, hint } = await tree.event('changed', 'app');
    assert.deepEqual(
      [level, atOnce, atNextStart, hint],
      ['info', 'timeout-kill', 'env/PORT, run', 'supervise restart app'],
    );
    assert.equal(tree.eventsOf('stopping').length, 0, 'nothing is restarted by it');
    assert.equal(tree.control('rescan').stdout, 'nothing changed\n');
    rmSync(join(tree.scandir, 'app/timeout-kill'));
    assert.equal(tree.control('rescan').stdout, 'changed: app (timeout-kill at once)\n');
  });

  test('what it was started as, it is to its end', async (t) => {
    const tree = startTree(t, { 'app/run': '#!/bin/sh\ntrap "exit 0" TERM\nsleep 1000 & wait\n' });
    const { pid } = await tree.event('started', 'app');
    writeFileSync(join(tree.scandir, 'app/type'), 'oneshot');
    tree.control('rescan');
    process.kill(Number(pid), 'SIGTERM');
    await tree.event('ended', 'app');
    assert.equal(tree.eventsOf('done', 'app').length, 0);
  });

  test('so it is asked for its health, too', async (t) => {
    const tree = startTree(t, {
      'app/run': '#!/bin/sh\nuntil [ -e $OUT/go ]; do sleep 0.02; done; echo >&3; exec sleep 1000\n',
      'app/notification-fd': '3',
      'app/health': '#!/bin/sh\ntouch $OUT/asked; exit 1\n',
      'app/health-interval': '50ms',
    });
    await tree.event('started, not ready yet', 'app');
    writeFileSync(join(tree.scandir, 'app/type'), 'oneshot');
    tree.control('rescan');
    writeFileSync(join(tree.directory, 'go'), '');
    await tree.event('failed its health check', 'app');
  });
});

describe('a rescan tells what it refuses', () => {
  test('to whoever asked, with hints and exit 1; nothing of it is said to take effect until it is mended', async (t) => {
    const tree = startTree(t, { 'app/run': SLEEPER });
    await tree.event('started', 'app');
    mkdirSync(join(tree.scandir, 'new'));
    writeFileSync(join(tree.scandir, 'new/run'), SLEEPER, { mode: 0o644 });
    writeFileSync(join(tree.scandir, 'app/timeout-kill'), 'soon');
    const { code, stdout } = tree.control('rescan');
    assert.equal(code, 1);
    assert.equal(
      stdout.replaceAll(tree.scandir, 'S'),
      `added: new
changed: app
cannot read S/app/timeout-kill: expected a time such as 5s, got "soon"
cannot start "new": ./run is not executable
  hint: chmod +x S/new/run
`,
    );
    assert.equal(tree.eventsOf('changed').length, 0);
    assert.equal(tree.control('rescan').code, 1, 'as long as it is so');
    writeFileSync(join(tree.scandir, 'app/timeout-kill'), '1s');
    rmSync(join(tree.scandir, 'new'), { recursive: true });
    assert.deepEqual(tree.control('rescan'), {
      code: 0,
      stdout: 'removed: new\nchanged: app (timeout-kill at once)\n',
      stderr: '',
    });
  });
});

describe('a service directory that is half there', () => {
  test('is not started when it is whole if it was told to be down meanwhile, or before', async (t) => {
    const tree = startTree(t, { 'a/run': SLEEPER, 'b/run': 'no script', 'c/run': SLEEPER });
    await tree.event('started', 'a');
    tree.control('down', 'a', '--wait', 'down');
    chmodSync(join(tree.scandir, 'a/run'), 0o644);
    tree.control('rescan');
    tree.control('down', 'b');
    assert.match(tree.control('status').stdout, /^b +failed +down /m);
    assert.equal(tree.control('check').code, 0, 'what is broken and not wanted is no complaint');
    chmodSync(join(tree.scandir, 'a/run'), 0o755);
    writeFileSync(join(tree.scandir, 'b/run'), SLEEPER);
    chmodSync(join(tree.scandir, 'b/run'), 0o755);
    // The run of a is what it was before it was broken.
    assert.equal(tree.control('rescan').stdout, 'changed: a, b (run at the next start)\n');
    assert.match(tree.control('status').stdout, /^a +down +down .*\nb +down +down /m);
  });

  test('is told once, does not crash-loop, and is started when it is whole (rescan)', async (t) => {
    const tree = startTree(t, { 'good/run': SLEEPER });
    await tree.event('started', 'good');
    mkdirSync(join(tree.scandir, 'new'));
    tree.control('rescan');
    writeFileSync(join(tree.scandir, 'new/run'), '', { mode: 0o755 });
    tree.control('rescan');
    tree.control('rescan');
    writeFileSync(join(tree.scandir, 'new/run'), SLEEPER);
    tree.control('rescan');
    await tree.event('started', 'new');
    assert.equal(tree.eventsOf('died').length, 0);
    assert.deepEqual(
      tree.events
        .filter(({ level }) => level === 'error')
        .map(({ msg }) => msg.replaceAll(tree.scandir, 'S')),
      ['cannot start "new": S/new has no run', 'cannot start "new": ./run is empty'],
    );
  });

  test('with --watch too, piece by piece, the mode last', async (t) => {
    const tree = startTree(t, { 'good/run': SLEEPER }, { args: ['--watch', '--log-level', 'debug'] });
    await tree.event('watching');
    mkdirSync(join(tree.scandir, 'new'));
    // Longer than the quiet that a watch waits for: each step is read as it stands.
    const step = async (act: () => void): Promise<void> => {
      const scans = tree.eventsOf('rescanned').length;
      act();
      await until('it was read', () => tree.eventsOf('rescanned').length > scans);
    };
    await until('it was seen', () => tree.eventsOf('rescanned').length > 0);
    await step(() => writeFileSync(join(tree.scandir, 'new/timeout-kill'), '1s'));
    await step(() => writeFileSync(join(tree.scandir, 'new/run'), SLEEPER));
    assert.equal(tree.eventsOf('started', 'new').length, 0);
    await step(() => chmodSync(join(tree.scandir, 'new/run'), 0o755));
    await tree.event('started', 'new');
    assert.equal(tree.eventsOf('died').length, 0);
    // A watch that sees its own reading would read for ever.
    const scans = tree.eventsOf('rescanned').length;
    await sleep(600);
    assert.equal(tree.eventsOf('rescanned').length, scans);
  });
});

test('a service may have the name of what is not watched in others', async (t) => {
  const tree = startTree(
    t,
    { 'event/run': SLEEPER, 'log/run': SLEEPER },
    { args: ['--watch', '--log-level', 'debug'] },
  );
  await tree.event('watching');
  for (const [i, name] of ['event', 'log'].entries()) {
    writeFileSync(join(tree.scandir, name, 'run'), '#!/bin/sh\nexec sleep 2000\n');
    assert.equal((await tree.event('rescanned', undefined, i + 1))['changed'], name);
  }
});

describe('switches', () => {
  test('SUPERVISE_DISABLE: not started, and nobody waits for it; SUPERVISE_ENABLE: in spite of down', async (t) => {
    const tree = startTree(
      t,
      {
        'app/run': SLEEPER,
        'app/dependencies.d/db': '',
        'db/run': SLEEPER,
        'db/log/run': SLEEPER,
        'extra/run': SLEEPER,
        'extra/down': '',
        'extra/log/run': SLEEPER,
        'extra/log/down': '',
        'quiet/run': SLEEPER,
        'quiet/log/run': SLEEPER,
      },
      { env: { SUPERVISE_DISABLE: 'db quiet/log', SUPERVISE_ENABLE: 'extra,extra/log,nothing' } },
    );
    await tree.event('started', 'app');
    await tree.event('started', 'extra');
    await tree.event('disabled', 'db');
    await tree.event('enabled', 'extra');
    await tree.event('started', 'extra/log');
    await tree.event('started', 'quiet');
    for (const name of ['db', 'db/log', 'quiet/log']) assert.equal(tree.eventsOf('started', name).length, 0);
    const warning = await tree.event('found no service to enable');
    assert.deepEqual([warning.level, warning['name']], ['warn', 'nothing']);
    assert.equal(tree.control('check').code, 0);
    // It can still be ordered, and is then what it was.
    tree.control('up', 'db');
    await tree.event('started', 'db');
    tree.control('rescan');
    assert.equal(tree.eventsOf('stopping').length, 0);
  });

  test('a variable that is none of ours is told, once', async (t) => {
    const tree = startTree(
      t,
      { 'app/run': SLEEPER },
      {
        env: {
          SUPERVISE_DISABEL: 'x',
          SUPERVISE_ZZZZZZZZ: '1',
          SUPERVISE_REASON: 'a hook’s',
          SUPERVISE_LINK_FD: '',
        },
      },
    );
    const { level, names, hint } = await tree.event('passed over unknown variables');
    assert.deepEqual(
      [level, names, hint],
      ['warn', 'SUPERVISE_DISABEL, SUPERVISE_ZZZZZZZZ', 'SUPERVISE_DISABEL: did you mean SUPERVISE_DISABLE?'],
    );
  });

  test('a broken service that is disabled is nobody’s trouble', async (t) => {
    const tree = startTree(
      t,
      { 'app/run': SLEEPER, 'bad/run': 'no shebang\n', 'bad/essential': '' },
      { args: ['--disable', 'bad'] },
    );
    await tree.event('started', 'app');
    assert.equal(tree.events.filter(({ level }) => level === 'error').length, 0);
    assert.equal(tree.control('check').code, 0);
  });
});

test('a service whose link is taken away has its finish, where its run was', async (t) => {
  const tree = startTree(t, {});
  const elsewhere = join(tree.directory, 'elsewhere');
  writeFiles(elsewhere, { run: SLEEPER, finish: '#!/bin/sh\npwd -P >"$OUT/finished"\n' });
  symlinkSync(elsewhere, join(tree.scandir, 'app'));
  // Ahead of its first look, or behind it.
  await until('the control socket', () => existsSync(tree.socket));
  tree.control('rescan');
  await tree.event('started', 'app');
  unlinkSync(join(tree.scandir, 'app'));
  tree.control('rescan');
  await tree.event('stopped', 'app');
  await until('finish', () => tree.file('finished'));
  assert.equal(tree.file('finished'), `${elsewhere}\n`);
});
