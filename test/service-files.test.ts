/** What the files of a service directory make of it: type, check, health, env/, user. SPEC §2, with real processes. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { processes, SLEEPER, startTree, tempDir, until, writeFiles } from './tree.ts';

describe('a oneshot', () => {
  test('is run once; what depends on it starts when it is done, and it counts as well', async (t) => {
    const tree = startTree(t, {
      'migrate/run': '#!/bin/sh\necho migrate >> "$OUT/order"\n',
      'migrate/type': 'oneshot',
      'app/run': '#!/bin/sh\necho app >> "$OUT/order"\nexec sleep 1000\n',
      'app/dependencies.d/migrate': '',
    });
    await tree.event('started', 'app');
    assert.deepEqual(tree.lines('order'), ['migrate', 'app']);
    assert.ok((await tree.event('done', 'migrate'))['ranMs'] !== undefined);
    const { stdout } = tree.control('status', 'migrate', '--json');
    const [status] = JSON.parse(stdout).services;
    assert.deepEqual([status.is, status.wanted, status.pid, status.crashes], ['done', 'up', null, 0]);
    assert.equal(tree.control('check').code, 0);
    tree.signal('SIGTERM');
    assert.equal((await tree.ended).code, 0);
    assert.deepEqual(tree.lines('order'), ['migrate', 'app']);
  });

  test('that fails is named, once, and is what the others wait for; ordered again, they go on', async (t) => {
    const tree = startTree(t, {
      'migrate/run': '#!/bin/sh\ntest -e "$OUT/fixed" || exit 3\n',
      'migrate/type': 'oneshot',
      'app/run': SLEEPER,
      'app/dependencies.d/migrate': '',
    });
    const failed = await tree.event('failed', 'migrate');
    assert.equal(failed.level, 'error');
    assert.equal(failed['hint'], 'mend it, then: supervise up migrate');
    const died = await tree.event('died', 'migrate');
    assert.deepEqual([died['code'], died['next']], [3, 'failed']);
    assert.match(tree.control('status', 'app').stdout, /waits for +migrate \(failed\)/);
    assert.equal(tree.control('check').code, 1);
    writeFileSync(join(tree.directory, 'fixed'), '');
    tree.control('up', 'migrate');
    await tree.event('started', 'app');
    assert.equal(tree.eventsOf('died').length, 1);
  });

  test('that is essential ends the tree when it fails, with its code, and not when it is done', async (t) => {
    const good = startTree(t, {
      'init/run': '#!/bin/sh\n',
      'init/type': 'oneshot',
      'init/essential': '',
      'app/run': SLEEPER,
      'app/dependencies.d/init': '',
    });
    await good.event('started', 'app');
    const bad = startTree(t, {
      'init/run': '#!/bin/sh\nexit 7\n',
      'init/type': 'oneshot',
      'init/essential': '',
      'app/run': SLEEPER,
      'app/dependencies.d/init': '',
    });
    assert.equal((await bad.ended).code, 7);
    assert.equal(bad.eventsOf('started', 'app').length, 0);
    assert.equal(good.hasEnded, false);
  });

  test('in front of a main command', async (t) => {
    const tree = startTree(
      t,
      { 'init/run': '#!/bin/sh\necho init\n', 'init/type': 'oneshot' },
      { args: ['--', 'sh', '-c', 'echo main; exit 5'] },
    );
    assert.equal((await tree.ended).code, 5);
    assert.equal(tree.stdout, 'init\nmain\n');
  });

  test('that never ends is cut by timeout-up', async (t) => {
    const tree = startTree(t, {
      'init/run': SLEEPER,
      'init/type': 'oneshot',
      'init/timeout-up': '100ms',
    });
    const died = await tree.event('died', 'init');
    assert.deepEqual([died['reason'], died['next']], ['timeout-up', 'failed']);
  });
});

describe('check', () => {
  test('is asked until it says yes, and so long nobody who depends on it starts', async (t) => {
    const tree = startTree(t, {
      'db/run': SLEEPER,
      'db/check': '#!/bin/sh\necho "$1" >> "$OUT/asked"\ntest -e "$OUT/ready"\n',
      'app/run': SLEEPER,
      'app/dependencies.d/db': '',
    });
    await until('asked twice', () => tree.lines('asked').length >= 2);
    assert.deepEqual(tree.lines('asked').slice(0, 2), ['db', 'db']);
    assert.match(tree.control('status', 'app').stdout, /waits for +db \(check: exit 1\)/);
    assert.equal(tree.eventsOf('started', 'app').length, 0);
    writeFileSync(join(tree.directory, 'ready'), '');
    await tree.event('ready', 'db');
    await tree.event('started', 'app');
    const asked = tree.lines('asked').length;
    tree.control('restart', 'app');
    await tree.event('started', 'app', 2);
    assert.equal(tree.lines('asked').length, asked, 'asked although it is ready');
  });

  test('that hangs is killed with what it started, and asked again; a stop waits for none', async (t) => {
    const tree = startTree(t, {
      'db/run': SLEEPER,
      'db/check': '#!/bin/sh\necho $$ >> "$OUT/asked"\nsleep 4321 &\nwait\n',
      'db/timeout-up': '1m',
    });
    const [pid] = await until('asked', () =>
      tree.lines('asked').length > 0 ? tree.lines('asked') : undefined,
    );
    tree.signal('SIGTERM');
    assert.equal((await tree.ended).code, 0);
    assert.deepEqual(
      processes().filter((each) => each.pid === Number(pid) || each.command === 'sleep 4321'),
      [],
    );
  });

  test('that cannot be executed any more is no yes', async (t) => {
    const tree = startTree(t, {
      'db/run': SLEEPER,
      'db/check': '#!/bin/sh\necho asked >> "$OUT/asked"\nexit 1\n',
    });
    await until('asked', () => tree.lines('asked').length > 0);
    rmSync(join(tree.scandir, 'db/check'));
    await until('told', () => /check: cannot execute/.test(tree.control('status').stdout));
    assert.equal(tree.eventsOf('ready', 'db').length, 0);
  });

  test('not ready by timeout-up is a crash', async (t) => {
    const tree = startTree(t, {
      'db/run': SLEEPER,
      'db/check': '#!/bin/sh\nexit 1\n',
      'db/timeout-up': '200ms',
    });
    assert.equal((await tree.event('died', 'db'))['reason'], 'timeout-up');
  });
});

describe('health', () => {
  test('failures in a row restart the service, with the crash hook; a yes in between begins anew', async (t) => {
    const tree = startTree(t, {
      'app/run': SLEEPER,
      'app/health': `#!/bin/sh
echo asked >> "$OUT/asked"
case $(wc -l < "$OUT/asked") in 1|3|4) exit 9 ;; esac
`,
      // The ceiling of each, too: enough for a shell on a busy machine.
      'app/health-interval': '300ms',
      'app/health-retries': '2',
      '.supervise/crash': '#!/bin/sh\necho "$1 $4 $SUPERVISE_REASON" >> "$OUT/crash"\n',
    });
    const died = await tree.event('died', 'app');
    assert.deepEqual([died['reason'], died['signal'], tree.lines('asked').length], ['health', 'SIGTERM', 4]);
    await tree.event('started', 'app', 2);
    assert.equal(tree.eventsOf('failed its health check', 'app').length, 2);
    assert.equal(tree.eventsOf('passed its health check again', 'app').length, 1);
    await until('the hook', () => tree.lines('crash').length > 0);
    assert.deepEqual(tree.lines('crash'), ['app 1 health']);
  });

  test('that hangs has failed when its interval is over', async (t) => {
    const tree = startTree(t, {
      'app/run': SLEEPER,
      'app/health': '#!/bin/sh\nexec sleep 1000\n',
      'app/health-interval': '50ms',
      'app/health-retries': '1',
    });
    assert.equal((await tree.event('failed its health check', 'app'))['end'], 'timed out');
    assert.equal((await tree.event('died', 'app'))['reason'], 'health');
  });
});

describe('env/', () => {
  test('sets and takes away; first line, blanks at its end gone; for finish, check and health too', async (t) => {
    const show = 'echo "$0 [$GREETING] [${GONE-unset}] [$ÜML] [$OUTER]" >> "$OUT/env"';
    const tree = startTree(
      t,
      {
        'app/run': `#!/bin/sh\n${show.replace('$ÜML', '$MULTI')}\nexec sleep 1000\n`,
        'app/finish': `#!/bin/sh\n${show.replace('$ÜML', '$MULTI')}\n`,
        'app/check': `#!/bin/sh\n${show.replace('$ÜML', '$MULTI')}\n`,
        'app/env/GREETING': 'grüß dich  \t\nsecond line\n',
        'app/env/GONE': '',
        'app/env/MULTI': 'a\0b',
        'app/env/.hidden': 'x',
      },
      { env: { GONE: 'here', OUTER: 'kept' } },
    );
    await tree.event('ready', 'app');
    tree.control('down', 'app');
    await tree.event('stopped', 'app');
    tree.signal('SIGTERM');
    await tree.ended;
    const expected = (file: string): string => `./${file} [grüß dich] [unset] [a\nb] [kept]\n`;
    assert.equal(tree.file('env'), ['run', 'check', 'finish'].map(expected).join(''));
  });
});

const IS_ROOT = process.getuid?.() === 0;

describe('user', () => {
  const SHOW = 'echo "$0 $(id -u):$(id -g) $(id -G | tr " " ,) $HOME $USER $LOGNAME" >> "$OUT/who"';

  test('is who we are already: nothing to be done', async (t) => {
    const [uid, gid] = [process.getuid?.(), process.getgid?.()];
    const tree = startTree(t, {
      'app/run': `#!/bin/sh\n${SHOW}\nexec sleep 1000\n`,
      'app/user': `${uid}:${gid}`,
    });
    await until('it said who', () => tree.lines('who').length > 0);
    assert.match(tree.lines('who')[0] ?? '', new RegExp(`^./run ${uid}:${gid} `));
    assert.match(
      tree.control('status', 'app').stdout,
      new RegExp(`^  settings +user \\S+ \\(${uid}:${gid}\\)$`, 'm'),
    );
  });

  // Who is not root cannot become anybody; then the refusal is what there is to be seen.
  test('another one: uid, gid, home, and no groups of ours; its finish and check too', async (t) => {
    const files = {
      'app/run': `#!/bin/sh\n${SHOW}\nexec sleep 1000\n`,
      'app/check': `#!/bin/sh\n${SHOW}\n`,
      'app/user': 'nobody:nogroup',
    };
    const out = tempDir(t);
    chmodSync(out, 0o777);
    const tree = startTree(t, files, { env: { OUT: out } });
    // The scandir's parent is for one user alone; a service needs a way to its own directory.
    chmodSync(tree.directory, 0o711);
    if (!IS_ROOT) {
      assert.match(
        (await until('the refusal', () => tree.events.find(({ level }) => level === 'error'))).msg,
        /^cannot use .*\/user: cannot run as "nobody": supervise runs as uid \d+$/,
      );
      return;
    }
    const who = (): string[] => readFileSync(join(out, 'who'), 'utf8').trim().split('\n');
    await until('both', () => existsSync(join(out, 'who')) && who().length >= 2);
    const [run, check] = who();
    assert.match(run ?? '', /^\.\/run 65534:65534 65534 \S+ nobody nobody$/);
    assert.match(check ?? '', /^\.\/check 65534:65534 65534 /);
  });

  test('its supplementary groups, and readiness on a descriptor all the same', async (t) => {
    if (!IS_ROOT) return assert.notEqual(process.getuid?.(), 0, 'only root can add a user to a machine');
    const lists = writeFiles(tempDir(t), {
      passwd: 'root:x:0:0::/root:/bin/sh\napp:x:4001:4002::/srv/app:/bin/sh\n',
      group: 'app:x:4002:\nvideo:x:4003:app\naudio:x:4004:other,app\n',
    });
    const out = tempDir(t);
    chmodSync(out, 0o777);
    const mounts = ['passwd', 'group'].map((name) => `mount --bind '${lists}/${name}' /etc/${name}`);
    const tree = startTree(
      t,
      {
        'app/run': `#!/bin/sh\n${SHOW}\necho "$NODE_OPTIONS [\${GONE-unset}]" >>"$OUT/env"\necho >&5\nexec sleep 1000\n`,
        'app/user': 'app',
        'app/notification-fd': '5',
        // The user's to write, perhaps: nothing that we run with our own rights may load it.
        'app/env/NODE_OPTIONS': `--require ${writeFiles(out, { 'preload.cjs': `require('fs').writeFileSync(${JSON.stringify(join(out, 'loaded'))}, '')` })}/preload.cjs`,
        'app/env/GONE': '',
      },
      {
        env: { OUT: out, GONE: 'here' },
        prefix: ['unshare', '-m', 'sh', '-c', `${mounts.join(' && ')} && exec "$@"`, 'sh'],
      },
    );
    chmodSync(tree.directory, 0o711);
    await tree.event('ready', 'app');
    assert.equal(readFileSync(join(out, 'who'), 'utf8'), './run 4001:4002 4002,4003,4004 /srv/app app app\n');
    assert.equal(readFileSync(join(out, 'env'), 'utf8'), `--require ${out}/preload.cjs [unset]\n`);
    assert.ok(!existsSync(join(out, 'loaded')));
    const pid = tree.servicePid('app');
    assert.equal(processes().find((each) => each.pid === pid)?.command, 'sleep 1000');
    assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, 'latin1'), /SUPERVISE_EXEC_/);
  });
});
