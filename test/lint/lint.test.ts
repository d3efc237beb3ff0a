/** Every complaint of `supervise lint`, in its exact words. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Complaint } from '../../src/lint/complaint.ts';
import type { Circumstances } from '../../src/lint/facts.ts';
import { lint } from '../../src/lint/lint.ts';
import { type Files, SLEEPER, tempDir, writeFiles } from '../tree.ts';

const CIRCUMSTANCES: Circumstances = {
  env: { PATH: '/usr/bin:/bin' },
  stopTimeout: 9000,
  source: undefined,
  helpers: undefined,
  // Not root: the modes of temporary directories are none of these tests' business.
  uid: process.geteuid?.() || 1000,
  disabled: new Set(),
  enabled: new Set(),
};

type Row = [
  severity: Complaint['severity'],
  service: string | null,
  file: string,
  problem: string,
  fix: string | null,
];

interface Case {
  what: string;
  files: Files;
  /** What cannot be written as a file. */
  also?: (scandir: string) => void;
  under?: Partial<Circumstances>;
  /** All that is found. `DIR` stands for the scandir; files are relative to it. */
  found: Row[];
}

async function find(t: TestContext, { files, also, under }: Omit<Case, 'what' | 'found'>): Promise<Row[]> {
  const scandir = join(tempDir(t), 'services');
  mkdirSync(scandir);
  writeFiles(scandir, files);
  also?.(scandir);
  const { complaints } = await lint(scandir, { ...CIRCUMSTANCES, ...under });
  const put = (text: string): string => text.replaceAll(scandir, 'DIR');
  return complaints.map(({ severity, service, file, problem, fix }) => [
    severity,
    service,
    put(file).replace(/^DIR\/?/, ''),
    put(problem),
    fix === null ? null : put(fix),
  ]);
}

const CASES: Case[] = [];
/** One complaint about one thing. */
function one(what: string, files: Files, found: Row, more: Pick<Case, 'also' | 'under'> = {}): void {
  CASES.push({ what, files, found: [found], ...more });
}
const web = (files: Files): Files => {
  const named = Object.entries(files).map(([name, text]) => [`web/${name}`, text]);
  return { 'web/run': SLEEPER, ...Object.fromEntries(named) };
};

// Programs, as boot refuses them.
one('not executable', { 'web/run': 'exec true\n' }, [
  'error',
  'web',
  'web/run',
  'cannot start "web": ./run is not executable',
  'chmod +x DIR/web/run',
]);
one('no run', { 'web/data/x': '' }, [
  'error',
  'web',
  'web',
  'cannot start "web": DIR/web has no run',
  'add an executable DIR/web/run, or remove the directory',
]);
one(
  'no shebang',
  { 'web/run': 'exec true\n' },
  [
    'error',
    'web',
    'web/run',
    'cannot start "web": ./run has no shebang',
    'make #!/bin/sh the first line of DIR/web/run',
  ],
  { also: (dir) => chmodSync(join(dir, 'web/run'), 0o755) },
);
one(
  'an empty file',
  { 'web/run': '' },
  [
    'error',
    'web',
    'web/run',
    'cannot start "web": ./run is empty',
    'make #!/bin/sh the first line of DIR/web/run',
  ],
  { also: (dir) => chmodSync(join(dir, 'web/run'), 0o755) },
);
one(
  'a byte order mark',
  { 'web/run': '\ufeff#!/bin/sh\nexec true\n' },
  [
    'error',
    'web',
    'web/run',
    'cannot start "web": ./run begins with a byte order mark (BOM)',
    "sed -i '1s/^[^#]*//' DIR/web/run",
  ],
  { also: (dir) => chmodSync(join(dir, 'web/run'), 0o755) },
);
one('CRLF', { 'web/run': '#!/bin/sh\r\nexec true\r\n' }, [
  'error',
  'web',
  'web/run',
  'cannot start "web": ./run has Windows line ends (CRLF), so its interpreter is not found',
  "sed -i 's/\\r$//' DIR/web/run",
]);
one('a directory', { 'web/run/x': '' }, [
  'error',
  'web',
  'web/run',
  'cannot start "web": ./run is a directory',
  'make DIR/web/run an executable file',
]);
one(
  'a dangling link',
  { 'web/data/x': '' },
  [
    'error',
    'web',
    'web/run',
    'cannot start "web": ./run is a dangling link',
    'make DIR/web/run an executable file',
  ],
  { also: (dir) => symlinkSync('nowhere', join(dir, 'web/run')) },
);
one(
  'no regular file',
  { 'web/data/x': '' },
  [
    'error',
    'web',
    'web/run',
    'cannot start "web": ./run is not a regular file',
    'make DIR/web/run an executable file',
  ],
  { also: (dir) => symlinkSync('/dev/null', join(dir, 'web/run')) },
);
for (const file of ['finish', 'check', 'health'])
  one(`${file} not executable`, web({ [file]: 'true\n' }), [
    'error',
    'web',
    `web/${file}`,
    `cannot use DIR/web/${file}: ./${file} is not executable`,
    `chmod +x DIR/web/${file}`,
  ]);

