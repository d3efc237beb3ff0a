/** `supervise template -template …` for tests: the built bundle, in a directory of the test's own. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Ended, type Files, processes, RunningTree, tempDir, until, writeFiles } from '../tree.ts';

export interface Lone extends RunningTree {
  write(files: Files): void;
  /** Waits until a file of the directory has this content. */
  until(name: string, content: string): Promise<void>;
}

export interface LoneOptions {
  env?: Record<string, string>;
  directory?: string;
  /** Programs in front of Node. */
  prefix?: string[];
  /** Where values come from, `file:kv.json` unless told otherwise. */
  source?: string[];
}

/** Starts it with these arguments on these files. Changes are gathered for a moment only. */
export function startLone(t: TestContext, files: Files, args: string[], options: LoneOptions = {}): Lone {
  const directory = options.directory ?? tempDir(t);
  writeFiles(directory, files);
  const source = options.source ?? ['--source', 'file:kv.json'];
  const run = new RunningTree(directory, directory, ['template', ...source, ...args], {
    prefix: options.prefix ?? [],
    env: { SUPERVISE_LOG_FORMAT: 'json', SUPERVISE_WAIT: '20ms:200ms', ...options.env },
  });
  t.after(async () => {
    if (!run.hasEnded) run.child.kill('SIGKILL');
    await run.ended;
  });
  return Object.assign(run, {
    write: (more: Files) => void writeFiles(directory, more),
    until: async (name: string, content: string) => {
      await until(`${name} with ${JSON.stringify(content)}`, () => run.file(name) === content).catch(
        (error: Error) => {
          throw new Error(`${error.message}\nit has: ${JSON.stringify(run.file(name))}\n${run.transcript}`);
        },
      );
    },
  });
}

/** Runs it to its end. */
export async function runLone(
  t: TestContext,
  files: Files,
  args: string[],
  options: LoneOptions = {},
): Promise<Lone & { exit: Ended }> {
  const run = startLone(t, files, args, options);
  return Object.assign(run, { exit: await run.ended });
}

/** A source file with these keys. */
export function kv(values: Record<string, unknown>): Files {
  return { 'kv.json': JSON.stringify({ kv: values }) };
}

export function exists(run: RunningTree, name: string): boolean {
  return existsSync(join(run.directory, name));
}

export function contentOf(run: RunningTree, name: string): string {
  return readFileSync(join(run.directory, name), 'utf8');
}

/** Pids of what runs a command that looks like this, from its beginning on; a zombie that nobody has waited for is none. */
export function living(command: RegExp): number[] {
  return processes().flatMap((each) => (command.test(each.command) && each.state !== 'Z' ? [each.pid] : []));
}
