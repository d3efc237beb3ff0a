/** What docs/security.md promises, by the user ids that it speaks of. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa } from 'execa';
import { hiddenName } from '../src/templater/disk.ts';
import { createPrevious } from '../src/templater/previous.ts';
import { stage } from '../src/templater/write.ts';
import {
  BUNDLE,
  type Files,
  NODE,
  processes,
  SLEEPER,
  startTree,
  tempDir,
  until,
  writeFiles,
} from './tree.ts';

/** To be two users takes root. */
const AS_ROOT = { skip: process.getuid?.() === 0 ? false : 'not root' };

test("a socket in a shared temp directory that is somebody else's is not believed", AS_ROOT, async (t) => {
  const temp = tempDir(t);
  chmodSync(temp, 0o1777);
  const own = join(temp, `supervise-${process.getuid?.()}`);
  mkdirSync(own, { mode: 0o755 });
  const server = createServer((socket) => socket.end('{"v":1,"ok":true,"data":[]}\n'));
  await new Promise<void>((resolve) => server.listen(join(own, 'control'), resolve));
  t.after(() => server.close());
  const check = () =>
    execa(NODE, [BUNDLE, 'check'], {
      env: { PATH: process.env['PATH'], TMPDIR: temp },
      extendEnv: false,
      reject: false,
    });
  assert.equal((await check()).exitCode, 0, 'ours is');
  chownSync(own, 65534, 65534);
  const { exitCode, stderr } = await check();
  assert.equal(exitCode, 111);
  assert.match(stderr, new RegExp(`nor at ${own}/control: ${own} belongs to uid 65534`));
  chownSync(own, 0, 0);
  chmodSync(own, 0o777);
  assert.match((await check()).stderr, /others may write to/);
});

/** As PID 1 of a namespace. */
const NAMESPACE = [
  'unshare',
  ...(process.getuid?.() === 0 ? [] : ['-r']),
  '-pf',
  '--kill-child',
  '--mount-proc',
];
/** Some user who is neither root nor we. */
const STRANGER = 65_534;
const AS_STRANGER = `setpriv --reuid ${STRANGER} --regid ${STRANGER} --clear-groups`;

/** Writes what a process was given: descriptors (with that of `ls` itself), and the names of our variables. */
const TELL = `#!/bin/sh
ls /proc/self/fd | sort -n | tr '\\n' ' ' >"$OUT/fds-$TELL"
env | grep -oE '^(SUPERVISE|CONSUL)_[A-Z_]*' | sort | tr '\\n' ' ' >"$OUT/env-$TELL"
`;

const tells = (what: string, then = ''): string => TELL.replaceAll('$TELL', what) + then;

test('every program that is started has three descriptors, a run the one for readiness too, and no variable that is not its own', async (t) => {
  const files: Files = {
    'app/run': tells('run', 'echo >&4\nsleep 0.2\nexit 3\n'),
    'app/notification-fd': '4',
    'app/restart': 'on-failure',
    'app/restart-limit': '1',
    'app/finish': tells('finish'),
    'app/log/run': tells('log', 'exec cat >/dev/null\n'),
    'probed/run': SLEEPER,
    'probed/check': tells('check'),
    'probed/health': tells('health'),
    'probed/health-interval': '100ms',
    'rendered/run': SLEEPER,
    'rendered/templates/a.hbs':
      '{{!--\ndest: ${OUT}/a.conf\ncheck: ${OUT}/check-template {file}\non-change: run ${OUT}/on-change\n--}}\n{{key "a"}}\n',
    '.supervise/crash': tells('crash'),
    '.supervise/finish': tells('last'),
    '.supervise/SIGUSR2': tells('signal'),
    '.supervise/kv.json': '{"kv":{"a":"1"}}',
  };
  const out = writeFiles(tempDir(t), { 'check-template': tells('template'), 'on-change': tells('change') });
  const tree = startTree(t, files, { env: { OUT: out } });
  const told = (name: string): string => {
    try {
      return readFileSync(join(out, name), 'utf8');
    } catch {
      return '';
    }
  };
  await until('all but the last', () => {
    if (told('env-template') !== '' && told('env-change') === '')
      writeFiles(tree.scandir, { '.supervise/kv.json': `{"kv":{"a":"${Date.now()}"}}` });
    if (told('env-signal') === '' && told('env-health') !== '') tree.signal('SIGUSR2');
    return ['run', 'finish', 'log', 'check', 'health', 'template', 'change', 'crash', 'signal'].every(
      (what) => told(`env-${what}`) !== '',
    );
  });
  tree.signal('SIGTERM');
  await tree.ended;
  // What the test itself was given without the mark that closes it, everybody has.
  const { stdout } = spawnSync('sh', ['-c', 'ls /proc/self/fd'], { encoding: 'utf8' });
  const given = stdout.split('\n').filter((fd) => Number(fd) > 15);
  const own = 'SUPERVISE_LOG_FORMAT SUPERVISE_SOCKET';
  for (const what of [
    'run',
    'finish',
    'log',
    'check',
    'health',
    'template',
    'change',
    'crash',
    'last',
    'signal',
  ]) {
    const fds = told(`fds-${what}`)
      .trim()
      .split(' ')
      .filter((fd) => !given.includes(fd));
    assert.equal(fds.join(' '), what === 'run' ? '0 1 2 3 4' : '0 1 2 3', what);
    const hook =
      'SUPERVISE_DELAY_MS SUPERVISE_LOG_FORMAT SUPERVISE_NEXT SUPERVISE_RAN_MS SUPERVISE_REASON SUPERVISE_SOCKET';
    assert.equal(told(`env-${what}`).trim(), what === 'crash' ? hook : own, what);
  }
});