// Programs, as they fail when they run.
one('the interpreter is missing', { 'web/run': '#!/opt/none/python -u\n' }, [
  'error',
  'web',
  'web/run',
  'cannot execute ./run: its interpreter /opt/none/python does not exist',
  'install it, or name another in the first line of DIR/web/run',
]);
one('the interpreter is not executable', web({ finish: '#!/etc/passwd\n' }), [
  'error',
  'web',
  'web/finish',
  'cannot execute ./finish: its interpreter /etc/passwd is not executable',
  'install it, or name another in the first line of DIR/web/finish',
]);
one('no interpreter is named', { 'web/run': '#! \nexec true\n' }, [
  'error',
  'web',
  'web/run',
  'cannot execute ./run: its first line names no interpreter',
  'make #!/bin/sh the first line of DIR/web/run',
]);
one('env looks up what is not in PATH', { 'web/run': '#!/usr/bin/env no-such-python\n' }, [
  'warning',
  'web',
  'web/run',
  'cannot execute ./run: its interpreter no-such-python is not in PATH (/usr/bin:/bin)',
  'install it, name its whole path in the first line of DIR/web/run, or set PATH',
]);
one(
  'env looks it up in the service’s own PATH',
  { 'web/run': '#!/usr/bin/env sh\n', 'web/env/PATH': '/opt/bin' },
  [
    'warning',
    'web',
    'web/run',
    'cannot execute ./run: its interpreter sh is not in PATH (/opt/bin)',
    'install it, name its whole path in the first line of DIR/web/run, or set PATH',
  ],
);
one('env gets two words', { 'web/run': '#!/usr/bin/env node --watch\n' }, [
  'error',
  'web',
  'web/run',
  'cannot execute ./run: /usr/bin/env looks for a program called "node --watch"',
  '#!/usr/bin/env -S node --watch',
]);
one('CRLF further down', { 'web/run': '#!/bin/sh\necho hello\r\nexec true\n' }, [
  'error',
  'web',
  'web/run',
  'cannot execute ./run: line 2 has a Windows line end (CRLF)',
  "sed -i 's/\\r$//' DIR/web/run",
]);
one('run does not exec', { 'web/run': '#!/bin/sh\ncd /app\nnode server.js --port 80\n' }, [
  'warning',
  'web',
  'web/run',
  'cannot stop "web" gently: line 3 of ./run has no exec, so that signals end the shell and not what it runs',
  'write exec before node: exec node server.js --port 80',
]);
one('run does not exec, behind env', { 'web/run': '#!/usr/bin/env bash\nnode server.js\n' }, [
  'warning',
  'web',
  'web/run',
  'cannot stop "web" gently: line 2 of ./run has no exec, so that signals end the shell and not what it runs',
  'write exec before node: exec node server.js',
]);
one('run does not exec, behind env -S', { 'web/run': '#!/usr/bin/env -S sh -e\nnode server.js\n' }, [
  'warning',
  'web',
  'web/run',
  'cannot stop "web" gently: line 2 of ./run has no exec, so that signals end the shell and not what it runs',
  'write exec before node: exec node server.js',
]);
one('run ends in a pipe', { 'web/run': '#!/bin/sh\nnode server.js 2>&1 | tee /log\n' }, [
  'warning',
  'web',
  'web/run',
  'cannot stop "web" gently: line 2 of ./run has no exec, so that signals end the shell and not what it runs',
  'exec the program itself, and hand its output on by other means than a pipe in run',
]);
one('run goes to the background', { 'web/run': '#!/bin/sh\nnode server.js &\n' }, [
  'warning',
  'web',
  'web/run',
  'cannot keep "web" up: line 2 of ./run, its last command, goes to the background, so that run ends at once',
  'write exec before node, and no & behind it: exec node server.js',
]);

