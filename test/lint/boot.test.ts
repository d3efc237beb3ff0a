/** Whatever boot or the templater would refuse, lint complains about, in the same words; and no tree makes it throw. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { describe as inWords, UserError } from '../../src/errors.ts';
import { Hooks } from '../../src/hooks.ts';
import type { Complaint } from '../../src/lint/complaint.ts';
import { lint } from '../../src/lint/lint.ts';
import type { Log } from '../../src/log.ts';
import { readTemplates } from '../../src/templater/templates.ts';
import { Tree } from '../../src/tree.ts';

const RUNS = Number(process.env['LINT_RUNS'] ?? 150);

/** A file: its text, its mode; or a directory. */
type Entry = { text: string; mode: number } | 'directory';

const PROGRAM: fc.Arbitrary<Entry> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Entry>({ text: '#!/bin/sh\nexec true\n', mode: 0o755 }) },
  fc.constantFrom<Entry>(
    'directory',
    { text: '', mode: 0o755 },
    { text: '#!/bin/sh\nnode x\n', mode: 0o644 },
    { text: '#!/bin/sh\r\nexec true\r\n', mode: 0o755 },
    { text: '#!/opt/none\n', mode: 0o755 },
    { text: '#!', mode: 0o755 },
    { text: 'true\n', mode: 0o755 },
    { text: '\u0000\u0001', mode: 0o755 },
  ),
);
const text = (...texts: string[]): fc.Arbitrary<Entry> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...texts).map((each) => ({ text: each, mode: 0o644 })) },
    { weight: 1, arbitrary: fc.constant<Entry>('directory') },
    {
      weight: 1,
      arbitrary: fc.string({ unit: 'binary', maxLength: 20 }).map((each) => ({ text: each, mode: 0o644 })),
    },
  );
const OPTIONAL: Readonly<Record<string, fc.Arbitrary<Entry>>> = {
  finish: PROGRAM,
  check: PROGRAM,
  health: PROGRAM,
  type: text('longrun', 'oneshot', 'bundle'),
  essential: text('', 'no'),
  restart: text('always', 'never', 'perhaps'),
  'restart-delay': text('1s', '5s 1s', '1s 5s'),
  'restart-limit': text('3', '0', 'x'),
  'timeout-up': text('5s', 'soon', '0'),
  'timeout-kill': text('5s', '1m', '0', '-1'),
  'notification-fd': text('3', '1', 'x'),
  'down-signal': text('TERM', 'KILL', 'NOPE'),
  user: text('root', '0:0', 'nobody-here', 'a:b:c', '65534'),
  'env/PORT': text('80', 'a\nb', ''),
  'env/A=B': text('x'),
  'env/PORT~': text('x'),
  'templates/a.hbs': text(
    '{{!-- dest: data/a --}}',
    '{{!-- dest: ../same --}}{{key "a"}}',
    '{{#if}}',
    '{{!-- dst: x --}}',
    'x',
  ),
  'templates/b.hbs': text(
    '{{!-- dest: ../same --}}',
    '{{!-- dest: ${NOT_SET}/x --}}',
    '{{!-- dest: data --}}',
  ),
  templates: text(''),
  'dependencies.d': text(''),
  'dependencies.d/web': text(''),
  'dependencies.d/db': text(''),
  'dependencies.d/wbe': text(''),
  'timeout-kil': text('5s'),
  'run~': text(''),
  supervise: fc.constant<Entry>('directory'),
};
/** A run, and a few of the others. */
const SERVICE: fc.Arbitrary<Record<string, Entry>> = fc
  .tuple(
    fc.option(PROGRAM),
    fc.array(
      fc.oneof(...Object.entries(OPTIONAL).map(([file, entry]) => fc.tuple(fc.constant(file), entry))),
      { maxLength: 4 },
    ),
  )
  .map(([run, others]) => Object.fromEntries([...(run ? [['run', run] as const] : []), ...others]));
const TREE = fc.dictionary(
  fc.constantFrom('web', 'db', 'cache', 'templater', 'a b', '.hidden', '(command)', 'run', 'x\ny'),
  SERVICE,
  { maxKeys: 4 },
);
const HOOKS = fc.dictionary(
  fc.constantFrom('crash', 'finish', 'SIGHUP', 'SIGKILL', 'HUP', 'crsh', 'kv.json', 'kv.yaml', 'x~'),
  fc.oneof(PROGRAM, text('{}', '{"kv": {"a": 1}}', '{"kv"', 'a: [')),
  { maxKeys: 3 },
);

