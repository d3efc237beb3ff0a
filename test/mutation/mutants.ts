/**
 * Makes one mistake after the other in src/core/ and holds the tests of core against it: a mistake that no test sees is a
 * survivor. `npm run mutants [-- --file core/x.ts] [--line N] [--sample N] [--seed S] [--jobs 2]`
 *
 * Nothing is written: a mutant is a module of its own in a worker's memory (worker.ts). First the tests that bear the file's
 * name, then the others of test/core/ that load it. A mutant that never ends is stopped by its CPU time, so that a busy machine
 * kills none. Survivors that are known, and why no test can see them (survivors.ts), are passed over; a new one is named, and the
 * exit code is 1.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { API } from 'typescript/unstable/sync';
import { type Mutation, mutationsOf } from './mutations.ts';
import { SURVIVORS } from './survivors.ts';
import type { Trial, Verdict } from './worker.ts';

const ROOT = join(import.meta.dirname, '../..');
const CORE = 'src/core';
/** Data: words for help. */
const WORDS_ONLY = ['environment.ts', 'goal.ts', 'hook-docs.ts'];
/** Many times what the tests of one file take. */
const MOST_CPU_MS = 8000;
/** The kernel's clock ticks, as /proc counts CPU time. */
const TICK_MS = 10;
/** Modules are never unloaded. */
const TRIALS_EACH = 150;

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
let trials = 0;
await mustPass();
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

/** Without a mistake they must pass, or nothing that follows means anything. */
async function mustPass(): Promise<void> {
  const worker = startWorker();
  for (const file of new Set(mutants.map((mutant) => mutant.file)))
    if (!(await survives(worker, file, readCore(file))))
      throw new Error(`the tests of ${file} fail without any mistake`);
  worker.kill();
}

/** Mutants, one after the other, as long as there are any. */
async function work(): Promise<void> {
  let worker = startWorker();
  for (let count = 1, mutant = mutants.shift(); mutant; count++, mutant = mutants.shift()) {
    if (count % TRIALS_EACH === 0) worker.kill();
    if (worker.killed) worker = startWorker();
    const text = readCore(mutant.file);
    const changed = text.slice(0, mutant.start) + mutant.text + text.slice(mutant.end);
    const survived = await survives(worker, mutant.file, changed);
    results.push({ mutant, survived });
    if (survived && !isKnown(mutant)) tell(mutant);
  }
  worker.kill();
}

function startWorker(): ChildProcess {
  const program = join(import.meta.dirname, 'worker.ts');
  return spawn('nice', ['-n', '5', process.execPath, program], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

/** Whether all tests pass that load the file; one that never ends fails, and the worker with it. */
function survives(worker: ChildProcess, file: string, text: string): Promise<boolean> {
  const trial: Trial = { id: ++trials, path: join(ROOT, 'src', file), text, tests: testsOf(file) };
  return new Promise((resolve) => {
    const end = (survived: boolean): void => {
      clearInterval(watch);
      worker.off('message', answer);
      worker.off('exit', fail);
      resolve(survived);
    };
    const answer = (verdict: Verdict): void => end(verdict.survived);
    const fail = (): void => {
      worker.kill('SIGKILL');
      end(false);
    };
    let begun: number | undefined;
    const watch = setInterval(() => {
      begun ??= cpuOf(worker.pid);
      if (cpuOf(worker.pid) - begun > MOST_CPU_MS) fail();
    }, 500);
    worker.on('message', answer);
    worker.on('exit', fail);
    worker.send(trial);
  });
}

/** The CPU time of a process, in ms. */
function cpuOf(pid: number | undefined): number {
  const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const [user, system] = fields.split(' ').slice(11, 13);
  return (Number(user) + Number(system)) * TICK_MS;
}

function readCore(file: string): string {
  return readFileSync(join(ROOT, 'src', file), 'utf8');
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
    .map((name) => join(directory, name));
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