// Names and values.
one('a name that is none', { 'my web/run': SLEEPER }, [
  'error',
  'my web',
  'my web',
  'cannot use "my web" as a service: expected a name of letters, digits and ._@:+,=-',
  'rename the directory, or begin its name with a dot to have it passed over',
]);
one('the name of the main command', { '(command)/run': SLEEPER }, [
  'error',
  '(command)',
  '(command)',
  'cannot use "(command)" as a service: expected a name of letters, digits and ._@:+,=-',
  'rename the directory, or begin its name with a dot to have it passed over',
]);
for (const [file, text, expected] of [
  ['timeout-kill', 'soon', 'a time such as 5s'],
  ['restart', 'no', 'always, on-failure or never'],
  ['restart-delay', '30s 1s', 'one or two times such as "1s 30s", the least first'],
  ['restart-limit', 'three', 'a whole number from 1'],
  ['notification-fd', '1', 'a descriptor number from 3 to 255'],
  ['down-signal', 'SIGSTOPP', 'a signal such as SIGTERM or 15'],
  ['reload-signal', 'HUPP', 'a signal such as SIGTERM or 15'],
  ['type', 'bundle', 'longrun or oneshot'],
] as const)
  one(`a bad ${file}`, web({ [file]: text }), [
    'error',
    'web',
    `web/${file}`,
    `cannot read DIR/web/${file}: expected ${expected}, got ${JSON.stringify(text)}`,
    null,
  ]);
one('a setting that is a directory', web({ 'timeout-kill/x': '' }), [
  'error',
  'web',
  'web/timeout-kill',
  'cannot read DIR/web/timeout-kill: it is a directory (EISDIR)',
  null,
]);
for (const name of ['dependencies.d', 'templates', 'env'])
  one(`${name} that is a file`, web({ [name]: '' }), [
    'error',
    'web',
    `web/${name}`,
    `cannot read DIR/web/${name}: it is not a directory`,
    null,
  ]);
one('a user who does not exist', web({ user: 'nobody-of-that-name' }), [
  'error',
  'web',
  'web/user',
  'cannot use DIR/web/user: cannot find the user "nobody-of-that-name": it is not in /etc/passwd',
  'add it to the image, or give its number',
]);
one('a group that does not exist', web({ user: 'nobody:no-group-of-that-name' }), [
  'error',
  'web',
  'web/user',
  'cannot use DIR/web/user: cannot find the group "no-group-of-that-name": it is not in /etc/group',
  'add it to the image, or give its number',
]);
one('a variable with "="', web({ 'env/A=B': 'x' }), [
  'error',
  'web',
  'web/env/A=B',
  'cannot use DIR/web/env/A=B: a variable\'s name has no "="',
  'rename the file',
]);
one('a variable that no shell can read', web({ 'env/MY-PORT': '80' }), [
  'warning',
  'web',
  'web/env/MY-PORT',
  'cannot use DIR/web/env/MY-PORT: no shell can read a variable of this name',
  'name it with letters, digits and _ alone',
]);
one('a variable of two lines', web({ 'env/KEY': 'a\nb\n' }), [
  'warning',
  'web',
  'web/env/KEY',
  'cannot use DIR/web/env/KEY: it has more than one line, and the first alone is the value',
  'for a newline in the value write a NUL',
]);

