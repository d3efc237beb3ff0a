/**
 * Makes one mistake after the other in src/core/ and holds the tests of core against it: a mistake that no test sees is a
 * survivor. `npm run mutants [-- --file core/x.ts] [--line N] [--sample N] [--seed S] [--jobs 2]`
 *
 * Each mutant is a copy of core in a temp directory; the worktree is never touched. First the tests that bear the file's
 * name, then the others of test/core/ that load it. A mutant that never ends is stopped by its CPU time, so that a busy
 * machine kills none. Survivors that are known, and why they are none (survivors.ts), are passed over; a new one is named, and
 * the exit code is 1.
 */
import { spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { API } from 'typescript/unstable/sync';
import { type Mutation, mutationsOf } from './mutations.ts';
import { SURVIVORS } from './survivors.ts';

const ROOT = join(import.meta.dirname, '../..');
const CORE = 'src/core';
/** Data: words for help. */
const WORDS_ONLY = ['environment.ts', 'goal.ts', 'hook-docs.ts'];
/** Ten times what the tests of core take. */
const CPU_SECONDS = 12;

interface Mutant extends Mutation {
  /** `core/x.ts` */
  file: string;
  line: number;
  /** The whole line, trimmed. */
  around: string;
}

interface Result {
  mutant: Mutant;
  survived: boolean;
}

const { values: options } = parseArgs({
  options: {
    file: { type: 'string', multiple: true, default: [] },
    line: { type: 'string', multiple: true, default: [] },
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '2' },
  },
});

const started = performance.now();
const files = readdirSync(join(ROOT, CORE)).filter((file) => !WORDS_ONLY.includes(file));
const named = options.file.map((file) => basename(file));
const unknown = named.filter((file) => !files.includes(file));
if (unknown.length > 0) throw new Error(`no file of ${CORE} that can be mutated: ${unknown.join(', ')}`);
const mutants = sample(allMutants(named.length > 0 ? named : files), options);
console.log(`${mutants.length} mutants${options.sample === undefined ? '' : `, seed ${options.seed}`}`);
const results: Result[] = [];
/** File of core → the tests that load it. */
const tests = new Map<string, readonly string[]>();
/** Test → whether it passes as things are. */
const isSound = new Map<string, Promise<boolean>>();
await Promise.all(Array.from({ length: Number(options.jobs) }, work));
process.exitCode = report();

function allMutants(names: readonly string[]): Mutant[] {
  const api = new API();
  const [project] = api.updateSnapshot({ openProjects: [join(ROOT, 'tsconfig.json')] }).getProjects();
  const all = names.flatMap((name) => {
    const source = project?.program.getSourceFile(join(ROOT, CORE, name));
    if (!source) throw new Error(`cannot parse ${CORE}/${name}`);
    const lines = source.text.split('\n');
    return mutationsOf(source)
      .map((mutation) => {
        const line = source.text.slice(0, mutation.start).split('\n').length;
        return { ...mutation, file: `core/${name}`, line, around: lines[line - 1]?.trim() ?? '' };
      })
      .filter(({ line }) => options.line.length === 0 || options.line.includes(String(line)));
  });
  api.close();
  return all;
}

function sample(
  all: Mutant[],
  { sample: size, seed }: { sample?: string | undefined; seed: string },
): Mutant[] {
  if (size === undefined) return all;
  let dice = Number(seed);
  const thrown = all.map((mutant) => {
    dice = (Math.imul(dice, 1_664_525) + 1_013_904_223) >>> 0;
    return { mutant, dice };
  });
  return thrown
    .sort((a, b) => a.dice - b.dice)
    .slice(0, Number(size))
    .map(({ mutant }) => mutant);
}

