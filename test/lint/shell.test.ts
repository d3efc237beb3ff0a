/** How scripts end. Each row was also a question of taste: a script that is right must never be complained about. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { endings } from '../../src/lint/shell.ts';

/** The endings as `line: command`, `&` for what is left in the background, `|` for a pipeline. */
function found(script: string): string[] {
  return endings(`#!/bin/sh\n${script}`).map(
    ({ how, command, line, piped }) =>
      `${line}: ${command}${how === 'leaves' ? ' &' : ''}${piped ? ' |' : ''}`,
  );
}

describe('a last command without exec', () => {
  const rows: [what: string, script: string, ...found: string[]][] = [
    ['plain', 'node server.js\n', '2: node server.js'],
    ['without a newline at the end', 'cd /app\nnode server.js', '3: node server.js'],
    ['behind comments and blank lines', 'node a.js\n\n# exec node a.js\n', '2: node a.js'],
    [
      'with variables set for it',
      'PORT=80 HOST="a b" node a.js',
      '2: node a.js'.replace('node', 'PORT=80 HOST="a b" node'),
    ],
    ['with redirections', '>/dev/null node a.js 2>&1 </dev/null', '2: node a.js'],
    ['behind &&', 'cd /app && node a.js', '2: node a.js'],
    [
      'over several lines',
      'cd /app\nnode a.js \\\n  --port 80 \\\n  --host x\n',
      '3: node a.js --port 80 --host x',
    ],
    ['a path', '/usr/sbin/nginx -g "daemon off;"', '2: /usr/sbin/nginx -g "daemon off;"'],
    ['a path from a variable', '"$JAVA_HOME"/bin/java -jar x.jar', '2: "$JAVA_HOME"/bin/java -jar x.jar'],
    ['with a heredoc', "tee <<'EOF'\nexec node\nEOF\n", '2: tee'],
    ['behind a heredoc', 'cat >x <<-END\n\tif [ a\n\tEND\nnode a.js\n', '5: node a.js'],
    [
      'of both branches',
      'if [ "$D" ]; then\n  node --inspect a.js\nelse\n  node a.js\nfi\n',
      '3: node --inspect a.js',
      '5: node a.js',
    ],
    [
      'of one branch',
      'if [ "$D" ]; then\n  node --inspect a.js\nelse\n  exec node a.js\nfi\n',
      '3: node --inspect a.js',
    ],
    [
      'of a case',
      'case $1 in\n  a|b) node a.js ;;\n  (c) exec node c.js ;;\n  *) echo what; exit 1\nesac',
      '3: node a.js',
    ],
    ['of a function', 'main() {\n  node a.js\n}\nmain "$@"\n', '3: node a.js'],
    ['of a function, as bash writes it', 'function main {\n  node a.js\n}\nmain\n', '3: node a.js'],
    ['in braces', '{ echo hello; node a.js; } 2>&1', '2: node a.js'],
    ['whose code is handed on', 'node a.js\nexit $?\n', '2: node a.js'],
    ['of a pipeline', 'node a.js 2>&1 | tee /log', '2: tee /log |'],
    ['in the background', 'node a.js &\n', '2: node a.js &'],
    ['behind another user’s shoes', 'su-exec app node a.js', '2: su-exec app node a.js'],
    ['behind a loop', 'for i in 1 2 3; do ping -c1 db && break; done\nnode a.js', '3: node a.js'],
    ['behind a substitution', 'x=$(sed -n "s/)//p" <<END\nEND\n)\nnode a.js', '5: node a.js'],
    ['behind arithmetic', 'i=$((1 + (2)))\nnode a.js', '3: node a.js'],
    ['behind an array', 'args=(--port "80")\nnode a.js "${args[@]}"', '3: node a.js "${args[@]}"'],
  ];
  for (const [what, script, ...expected] of rows) test(what, () => assert.deepEqual(found(script), expected));
});

test('exec belongs behind the variables that are set for the command', () => {
  const [ending] = endings('#!/bin/sh\nA=1 B="x y" node a.js >log\n');
  assert.equal(ending?.better, 'A=1 B="x y" exec node a.js');
  assert.equal(ending?.program, 'node');
});

describe('nothing to say', () => {
  const rows: [what: string, script: string][] = [
    ['exec', 'cd /app\nexec node a.js\n'],
    ['exec behind &&', 'cd /app && exec node a.js'],
    ['exec with variables', 'PORT=80 exec node a.js'],
    ['exec over several lines', 'exec \\\n  node \\\n  a.js\n'],
    ['exec with a heredoc', 'exec cat <<END\nnode a.js\nEND\n'],
    ['exec in every branch', 'if a; then exec b; elif c; then exec d; else exec e; fi'],
    ['exec in the last if, and nothing else there', 'if [ -x /app ]; then exec /app; fi\n'],
    ['exec in a function', 'run() {\n  exec node\n}\nrun\n'],
    ['exec ahead of a message', 'exec node a.js\n'],
    ['an end of its own', 'echo no app here\nexit 1\n'],
    ['a check at the end', 'node --version || exit 1\n'],
    ['a trap', 'trap "kill $pid" TERM\nnode a.js & pid=$!\nsleep 1\nnode b.js\n'],
    ['a wait', 'node a.js &\nnode b.js &\nwait\n'],
    ['a loop', 'while :; do\n  echo hi\n  sleep 5\ndone\n'],
    ['a for loop', 'for ((i = 0; i < 3; i++)); do sleep 1; done'],
    ['a builtin', 'touch x\nread line\n'],
    ['another file', '. ./common.sh\n'],
    ['what may hold exec', '$cmd node a.js'],
    ['its own arguments', '"$@"'],
    ['a subshell', '(cd /app && exec node a.js)'],
    ['no commands', '# nothing\n'],
    ['an empty file', ''],
    ['only an assignment', 'a=1\n'],
    ['an open quote', 'node "a.js\n'],
    ['an open if', 'if true; then\nnode a.js\n'],
    ['a stray fi', 'fi\nnode a.js\n'],
    ['bash that we do not know', 'coproc node a.js\n'],
    ['functions that call each other', 'a() { b; }\nb() { a; }\na\n'],
  ];
  for (const [what, script] of rows) test(what, () => assert.deepEqual(found(script), []));
});

test('no text makes it throw, or hang', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      ...'if then else elif fi case in esac do done while for { } ( ) ; & && | \n < << > # \' " ` $( ${ $(( (( \\ exec a b=c 1 <<E E'.split(
        ' ',
      ),
      ' ',
      '\n',
    ),
    fc.string({ maxLength: 3 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      endings(pieces.join(' '));
    }),
    { numRuns: 3000 },
  );
});