// Values that say something else than was meant.
one('essential that says no', web({ essential: 'no\n' }), [
  'warning',
  'web',
  'web/essential',
  'cannot use DIR/web/essential: it says "no", but its presence alone means yes',
  'rm DIR/web/essential',
]);
one('down that is a script, as in s6-rc', web({ down: '#!/bin/sh\nexec rm -f /run/x\n' }), [
  'warning',
  'web',
  'web/down',
  'cannot use DIR/web/down: it is a script, as in s6-rc, but here its presence alone means: not started at boot',
  'put its commands into DIR/web/finish, and remove it',
]);
one('a down-signal that cannot be caught', web({ 'down-signal': 'KILL' }), [
  'warning',
  'web',
  'web/down-signal',
  'cannot use DIR/web/down-signal: SIGKILL cannot be caught, so "web" has no chance to clean up',
  'name a signal that it catches, such as SIGTERM',
]);
one('a reload-signal that cannot be caught', web({ 'reload-signal': '9' }), [
  'warning',
  'web',
  'web/reload-signal',
  'cannot use DIR/web/reload-signal: SIGKILL cannot be caught, so to reload "web" would end it',
  'name a signal that it catches, such as SIGTERM',
]);
one('a down-signal that only halts', web({ 'down-signal': 'STOP' }), [
  'warning',
  'web',
  'web/down-signal',
  'cannot use DIR/web/down-signal: SIGSTOP only halts "web"',
  'name a signal that it catches, such as SIGTERM',
]);
one('timeout-up without readiness', web({ 'timeout-up': '5s' }), [
  'warning',
  'web',
  'web/timeout-up',
  'cannot use DIR/web/timeout-up: nothing tells when "web" is ready, so it is ready once executed',
  'add DIR/web/check or DIR/web/notification-fd, or remove it',
]);
one('check and notification-fd', web({ check: SLEEPER, 'notification-fd': '3' }), [
  'warning',
  'web',
  'web/check',
  'cannot use DIR/web/check: notification-fd tells too that "web" is ready, and whichever comes first counts',
  'remove one of them',
]);
for (const file of ['notification-fd', 'check', 'health', 'reload-signal'])
  one(
    `${file} of a oneshot`,
    web({ type: 'oneshot', [file]: { 'notification-fd': '3', 'reload-signal': 'HUP' }[file] ?? SLEEPER }),
    [
      'warning',
      'web',
      `web/${file}`,
      `cannot use DIR/web/${file}: a oneshot is ready when it is done`,
      'remove it, or write longrun into the file "type"',
    ],
  );
one('health-interval without health', web({ 'health-interval': '5s' }), [
  'warning',
  'web',
  'web/health-interval',
  'cannot use DIR/web/health-interval: there is no health',
  'add an executable DIR/web/health, or remove it',
]);
one('essential and down', web({ essential: '', down: '' }), [
  'warning',
  'web',
  'web/down',
  'cannot end the tree with "web": it is essential, but not started at boot',
  'rm DIR/web/down, or DIR/web/essential',
]);

// Order.
CASES.push({
  what: 'unknown dependencies and cycles, all of them',
  files: {
    ...web({ 'dependencies.d/dbb': '', 'dependencies.d/cache': '' }),
    'db/run': SLEEPER,
    'db/dependencies.d/nothing-like-it': '',
    'cache/run': SLEEPER,
    'cache/dependencies.d/web': '',
    'self/run': SLEEPER,
    'self/dependencies.d/self': '',
  },
  found: [
    [
      'error',
      'cache',
      'cache/dependencies.d/web',
      'cannot order services: cache → web → cache',
      'remove one of these from its dependencies.d',
    ],
    [
      'error',
      'db',
      'db/dependencies.d/nothing-like-it',
      'cannot order services: "db" depends on "nothing-like-it", which is no service',
      'add the service, or remove db/dependencies.d/nothing-like-it',
    ],
    [
      'error',
      'self',
      'self/dependencies.d/self',
      'cannot order services: self → self',
      'remove one of these from its dependencies.d',
    ],
    [
      'error',
      'web',
      'web/dependencies.d/dbb',
      'cannot order services: "web" depends on "dbb", which is no service',
      'did you mean "db"?',
    ],
  ],
});
one('a dependency that is down', { ...web({ 'dependencies.d/db': '' }), 'db/run': SLEEPER, 'db/down': '' }, [
  'warning',
  'web',
  'web/dependencies.d/db',
  'cannot start "web" at boot: it waits for "db", which has a file "down"',
  'rm DIR/db/down, or: supervise up db',
]);
one('a timeout-kill above the budget', web({ 'timeout-kill': '20s' }), [
  'warning',
  'web',
  'web/timeout-kill',
  'cannot give "web" the 20.0s of DIR/web/timeout-kill: --stop-timeout 9.0s leaves 8.5s',
  'lower it, or raise --stop-timeout and the grace period of the container',
]);
CASES.push({
  what: 'a chain that takes longer than the budget',
  files: {
    ...web({ 'dependencies.d/api': '', 'timeout-kill': '1s' }),
    'api/run': SLEEPER,
    'api/finish': SLEEPER,
    'api/dependencies.d/db': '',
    'db/run': SLEEPER,
    'db/timeout-kill': '6s',
  },
  found: [
    [
      'warning',
      'db',
      'db/timeout-kill',
      'cannot give "db" the 6.0s of DIR/db/timeout-kill: web 1.0s → api 5.5s → db 6.0s make 12.5s, and --stop-timeout 9.0s leaves 8.5s',
      'lower it, or raise --stop-timeout and the grace period of the container',
    ],
  ],
});

