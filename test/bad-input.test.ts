/** What goes wrong in a services directory: the words, the exit code, and that nobody else is harmed. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Files, runTree, SLEEPER, startBundle, startTree, writeFiles } from './tree.ts';

test('a missing scandir: 100', async (t) => {
  const tree = startBundle(t, ['./no-such-dir']);
  assert.equal((await tree.ended).code, 100);
  assert.match(
    tree.noise,
    /^supervise: cannot read the services directory .*no-such-dir: no such file or directory \(ENOENT\)\n {2}hint: name one/,
  );
});

test('no scandir and no command: 100; a scandir that is a file: 100', async (t) => {
  const none = startBundle(t, []);
  assert.equal((await none.ended).code, 100);
  assert.match(
    none.noise,
    /^supervise: cannot find a services directory: there is no .\/services.d and no \/etc\/services.d\n/,
  );
  const file = startBundle(t, ['/etc/passwd']);
  assert.equal((await file.ended).code, 100);
  assert.match(
    file.noise,
    /cannot read the services directory \/etc\/passwd: a part of the path is not a directory/,
  );
});

test('an empty scandir runs, and says that it found nothing', async (t) => {
  const tree = startTree(t, {});
  await tree.event('found no services');
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
});

/** Files of the service `bad` → its complaint and hint. `DIR` stands for its directory. */
const BROKEN: [what: string, files: Files, message: string, hint?: string][] = [
  [
    'run missing',
    { 'bad/data/x': '' },
    'cannot start "bad": DIR has no run',
    'add an executable DIR/run, or remove the directory',
  ],
  [
    'run not executable',
    { 'bad/run': 'exec true\n' },
    'cannot start "bad": ./run is not executable',
    'chmod +x DIR/run',
  ],
  [
    'a bad duration',
    { 'bad/run': SLEEPER, 'bad/timeout-kill': 'soon' },
    'cannot read DIR/timeout-kill: expected a time such as 5s, got "soon"',
  ],
  [
    'a negative duration',
    { 'bad/run': SLEEPER, 'bad/timeout-finish': '-1' },
    'cannot read DIR/timeout-finish: expected a time such as 5s, got "-1"',
  ],
  [
    'no number',
    { 'bad/run': SLEEPER, 'bad/restart-limit': 'three' },
    'cannot read DIR/restart-limit: expected a whole number from 1, got "three"',
  ],
  [
    'a descriptor in use',
    { 'bad/run': SLEEPER, 'bad/notification-fd': '1' },
    'cannot read DIR/notification-fd: expected a descriptor number from 3 to 255, got "1"',
  ],
  [
    'an unknown signal',
    { 'bad/run': SLEEPER, 'bad/down-signal': 'SIGSTOPP' },
    'cannot read DIR/down-signal: expected a signal such as SIGTERM or 15, got "SIGSTOPP"',
  ],
  [
    'delays in the wrong order',
    { 'bad/run': SLEEPER, 'bad/restart-delay': '30s 1s' },
    'cannot read DIR/restart-delay: expected one or two times such as "1s 30s", the least first, got "30s 1s"',
  ],
  [
    'a setting that is a directory',
    { 'bad/run': SLEEPER, 'bad/timeout-kill/x': '' },
    'cannot read DIR/timeout-kill: it is a directory (EISDIR)',
  ],
  [
    'finish not executable',
    { 'bad/run': SLEEPER, 'bad/finish': 'true\n' },
    'cannot use DIR/finish: ./finish is not executable',
    'chmod +x DIR/finish',
  ],
  [
    'an unknown type',
    { 'bad/run': SLEEPER, 'bad/type': 'bundle' },
    'cannot read DIR/type: expected longrun or oneshot, got "bundle"',
  ],
  [
    'a user who does not exist',
    { 'bad/run': SLEEPER, 'bad/user': 'nobody-of-that-name' },
    'cannot use DIR/user: cannot find the user "nobody-of-that-name": it is not in /etc/passwd',
    'add it to the image, or give its number',
  ],
  [
    'a uid without a group',
    { 'bad/run': SLEEPER, 'bad/user': '54321' },
    'cannot use DIR/user: cannot tell the group of uid 54321: it is not in /etc/passwd',
    'write 54321:GROUP',
  ],
  [
    'a user that is none',
    { 'bad/run': SLEEPER, 'bad/user': 'a b' },
    'cannot read DIR/user: expected user or user:group, names or numbers, got "a b"',
  ],
  [
    'a check that is not executable',
    { 'bad/run': SLEEPER, 'bad/check': 'true\n' },
    'cannot use DIR/check: ./check is not executable',
    'chmod +x DIR/check',
  ],
  [
    'a health that has no shebang',
    { 'bad/run': SLEEPER, 'bad/health/x': '' },
    'cannot use DIR/health: ./health is a directory',
    'make DIR/health an executable file',
  ],
  [
    'a variable with a strange name',
    { 'bad/run': SLEEPER, 'bad/env/A=B': 'x' },
    'cannot use DIR/env/A=B: a variable\'s name has no "="',
    'rename the file',
  ],
  [
    'a variable that is a directory',
    { 'bad/run': SLEEPER, 'bad/env/A/x': 'x' },
    'cannot read DIR/env/A: it is a directory (EISDIR)',
  ],
];