test(
  'a service of another user: nothing of PID 1 and of others can be read, told or stopped',
  AS_ROOT,
  async (t) => {
    const tries = `#!/bin/sh
try() { name=$1; shift; if "$@" >/dev/null 2>&1; then echo "$name: yes"; else echo "$name: no"; fi; }
{
  try environ cat /proc/1/environ
  try descriptors ls /proc/1/fd/
  try memory dd if=/proc/1/mem bs=1 count=1
  try root ls /proc/1/root/
  try kill kill -TERM 1
  try 'kill another' kill -KILL "$(cat $OUT/other)"
  try 'read the socket' test -r $SUPERVISE_SOCKET -o -w $SUPERVISE_SOCKET
  try control $CLIENT check
  try stop $CLIENT stop
  try cache ls $OUT/cache
  try 'rendered for another' cat $OUT/secret.conf
  grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status | tr -d '\\t\\n'; echo
  grep -E '^Groups' /proc/self/status
} >$OUT/answers/tmp
mv $OUT/answers/tmp $OUT/answers/all
exec sleep 1000
`;
    const out = tempDir(t);
    chmodSync(out, 0o755);
    mkdirSync(join(out, 'answers'));
    mkdirSync(join(out, 'cache'), { mode: 0o700 });
    chownSync(join(out, 'answers'), STRANGER, STRANGER);
    const tree = startTree(
      t,
      {
        'bad/run': tries,
        'bad/user': `${STRANGER}:${STRANGER}`,
        'bad/dependencies.d/other': '',
        'bad/dependencies.d/rendered': '',
        'other/run': '#!/bin/sh\necho $$ >"$OUT/other"\necho >&3\nexec sleep 1000\n',
        'other/notification-fd': '3',
        'rendered/run': SLEEPER,
        'rendered/templates/a.hbs': '{{!--\ndest: ${OUT}/secret.conf\nmode: 0600\n--}}\n{{key "a"}}\n',
        '.supervise/kv.json': '{"kv":{"a":"secret"}}',
      },
      {
        prefix: NAMESPACE,
        env: { OUT: out, CLIENT: `${NODE} ${BUNDLE}`, CONSUL_HTTP_TOKEN: 'secret' },
      },
    );
    chmodSync(tree.directory, 0o755);
    const all = join(out, 'answers/all');
    await until('the answers', () => existsSync(all));
    const answers = readFileSync(all, 'utf8');
    assert.doesNotMatch(answers, /yes/);
    assert.equal(answers.split('\n').filter((line) => line.endsWith(': no')).length, 11);
    assert.match(answers, /\nCapInh:0+CapPrm:0+CapEff:0+CapAmb:0+\nGroups:\s*\n/);
    assert.equal(tree.hasEnded, false);
  },
);

test('a service of our own user can kill all but PID 1, and what it killed is started again', async (t) => {
  const kills = `#!/bin/sh
[ -e "$OUT/done" ] && exec sleep 1000
until [ -e "$OUT/go" ]; do sleep 0.01; done
touch "$OUT/done"
kill -STOP 1; kill -KILL 1; kill -SEGV 1
kill -KILL -1
kill -KILL 0
`;
  const tree = startTree(
    t,
    { 'bad/run': kills, 'bad/restart-delay': '10ms', 'other/run': SLEEPER, 'other/restart-delay': '10ms' },
    { prefix: NAMESPACE },
  );
  await tree.event('started', 'other');
  writeFiles(tree.directory, { go: '' });
  await tree.event('started', 'other', 2);
  await tree.event('started', 'bad', 2);
  assert.equal(tree.control('check').code, 0);
});