test('a chain that is too long for a line', async (t) => {
  const files: Files = {};
  for (let i = 0; i < 12; i++) {
    files[`s${i}/run`] = SLEEPER;
    if (i > 0) files[`s${i}/dependencies.d/s${i - 1}`] = '';
  }
  const [found, ...more] = await find(t, { files: { ...files, 's3/timeout-kill': '4s' } });
  assert.deepEqual(more, []);
  assert.match(
    found?.[3] ?? '',
    /: s11 5\.0s → s10 5\.0s → s9 5\.0s → s8 5\.0s → 4 more → s3 4\.0s → s2 5\.0s → s1 5\.0s → s0 5\.0s make 59\.0s, and /,
  );
});

// What is passed over.
one('a typing mistake', web({ 'timeout-kil': '5s' }), [
  'warning',
  'web',
  'web/timeout-kil',
  'cannot use DIR/web/timeout-kil: no file of a service directory is called so (did you mean "timeout-kill"?)',
  'mv DIR/web/timeout-kil DIR/web/timeout-kill',
]);
one('a file of nobody’s', web({ 'some-other-file.cfg': '' }), [
  'note',
  'web',
  'web/some-other-file.cfg',
  'cannot use DIR/web/some-other-file.cfg: no file of a service directory is called so',
  'move it to DIR/web/data/, or remove it',
]);
one('an editor’s backup', web({ 'run~': SLEEPER }), [
  'warning',
  'web',
  'web/run~',
  'cannot use DIR/web/run~: it looks like an editor’s or a package manager’s backup',
  'rm DIR/web/run~',
]);
for (const [name, whose, instead] of [
  ['max-death-tally', 's6', 'status shows the last death, events the ones before; remove it'],
  ['lock-fd', 's6', 'what a dead run left in its process group is killed before the next one; remove it'],
  ['flag-timeout-killpg', 's6', 'timeout-kill always kills the whole process group; remove it'],
  ['supervise/status', 's6 or runit', 'it is the state of another supervisor; remove it'],
  ['event/x', 's6', 'it is the state of another supervisor; remove it'],
  ['control/t', 'runit', 'down-signal and reload-signal name other signals; or let run trap them'],
  ['conf', 'runit', 'if run reads it, keep it in data/ or write env/NAME'],
  ['up', 's6-rc', 'name it run, and write oneshot into a file "type"'],
  ['timeout-down', 's6-rc', 'name it timeout-kill'],
  ['start', 's6-rc', 'name it run, and write oneshot into a file "type" if it ends by itself'],
] as const) {
  const [file = ''] = name.split('/');
  one(`${whose}: ${file}`, web({ [name]: '1' }), [
    'warning',
    'web',
    `web/${file}`,
    `cannot use DIR/web/${file}: it is a file of ${whose}`,
    instead,
  ]);
}
for (const [name, near] of [
  ['timeout-stop', 'timeout-kill'],
  ['stop-timeout', 'timeout-kill'],
  ['kill-timeout', 'timeout-kill'],
  ['stop-signal', 'down-signal'],
  ['stopsignal', 'down-signal'],
  ['healthcheck', 'health'],
] as const)
  one(`${name} for ${near}`, web({ [name]: '1' }), [
    'warning',
    'web',
    `web/${name}`,
    `cannot use DIR/web/${name}: no file of a service directory is called so (did you mean "${near}"?)`,
    `mv DIR/web/${name} DIR/web/${near}`,
  ]);