for (const [what, files, message, hint] of BROKEN)
  test(`${what}: told, and no other service harmed`, async (t) => {
    const tree = startTree(t, { ...files, 'good/run': SLEEPER });
    await tree.event('started', 'good');
    const put = (text: string): string => text.replaceAll(/\bDIR\b/g, join(tree.scandir, 'bad'));
    const complaint = await tree.event(put(message), 'bad');
    assert.equal(complaint.level, 'error');
    if (hint) assert.equal(complaint['hint'], put(hint));
    assert.equal(tree.eventsOf('started', 'bad').length, 0);
    assert.equal(tree.control('check').code, 1);
    tree.signal('SIGTERM');
    assert.equal((await tree.ended).code, 0);
  });

test('run without a shebang, with CRLF, as a directory, as a dangling link', async (t) => {
  const tree = startTree(
    t,
    { 'good/run': SLEEPER, 'good/down': '', 'gate/run': SLEEPER },
    { args: ['--log-level', 'info'] },
  );
  await tree.event('started', 'gate');
  writeFiles(tree.scandir, { 'plain/run': 'echo hello\n', 'crlf/run': '#!/bin/sh\r\nexec sleep 1\r\n' });
  chmodSync(join(tree.scandir, 'plain/run'), 0o755);
  mkdirSync(join(tree.scandir, 'folder/run'), { recursive: true });
  mkdirSync(join(tree.scandir, 'link'));
  symlinkSync('nowhere', join(tree.scandir, 'link/run'));
  tree.signal('SIGHUP');
  await tree.event('rescanned');
  const hints = new Map(
    tree.events.filter(({ level }) => level === 'error').map((event) => [event.msg, event['hint']]),
  );
  const at = (name: string): string => join(tree.scandir, name, 'run');
  assert.deepEqual(
    hints,
    new Map([
      [
        'cannot start "crlf": ./run has Windows line ends (CRLF), so its interpreter is not found',
        `sed -i 's/\\r$//' ${at('crlf')}`,
      ],
      ['cannot start "folder": ./run is a directory', `make ${at('folder')} an executable file`],
      ['cannot start "link": ./run is a dangling link', `make ${at('link')} an executable file`],
      ['cannot start "plain": ./run has no shebang', `make #!/bin/sh the first line of ${at('plain')}`],
    ]),
  );
});

test('an unknown dependency and a cycle are refused before anything starts: 100', async (t) => {
  const run = '#!/bin/sh\ntouch "$OUT/started"\nexec sleep 1000\n';
  const unknown = await runTree(t, { 'web/run': run, 'web/dependencies.d/dbb': '', 'db/run': run });
  assert.equal(unknown.exit.code, 100);
  assert.equal(
    unknown.noise,
    'supervise: cannot order services: "web" depends on "dbb", which is no service\n  hint: did you mean "db"?\n',
  );
  const cycle = await runTree(t, {
    'web/run': run,
    'web/dependencies.d/db': '',
    'db/run': run,
    'db/dependencies.d/cache': '',
    'cache/run': run,
    'cache/dependencies.d/web': '',
  });
  assert.equal(cycle.exit.code, 100);
  assert.match(cycle.noise, /cannot order services: cache → web → db → cache/);
  for (const tree of [unknown, cycle]) assert.equal(tree.eventsOf('started').length, 0);
});