test('no signal opens a debugger: not in the templater, and not in a verb that waits', async (t) => {
  const tree = startTree(t, {
    'app/run': SLEEPER,
    'app/templates/a.hbs': '{{!--\ndest: ${OUT}/a.conf\non-change: none\n--}}\n{{key "a"}}\n',
    '.supervise/kv.json': '{"kv":{"a":"1"}}',
  });
  await tree.event('started', 'app');
  const waits = execa(NODE, [BUNDLE, 'wait', 'app', '--for', 'down'], {
    env: { SUPERVISE_SOCKET: tree.socket },
    reject: false,
  });
  // It has listened since before it asked.
  await until('the verb to wait', () => readdirSync(`/proc/${waits.pid}/fd`).length > 15);
  assert.equal(tree.control('signal', 'USR1', 'templater').code, 0);
  process.kill(waits.pid ?? 0, 'SIGUSR1');
  writeFiles(tree.scandir, { '.supervise/kv.json': '{"kv":{"a":"2"}}' });
  await until('the new value', () => tree.file('a.conf') === '2\n');
  assert.doesNotMatch(tree.noise, /Debugger/);
  assert.equal(tree.control('down', 'app').code, 0);
  assert.equal((await waits).exitCode, 0);
  assert.doesNotMatch((await waits).stderr, /Debugger/);
});

test("the source's password is in no command line, log, status or event", async (t) => {
  const tree = startTree(
    t,
    { 'app/run': SLEEPER, 'app/templates/a.hbs': '{{!--\ndest: ${OUT}/a.conf\n--}}\n{{key "a"}}\n' },
    {
      env: {
        SUPERVISE_SOURCE: 'consul:http://user:hunter2@127.0.0.1:1',
        CONSUL_HTTP_TOKEN: 'hunter2',
        SUPERVISE_LOG_LEVEL: 'debug',
      },
    },
  );
  await tree.event('could not reach consul');
  await until('the tree to know', () => /has been away/.test(tree.control('status').stdout));
  const lines = processes().filter(({ command }) => command.includes(tree.scandir));
  assert.ok(lines.some(({ command }) => command.includes('template --services')));
  for (const { command } of lines) assert.doesNotMatch(command, /hunter2/);
  for (const verb of [
    ['status', '--json'],
    ['status', 'app', 'templater'],
    ['events', '--json'],
  ])
    assert.doesNotMatch(tree.control(...verb).stdout, /hunter2/);
  tree.signal('SIGTERM');
  await tree.ended;
  assert.doesNotMatch(tree.transcript, /hunter2/);
});

test(
  "a check reads what was rendered, whoever owns the destination's directory and is quicker",
  AS_ROOT,
  async (t) => {
    const out = tempDir(t);
    chmodSync(out, 0o755);
    mkdirSync(join(out, 'own'));
    chownSync(join(out, 'own'), STRANGER, STRANGER);
    // The owner of the directory acts while the check, which is root's, has yet to read.
    const attack = `for f in $OUT/own/.supervise-*-new-*; do mv "$f" "$f.moved"; echo evil >"$f"; done`;
    const check = `#!/bin/sh\n${AS_STRANGER} sh -c '${attack}' || exit 2\ncat "$1" >"$OUT/checked"\n`;
    const tree = startTree(
      t,
      {
        'app/run': SLEEPER,
        'app/templates/a.hbs': `{{!--\ndest: \${OUT}/own/a.conf\ncheck: \${OUT}/check {file}\n--}}\n{{key "a"}}\n`,
        '.supervise/kv.json': '{"kv":{"a":"good"}}',
      },
      { env: { OUT: writeFiles(out, { check }) } },
    );
    await tree.event('started', 'app');
    assert.equal(readFileSync(join(out, 'checked'), 'utf8'), 'good\n');
  },
);

test(
  "in a directory that is everybody's, what a stranger laid there is neither inherited nor put back",
  AS_ROOT,
  async (t) => {
    const shared = realpathSync(tempDir(t));
    chmodSync(shared, 0o1777);
    const dest = join(shared, 'app.conf');
    const target = { dest, mode: undefined, owner: undefined };
    for (const before of ['new', 'other']) {
      writeFileSync(dest, before);
      chmodSync(dest, 0o666);
      chownSync(dest, STRANGER, STRANGER);
      const staged = await stage(target, Buffer.from('new'));
      assert.equal(staged.changed, true, 'also where the bytes are the same');
      await staged.commit();
      const { uid, mode } = statSync(dest);
      assert.deepEqual([uid, mode & 0o7777], [0, 0o644]);
    }
    const kept = join(shared, hiddenName(dest, 'previous'));
    writeFileSync(kept, 'evil');
    chownSync(kept, STRANGER, STRANGER);
    const previous = createPrevious();
    assert.equal(await previous.digest(dest), undefined);
    writeFileSync(kept, 'evil');
    chownSync(kept, STRANGER, STRANGER);
    await previous.keep(dest);
    writeFileSync(`${dest}.2`, 'newer');
    renameSync(`${dest}.2`, dest);
    await previous.restore(dest);
    assert.equal(readFileSync(dest, 'utf8'), 'new');
  },
);