for (const [name, near] of [
  ['depends', 'dependencies.d'],
  ['depends_on', 'dependencies.d'],
  ['environment', 'env'],
] as const) {
  const problem = `cannot use DIR/web/${name}: no file of a service directory is called so (did you mean "${near}"?)`;
  one(`a file ${name}`, web({ [name]: 'db' }), [
    'warning',
    'web',
    `web/${name}`,
    problem,
    `make DIR/web/${near} a directory of files, one for each name`,
  ]);
  one(`a directory ${name}`, web({ [`${name}/db`]: '' }), [
    'warning',
    'web',
    `web/${name}`,
    problem,
    `mv DIR/web/${name} DIR/web/${near}`,
  ]);
}
CASES.push({
  what: 'nobody waits for what is disabled',
  files: { ...web({ 'dependencies.d/db': '' }), 'db/run': SLEEPER, 'db/down': '' },
  under: { disabled: new Set(['db']) },
  found: [],
});
one(
  'a name to disable that is none',
  web({}),
  ['warning', null, '', 'cannot disable "wbe": no such service', 'did you mean "web"?'],
  { under: { disabled: new Set(['wbe']) } },
);
one('a template by another name', web({ 'templates/app.conf.ctmpl': '' }), [
  'warning',
  'web',
  'web/templates/app.conf.ctmpl',
  'cannot use DIR/web/templates/app.conf.ctmpl: templates are called *.hbs',
  'mv DIR/web/templates/app.conf.ctmpl DIR/web/templates/app.conf.ctmpl.hbs, or move it to DIR/web/data/',
]);
one('a file among the services', { ...web({}), 'notes.txt': '' }, [
  'warning',
  null,
  'notes.txt',
  'cannot use DIR/notes.txt: it is no directory, and so no service',
  'rm DIR/notes.txt, or move it away',
]);
one(
  'a dangling link among the services',
  web({}),
  ['warning', null, 'db', 'cannot use DIR/db: it is a dangling link', 'rm DIR/db'],
  { also: (dir) => symlinkSync('nowhere', join(dir, 'db')) },
);
one('a service directory in the place of the services directory', { run: SLEEPER }, [
  'warning',
  null,
  'run',
  'cannot use DIR/run: this is the services directory, and a run belongs into a directory of its own in it',
  'name the directory above DIR, or move the file to DIR/NAME/run',
]);
one('a directory that is nearly .supervise', { ...web({}), '.supervize/crash': SLEEPER }, [
  'warning',
  null,
  '.supervize',
  'cannot use DIR/.supervize: did you mean ".supervise"?',
  'mv DIR/.supervize DIR/.supervise',
]);
one('.supervise that is a file', { ...web({}), '.supervise': '' }, [
  'warning',
  null,
  '.supervise',
  'cannot use DIR/.supervise: it is no directory',
  'make it one; it holds the hooks of the tree',
]);
one(
  '.s6-svscan beside .supervise',
  { ...web({}), '.supervise/crash': SLEEPER, '.s6-svscan/crash': SLEEPER },
  [
    'warning',
    null,
    '.s6-svscan',
    'cannot use DIR/.s6-svscan: there is .supervise beside it',
    'move its hooks to DIR/.supervise',
  ],
);

// Hooks.
const hook = (name: string, text = SLEEPER): Files => ({ ...web({}), [`.supervise/${name}`]: text });
one('a hook that is not executable', hook('crash', 'true\n'), [
  'error',
  null,
  '.supervise/crash',
  'cannot run the hook "crash": ./crash is not executable',
  'chmod +x DIR/.supervise/crash',
]);
one('a hook without its interpreter', hook('SIGUSR1', '#!/opt/none\n'), [
  'error',
  null,
  '.supervise/SIGUSR1',
  'cannot execute ./SIGUSR1: its interpreter /opt/none does not exist',
  'install it, or name another in the first line of DIR/.supervise/SIGUSR1',
]);
for (const [name, cause, fix] of [
  ['crsh', 'no hook is called so (did you mean "crash"?)', 'mv DIR/.supervise/crsh DIR/.supervise/crash'],
  ['HUP', 'a hook for this signal is called SIGHUP', 'mv DIR/.supervise/HUP DIR/.supervise/SIGHUP'],
  [
    'SIGHUPP',
    'no hook is called so (did you mean "SIGHUP"?)',
    'mv DIR/.supervise/SIGHUPP DIR/.supervise/SIGHUP',
  ],
  ['SIGKILL', 'nobody can catch SIGKILL, so that it never runs', 'rm DIR/.supervise/SIGKILL'],
  ['SIGCHLD', 'supervise does not listen to SIGCHLD, so that it never runs', 'rm DIR/.supervise/SIGCHLD'],
  [
    'SIGRTMIN+3',
    'supervise does not listen to SIGRTMIN+3, so that it never runs',
    'rm DIR/.supervise/SIGRTMIN+3',
  ],
  [
    'whatever-this-is',
    'no hook is called so',
    'hooks are crash, finish, and the names of signals such as SIGUSR1',
  ],
  ['crash.bak', 'it looks like an editor’s or a package manager’s backup', 'rm DIR/.supervise/crash.bak'],
] as const)
  one(`a hook called ${name}`, hook(name), [
    'warning',
    null,
    `.supervise/${name}`,
    `cannot use DIR/.supervise/${name}: ${cause}`,
    fix,
  ]);