/** One worker: a copy of what the tests of core need, and mutants as long as there are any. */
async function work(): Promise<void> {
  const copy = mkdtempSync(join(tmpdir(), 'supervise-mutants-'));
  try {
    for (const path of [
      CORE,
      'src/errors.ts',
      'test/core',
      'test/nightly.ts',
      'test/mutation/bail.ts',
      'package.json',
    ]) {
      mkdirSync(dirname(join(copy, path)), { recursive: true });
      cpSync(join(ROOT, path), join(copy, path), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    // Without a mistake they must pass, or nothing that follows means anything.
    for (const test of new Set(mutants.flatMap(({ file }) => testsOf(file))))
      if (!isSound.has(test)) isSound.set(test, run(copy, test));
    for (const [test, isPassed] of isSound)
      if (!(await isPassed)) throw new Error(`${test} fails without any mistake`);
    for (let mutant = mutants.shift(); mutant; mutant = mutants.shift()) {
      const path = join(copy, 'src', mutant.file);
      const text = readFileSync(path, 'utf8');
      writeFileSync(path, text.slice(0, mutant.start) + mutant.text + text.slice(mutant.end));
      const survived = await passes(copy, mutant.file);
      writeFileSync(path, text);
      results.push({ mutant, survived });
      if (survived && !isKnown(mutant)) tell(mutant);
    }
  } finally {
    rmSync(copy, { recursive: true });
  }
}

/** Whether all tests pass that load the file. */
async function passes(copy: string, file: string): Promise<boolean> {
  for (const test of testsOf(file)) if (!(await run(copy, test))) return false;
  return true;
}

function run(copy: string, test: string): Promise<boolean> {
  return new Promise((resolve) => {
    const command = `ulimit -t ${CPU_SECONDS}; exec "$0" --import ./test/mutation/bail.ts "$1"`;
    const child = spawn('nice', ['sh', '-c', command, process.execPath, test], {
      cwd: copy,
      stdio: 'ignore',
    });
    child.once('close', (code) => resolve(code === 0));
  });
}

function testsOf(file: string): readonly string[] {
  const own = tests.get(file) ?? findTests(file);
  tests.set(file, own);
  return own;
}

/** Those of its name first. */
function findTests(file: string): string[] {
  const directory = join(ROOT, 'test/core');
  const own = basename(file, '.ts');
  return readdirSync(directory)
    .filter((name) => name.endsWith('.test.ts') && loads(join(directory, name)).has(join(ROOT, 'src', file)))
    .sort((a, b) => Number(b.startsWith(own)) - Number(a.startsWith(own)))
    .map((name) => `test/core/${name}`);
}

/** All that is loaded with a file, by its import statements. */
function loads(file: string, found = new Set<string>()): Set<string> {
  for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(/ from '(\.[^']+\.ts)';$/gm)) {
    const target = join(dirname(file), specifier);
    if (found.has(target)) continue;
    found.add(target);
    loads(target, found);
  }
  return found;
}

function report(): number {
  const survivors = results.filter(({ survived }) => survived).map(({ mutant }) => mutant);
  const fresh = survivors.filter((mutant) => !isKnown(mutant));
  for (const file of new Set(results.map(({ mutant }) => mutant.file).sort())) {
    const own = results.filter(({ mutant }) => mutant.file === file);
    const alive = own.filter(({ survived }) => survived).length;
    console.log(`${file}: killed ${own.length - alive} of ${own.length}`);
  }
  const isWhole = options.sample === undefined && named.length + options.line.length === 0;
  const stale = !isWhole
    ? []
    : Object.entries(SURVIVORS).flatMap(([file, list]) =>
        list
          .filter(
            ([around, what]) =>
              !survivors.some((each) => each.file === file && each.around === around && each.what === what),
          )
          .map(([, what]) => `${file}: ${what}`),
      );
  for (const each of stale) console.log(`listed, and killed or gone: ${each}`);
  const minutes = (performance.now() - started) / 60_000;
  console.log(
    `killed ${results.length - survivors.length} of ${results.length}, known survivors: ${survivors.length - fresh.length}, new survivors: ${fresh.length}, ${minutes.toFixed(1)} min`,
  );
  return fresh.length === 0 ? 0 : 1;
}

function isKnown({ file, around, what }: Mutant): boolean {
  return (SURVIVORS[file] ?? []).some((known) => known[0] === around && known[1] === what);
}

/** At once: a whole run takes a while. */
function tell({ file, line, what, around }: Mutant): void {
  console.log(`survived ${file}:${line} ${what}\n    ${around}`);
}
