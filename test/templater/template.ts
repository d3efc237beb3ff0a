/** `supervise template` for tests: run in this process, on files of the test's own, with the tree's end of its link. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { decodeReport, encode, LINK_ENV, type Report } from '../../src/core/link.ts';
import { type Files, tempDir, until, writeFiles } from '../tree.ts';

export interface RunningTemplater {
  /** The scandir, which is also where the test's own files are. */
  directory: string;
  reports: Report[];
  /** Its log, as events. */
  events: Record<string, unknown>[];
  /** What came on stderr and is no event. */
  noise(): string;
  pid: number;
  ended: Promise<number | null>;
  /** Waits for the nth report (from 1) that fits. */
  report<T extends Report['type']>(
    type: T,
    count?: number,
    service?: string,
  ): Promise<Extract<Report, { type: T }>>;
  count(type: Report['type'], service?: string): number;
  event(msg: string, count?: number): Promise<Record<string, unknown>>;
  /** Waits until a file has this content. */
  file(name: string, content: string): Promise<void>;
  read(name: string): string | undefined;
  write(files: Files): void;
  rescan(): void;
  kill(signal: NodeJS.Signals): void;
  /** Closes the tree's end of the link, as its death does. */
  hangUp(): void;
}

const MAIN = join(import.meta.dirname, 'fixtures/template-main.ts');

/** Starts the templater on a scandir made of these files, linked as by a tree. `OUT` is the scandir's `out` directory. */
export function startTemplater(
  t: TestContext,
  files: Files,
  { env = {}, args = [], prefix = [], directory = tempDir(t) }: StartOptions = {},
): RunningTemplater {
  writeFiles(directory, files);
  const [file = '', ...rest] = [...prefix, process.execPath, MAIN, '--services', directory, ...args];
  const child = spawn(file, rest, {
    env: {
      PATH: process.env['PATH'],
      OUT: join(directory, 'out'),
      SUPERVISE_WAIT: '20ms:200ms',
      [LINK_ENV]: '3',
      ...env,
    },
    stdio: ['ignore', 'inherit', 'pipe', 'pipe'],
  });
  const reports: Report[] = [];
  const events: Record<string, unknown>[] = [];
  let noise = '';
  const lines = (take: (line: string) => void): ((text: string) => void) => {
    let held = '';
    return (text) => {
      const all = (held + text).split('\n');
      held = all.pop() ?? '';
      for (const line of all) take(line);
    };
  };
  const link = child.stdio[3] as import('node:net').Socket;
  link.write(encode({ type: 'judgements', services: [] }));
  link.setEncoding('utf8').on(
    'data',
    lines((line) => reports.push(decodeReport(line) ?? fail(line))),
  );
  link.on('error', () => {});
  child.stderr?.setEncoding('utf8').on(
    'data',
    lines((line) => {
      try {
        events.push(JSON.parse(line));
      } catch {
        noise += `${line}\n`;
      }
    }),
  );
  const ended = once(child, 'close').then(([code]) => code as number | null);
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const transcript = (): string =>
    [...reports, ...events].map((each) => JSON.stringify(each)).join('\n') + noise;
  const patiently = async <T>(what: string, probe: () => T): Promise<NonNullable<T>> =>
    until(what, probe).catch((error: Error) => {
      throw new Error(`${error.message}\n${transcript()}`);
    });
  const matching = (type: Report['type'], service?: string): Report[] =>
    reports.filter(
      (each) => each.type === type && (!service || ('service' in each && each.service === service)),
    );
  const read = (name: string): string | undefined =>
    existsSync(join(directory, name)) ? readFileSync(join(directory, name), 'utf8') : undefined;
  return {
    directory,
    reports,
    events,
    noise: () => noise,
    pid: child.pid ?? 0,
    ended,
    report: async <T extends Report['type']>(type: T, count = 1, service?: string) =>
      (await patiently(`${count} × ${type}`, () => matching(type, service)[count - 1])) as Extract<
        Report,
        { type: T }
      >,
    count: (type, service) => matching(type, service).length,
    event: (msg, count = 1) =>
      patiently(`${count} × "${msg}"`, () => events.filter((each) => each['msg'] === msg)[count - 1]),
    async file(name, content) {
      await patiently(`${name} with ${JSON.stringify(content)}`, () => read(name) === content).catch(
        (error: Error) => {
          throw new Error(`${error.message}\nit has: ${JSON.stringify(read(name))}`);
        },
      );
    },
    read,
    write: (more) => void writeFiles(directory, more),
    rescan: () => void link.write(encode({ type: 'rescan' })),
    kill: (signal) => void child.kill(signal),
    hangUp: () => link.destroy(),
  };
}

export interface StartOptions {
  env?: Record<string, string>;
  args?: string[];
  /** Programs in front of Node: `unshare` … */
  prefix?: string[];
  directory?: string;
}

/** A template with these settings. */
export function hbs(settings: Record<string, string>, body: string): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name}: ${value}\n`);
  return `{{!--\n${lines.join('')}--}}\n${body}`;
}

function fail(line: string): never {
  throw new Error(`not a report: ${line}`);
}