// Templates.
const template = (settings: string, body = ''): Files => ({
  ...web({ 'templates/a.hbs': `{{!--\n${settings}\n--}}\n${body}` }),
  '.supervise/kv.json': '{}',
});
const A = 'web/templates/a.hbs';
for (const [what, files, problem, fix] of [
  [
    'that does not compile',
    template('dest: data/a', '{{#if (env "A")}}'),
    'cannot read DIR/web/templates/a.hbs: line 4: "{{#if" has no end (expected "{{/if}}")',
    null,
  ],
  [
    'with an unknown helper',
    template('dest: data/a', '\n{{kye "a"}}'),
    'cannot read DIR/web/templates/a.hbs: line 5: unknown helper "kye" (did you mean "key"?)',
    null,
  ],
  [
    'without dest',
    template('mode: 0640'),
    'cannot read DIR/web/templates/a.hbs: expected a setting "dest", got none',
    'begin it with {{!-- dest: /etc/app.conf --}}',
  ],
  [
    'without settings',
    { ...web({ 'templates/a.hbs': 'x' }), '.supervise/kv.json': '{}' },
    'cannot read DIR/web/templates/a.hbs: expected a first comment that names its destination, got none',
    'begin it with {{!-- dest: /etc/app.conf --}}',
  ],
  [
    'with a bad mode',
    template('dest: data/a\nmode: 64'),
    'cannot read DIR/web/templates/a.hbs: expected mode to be an octal mode such as 0640, got "64"',
    null,
  ],
  [
    'with a setting that is none',
    template('dest: data/a\nonchange: none'),
    'cannot read DIR/web/templates/a.hbs: no setting is called "onchange" (did you mean "on-change"?)',
    null,
  ],
  [
    'with a variable that is not set',
    template('dest: ${APP_DIR}/a'),
    'cannot read DIR/web/templates/a.hbs: dest names the variable APP_DIR, which is not set',
    'write ${APP_DIR:-/some/default}, or set it',
  ],
  [
    'of an owner who does not exist',
    template('dest: data/a\nowner: no-such-user'),
    'cannot write DIR/web/data/a: cannot find the user "no-such-user": it is not in /etc/passwd',
    'add it to the image, or give its number',
  ],
  [
    'for a directory',
    template('dest: templates'),
    'cannot write DIR/web/templates: it is a directory (EISDIR)',
    'dest: names the file itself, not the directory to put it in',
  ],
  [
    'below a file',
    template('dest: run/a'),
    'cannot write DIR/web/run/a: a part of the path is not a directory (ENOTDIR)',
    null,
  ],
  ['for a device', template('dest: /dev/null'), 'cannot write /dev/null: it is not a regular file', null],
] as const)
  one(`a template ${what}`, files, ['error', 'web', A, problem, fix]);
one(
  'a template of an owner whom we cannot give it to',
  template('dest: data/a\nowner: 0:0'),
  [
    'error',
    'web',
    A,
    'cannot write DIR/web/data/a: cannot give it to 0:0: operation not permitted (EPERM)',
    null,
  ],
  { under: { uid: 1000 } },
);
one(
  'two templates for one file',
  { ...template('dest: data/a'), 'web/templates/b.hbs': '{{!--\ndest: data/../data/a\n--}}' },
  [
    'error',
    'web',
    'web/templates/b.hbs',
    'cannot use DIR/web/templates/b.hbs: DIR/web/templates/a.hbs already writes DIR/web/data/a',
    null,
  ],
);
one(
  'two templates for one file, by way of a link',
  { ...template('dest: data/a'), 'web/data/x': '', 'web/templates/b.hbs': '{{!--\ndest: data/link/a\n--}}' },
  [
    'error',
    'web',
    'web/templates/b.hbs',
    'cannot use DIR/web/templates/b.hbs: DIR/web/templates/a.hbs already writes DIR/web/data/link/a',
    null,
  ],
  { also: (dir) => symlinkSync('.', join(dir, 'web/data/link')) },
);
one('to reload a oneshot', { ...template('dest: data/a\non-change: reload'), 'web/type': 'oneshot' }, [
  'warning',
  'web',
  A,
  'cannot reload "web": a oneshot does not run any more when the file changes',
  'on-change: restart runs it again, on-change: none does not',
]);