test(
  "a second name for a file of root's, where there can be no rename, is not written through",
  AS_ROOT,
  async (t) => {
    const at = realpathSync(tempDir(t));
    chmodSync(at, 0o755);
    mkdirSync(join(at, 'own'));
    writeFileSync(join(at, 'shadow'), 'root');
    linkSync(join(at, 'shadow'), join(at, 'own/a.conf'));
    writeFileSync(join(at, 'own/b.conf'), 'b');
    chownSync(join(at, 'own'), STRANGER, STRANGER);
    chmodSync(join(at, 'own'), 0o555);
    // Root that may not write where it has no permission, as with all capabilities dropped.
    const stageIt = join(import.meta.dirname, 'fixtures/stage.ts');
    const run = (name: string) =>
      spawnSync(
        'setpriv',
        ['--bounding-set=-dac_override,-dac_read_search', NODE, stageIt, join(at, 'own', name)],
        { encoding: 'utf8' },
      );
    assert.match(
      run('a.conf').stdout,
      /^cannot write .*a\.conf: it has another name, and its directory belongs to somebody else\n$/,
    );
    assert.equal(readFileSync(join(at, 'shadow'), 'utf8'), 'root');
    assert.equal(run('b.conf').stdout, 'written\n');
  },
);

test('a service that floods the descriptor for readiness is not read without end', async (t) => {
  const flood = '#!/bin/sh\nhead -c 4000000 /dev/zero >&3\ntouch "$OUT/all"\nexec sleep 1000\n';
  const tree = startTree(t, {
    'flood/run': flood,
    'flood/notification-fd': '3',
    'late/run': '#!/bin/sh\nhead -c 100000 /dev/zero >&3\necho >&3\nexec sleep 1000\n',
    'late/notification-fd': '3',
  });
  await tree.event('ready', 'late');
  assert.match(tree.control('status', 'flood').stdout, /complaint +nothing written to descriptor 3 yet/);
  assert.equal(tree.file('all'), '');
  assert.equal(tree.control('down', 'flood', '--wait', 'down').code, 0);
});

test('what a templater of another user says gets no variable into a hook', AS_ROOT, async (t) => {
  const says = JSON.stringify({
    type: 'rendered',
    service: 'app',
    files: [{ dest: '/x', digest: 'x', onChange: 'none' }],
    generation: 'g\0EVIL=yes',
  });
  const tree = startTree(t, {
    'templater/user': `${STRANGER}:${STRANGER}`,
    'templater/run': `#!/bin/sh\nprintf '%s\\n' '${says}' >&3\nexec sleep 1000\n`,
    'app/run': '#!/bin/sh\nexit 3\n',
    'app/restart': 'never',
    'app/templates/a.hbs': '{{!--\ndest: /x\n--}}\n',
    '.supervise/crash': '#!/bin/sh\nenv >"$OUT/env.new"\nmv "$OUT/env.new" "$OUT/env"\n',
  });
  await until('the hook', () => tree.file('env') !== '');
  assert.ok(tree.lines('env').includes('SUPERVISE_GENERATION=g\\u0000EVIL=yes'), tree.file('env'));
  assert.ok(!tree.lines('env').some((line) => line.startsWith('EVIL=')));
});

test(
  'a user or a group whose number is too large to be one is refused, and is not root',
  AS_ROOT,
  async (t) => {
    const run = '#!/bin/sh\nid >"$OUT/id"\nexec sleep 1000\n';
    const users = ['4294967294:1', '4294967296:1', '1:4294967294', '1:9999999999', '2147483648:1'];
    const files = Object.fromEntries(
      users.flatMap((user, i) => [
        [`bad${i}/run`, run],
        [`bad${i}/user`, user],
      ]),
    );
    const tree = startTree(t, { ...files, 'good/run': SLEEPER, 'good/user': '2147483647:2147483647' });
    await tree.event('started', 'good');
    for (const [i, user] of users.entries()) {
      const { stdout } = tree.control('status', `bad${i}`);
      assert.match(
        stdout,
        /problem +cannot use .*\/user: cannot run as .*: a number of a user or a group is at most 2147483647\n/,
        user,
      );
    }
    assert.equal(tree.file('id'), '');
  },
);