test('a service that depends on broken ones waits, says for what, and again when it is for less', async (t) => {
  const tree = startTree(t, {
    'web/run': SLEEPER,
    'web/dependencies.d/db': '',
    'web/dependencies.d/cache': '',
    'db/timeout-kill': 'x',
    'cache/timeout-kill': 'x',
    'good/run': SLEEPER,
  });
  await tree.event('started', 'good');
  assert.match(tree.control('check').stdout, /web: waits for cache \(refused\), db \(refused\)/);
  const waiting = await tree.event('still waiting', 'web');
  assert.equal(waiting['for'], 'cache (refused), db (refused)');
  writeFiles(tree.scandir, { 'cache/run': SLEEPER, 'cache/timeout-kill': '5s' });
  tree.control('rescan');
  assert.equal((await tree.event('still waiting', 'web', 2))['for'], 'db (refused)');
  writeFiles(tree.scandir, { 'db/run': SLEEPER, 'db/timeout-kill': '5s' });
  tree.control('rescan');
  await tree.event('started', 'web');
});

test('a name that cannot be a service is told', async (t) => {
  const tree = startTree(t, { 'my service/run': SLEEPER, 'good/run': SLEEPER });
  await tree.event('started', 'good');
  const complaint = tree.events.find(({ level }) => level === 'error');
  assert.equal(
    complaint?.msg,
    'cannot use "my service" as a service: expected a name of letters, digits and ._@:+,=-',
  );
});

test('a name that is not UTF-8 is told once, and passed over in silence by nobody', async (t) => {
  const tree = startTree(t, { 'good/run': SLEEPER });
  await tree.event('started');
  mkdirSync(Buffer.concat([Buffer.from(`${tree.scandir}/caf`), Buffer.from([0xe9])]));
  for (const verb of ['rescan', 'rescan', 'check']) tree.control(verb);
  const words =
    'cannot use "caf\ufffd" as a service: expected a name of letters, digits and ._@:+,=-; ' +
    `cannot read ${tree.scandir}/caf\ufffd: its name is not UTF-8`;
  await tree.event(words);
  assert.equal(tree.eventsOf(words).length, 1);
  assert.deepEqual(tree.control('check'), { code: 1, stdout: `caf\ufffd: ${words}\n`, stderr: '' });
  assert.match(tree.control('lint', tree.scandir).stdout, /its name is not UTF-8\n2 errors in 2 services\n$/);
});

test('hooks that are not executable, slow or failing are one warning, and delay nothing', async (t) => {
  const tree = startTree(
    t,
    {
      'app/run': '#!/bin/sh\n[ -e "$OUT/once" ] && exec sleep 1000\ntouch "$OUT/once"\nexit 1\n',
      'app/restart-delay': '10ms',
      '.supervise/crash': '#!/bin/sh\necho $$ >"$OUT/hook"\nsleep 1000\n',
      '.supervise/finish': 'no shebang, not executable\n',
    },
    { args: ['--hook-timeout', '300ms'] },
  );
  await tree.event('started', 'app', 2);
  const slow = await tree.event('killed a slow hook');
  assert.equal(slow['hook'], 'crash');
  tree.signal('SIGTERM');
  assert.equal((await tree.ended).code, 0);
  const refused = tree.eventsOf('could not run a hook');
  assert.equal(refused.length, 1);
  assert.equal(refused[0]?.['hook'], 'finish');
  assert.match(String(refused[0]?.['hint']), /^chmod \+x .*\.supervise\/finish$/);
});

test('wrong options: 100, with the words', async (t) => {
  const cases: [string[], RegExp][] = [
    [
      ['--stop-timeout', 'soon'],
      /cannot use --stop-timeout \(or SUPERVISE_STOP_TIMEOUT\): expected a time such as 5s, got "soon"/,
    ],
    [['--stopp-timeout=1s'], /no such option as --stopp-timeout \(did you mean --stop-timeout\?\)/],
    [['a', 'b'], /cannot run: unexpected "b"\n {2}hint: .*\n {2}a main command goes behind --/],
    [['--'], /cannot run: expected a command behind --/],
    [['--rewrite', 'TERM:KILL'], /expected pairs of signals such as TERM:QUIT, without KILL and STOP/],
    [['statsu'], /cannot run "statsu": no such directory, and no such verb \(did you mean "status"\?\)/],
    [['--rewrite', 'TERM=QUIT'], /expected pairs of signals such as TERM:QUIT/],
    [['help', 'satus'], /cannot help with "satus": no such topic \(did you mean "status"\?\)/],
  ];
  for (const [argv, words] of cases) {
    const tree = startBundle(t, argv);
    assert.equal((await tree.ended).code, 100, argv.join(' '));
    assert.match(tree.noise, words);
  }
});