// Where values come from.
for (const [name, text, cause] of [
  ['kv.json', '{"kv": ', 'line 1 of it is no JSON'],
  ['kv.json', '{"vk": {}}', 'expected kv, services or nodes, got "vk"'],
  ['kv.yaml', 'kv: {a: 1\n', 'line 2 of it is no YAML: bad indent'],
] as const)
  one(`${name}: ${cause}`, { ...web({}), [`.supervise/${name}`]: text }, [
    'error',
    null,
    `.supervise/${name}`,
    `cannot read DIR/.supervise/${name}: ${cause}`,
    null,
  ]);
one('two files of values', { ...web({}), '.supervise/kv.json': '{}', '.supervise/kv.yml': '{}' }, [
  'warning',
  null,
  '.supervise/kv.yml',
  'cannot use DIR/.supervise/kv.yml: DIR/.supervise/kv.json is read instead',
  'keep one of them',
]);
one(
  'a source that is none',
  template('dest: data/a'),
  [
    'error',
    null,
    '',
    'cannot use the source "kv.json": expected file:PATH, consul or consul:HOST:PORT',
    null,
  ],
  { under: { source: 'kv.json' } },
);
one(
  'a source file that is missing',
  template('dest: data/a'),
  ['error', null, 'none.json', 'cannot read DIR/none.json: no such file or directory (ENOENT)', null],
  { under: { source: 'file:none.json' } },
);

// Who may write and execute.
one(
  'a run that everybody may write, as root',
  web({}),
  [
    'warning',
    'web',
    'web/run',
    'cannot trust DIR/web/run: everybody may write it, and root runs it',
    'chmod o-w DIR/web/run',
  ],
  { also: (dir) => chmodSync(join(dir, 'web/run'), 0o777), under: { uid: 0 } },
);
one(
  'a scandir that everybody may write, as root',
  web({}),
  ['warning', null, '', 'cannot trust DIR: everybody may write it, and root runs it', 'chmod o-w DIR'],
  { also: (dir) => chmodSync(dir, 0o777), under: { uid: 0 } },
);

for (const { what, found, ...rest } of CASES)
  test(what, async (t) => assert.deepEqual(await find(t, rest), found));

const CLEAN: [what: string, files: Files, under?: Partial<Circumstances>][] = [
  ['a plain service', web({})],
  ['an empty scandir', {}],
  [
    'every file there is',
    {
      ...web({
        finish: SLEEPER,
        check: SLEEPER,
        health: SLEEPER,
        essential: '',
        restart: 'on-failure',
        'restart-delay': '1s 5s',
        'restart-limit': '3',
        'timeout-up': '10s',
        'timeout-kill': '4s',
        'timeout-finish': '1s',
        'down-signal': 'INT',
        'reload-signal': 'USR1',
        'health-interval': '5s',
        'health-retries': '2',
        type: 'longrun',
        'env/PORT': '80',
        'env/HOME': '',
        'dependencies.d/db': '',
        'data/x': '',
        'templates/a.hbs': '{{!-- dest: data/a --}}{{key "a"}}',
        'README.md': '',
        '.gitkeep': '',
      }),
      'db/run': SLEEPER,
      'db/type': 'oneshot',
      '.supervise/crash': SLEEPER,
      '.supervise/finish': SLEEPER,
      '.supervise/SIGUSR2': SLEEPER,
      '.supervise/kv.yaml': 'kv: {a: 1}',
      'README.md': '',
      '.git/config': '',
    },
  ],
  [
    'the built-in templater’s files',
    {
      ...web({ 'templates/a.hbs': '{{!-- dest: data/a --}}' }),
      '.supervise/kv.json': '{}',
      'templater/restart-delay': '1s',
    },
  ],
  ['no limit to a stop is no wish', web({ 'timeout-kill': '0' })],
  ['nor is what nobody wrote', { ...web({ 'dependencies.d/db': '' }), 'db/run': SLEEPER }],
  ['a larger budget', web({ 'timeout-kill': '20s' }), { stopTimeout: 30_000 }],
  [
    'a dependency that is enabled',
    { ...web({ 'dependencies.d/db': '' }), 'db/run': SLEEPER, 'db/down': '' },
    { enabled: new Set(['db']) },
  ],
  ['a oneshot ends by itself', { 'web/run': '#!/bin/sh\nmkdir -p /tmp/x\n', 'web/type': 'oneshot' }],
  ['another language', { 'web/run': `#!${process.execPath}\nnode();\n` }],
];
for (const [what, files, under = {}] of CLEAN)
  test(`nothing to say: ${what}`, async (t) => assert.deepEqual(await find(t, { files, under }), []));