function build(scandir: string, path: string, entry: Entry): void {
  const full = join(scandir, path);
  try {
    mkdirSync(dirname(full), { recursive: true });
    if (entry === 'directory') mkdirSync(full);
    else writeFileSync(full, entry.text, { mode: entry.mode });
  } catch {
    // What stands in its way (a file where it wants a directory) is as good a tree.
  }
}

/** What a tree says of a scandir in which everything is down: errors by service, or its refusal. */
function boot(scandir: string): { errors: Map<string, string[]>; refusal: UserError | undefined } {
  const errors = new Map<string, string[]>();
  const make = (): Log => ({
    debug() {},
    info() {},
    warn() {},
    error(message, fields) {
      const service = String(fields?.['service']);
      errors.set(service, [...(errors.get(service) ?? []), message, String(fields?.['hint'] ?? '')]);
    },
    child: make,
  });
  const log = make();
  const tree = new Tree({
    scandirs: [scandir],
    package: undefined,
    command: undefined,
    hasTerminal: false,
    settle: 0,
    gatePolicy: undefined,
    disabled: new Set(),
    enabled: new Set(),
    program: ['/bin/false'],
    templater: ['/bin/false'],
    log,
    hooks: new Hooks(1000, log),
    outputs: undefined,
    native: undefined,
    isOutOfMemory: () => false,
  });
  try {
    tree.start();
    return { errors, refusal: undefined };
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    return { errors, refusal: error };
  }
}

test('what boot refuses, lint says too', async () => {
  const root = mkdtempSync(join(tmpdir(), 'supervise-test-'));
  let n = 0;
  let refusals = 0;
  let errors = 0;
  try {
    await fc.assert(
      fc.asyncProperty(TREE, HOOKS, async (services, hooks) => {
        const scandir = join(root, String(n++));
        mkdirSync(scandir);
        build(scandir, 'templater/down', { text: '', mode: 0o644 });
        for (const [name, entry] of Object.entries(hooks)) build(scandir, `.supervise/${name}`, entry);
        for (const [name, files] of Object.entries(services))
          for (const [file, entry] of Object.entries({ ...files, down: { text: '', mode: 0o644 } }))
            build(scandir, join(name, file), entry as Entry);

        const { complaints } = await lint(scandir, {
          env: {},
          stopTimeout: 9000,
          source: undefined,
          helpers: undefined,
          uid: process.geteuid?.() ?? 0,
          disabled: new Set(),
          enabled: new Set(),
        });
        const said = complaints.filter(({ severity }) => severity === 'error');
        const { errors: told, refusal } = boot(scandir);
        if (refusal) {
          refusals++;
          // One complaint, or those of an essential service together.
          const parts = refusal.message.split('; ');
          for (const part of parts)
            assert.ok(
              said.some(({ problem }) => problem === part),
              `refused: ${part}`,
            );
        }
        for (const [service, [message = '', hint = '']] of told) {
          errors++;
          const own = said.filter((each) => each.service === service && isBoots(each, message));
          assert.equal(
            message,
            joined(
              own.map(({ problem }) => problem),
              message,
            ),
            service,
          );
          assert.deepEqual(own.flatMap(({ fix }) => fix ?? []).sort(), hint ? hint.split('; ').sort() : []);
        }
        const { templates } = await readTemplates([scandir], {});
        for (const { problem, file } of templates)
          if (problem !== undefined)
            assert.ok(
              said.some((each) => each.file === file && [spoken(each), each.problem].includes(problem)),
              `template: ${problem}`,
            );
        for (const each of complaints) {
          assert.match(each.problem, /^cannot \S+ .*: |^cannot \S+ .*/s);
          // A directory on the way to it may be closed to a service's user.
          assert.ok(each.file.startsWith(scandir) || scandir.startsWith(each.file), each.file);
        }
        rmSync(scandir, { recursive: true });
      }),
      { numRuns: RUNS },
    );
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  assert.ok(
    refusals > RUNS / 20 && errors > RUNS / 4,
    `the trees are too good: ${refusals} refusals, ${errors} errors`,
  );
});

function isBoots({ problem }: Complaint, message: string): boolean {
  return message.split('; ').includes(problem) || message === problem;
}

/** Boot joins a service's problems as they were found; lint sorts them by file. */
function joined(problems: readonly string[], message: string): string {
  const parts = [...problems];
  const order = message.split('; ');
  return parts.sort((a, b) => order.indexOf(a) - order.indexOf(b)).join('; ');
}

function spoken({ problem, fix }: Complaint): string {
  return inWords(new UserError(problem, fix === null ? {} : { hint: fix }));
}
