import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ms } from '../core/duration.ts';
import type { Judgement, Report } from '../core/link.ts';
import type { UserError } from '../errors.ts';
import { createLog } from '../log.ts';
import type { Native } from '../os/native.ts';
import { descriptor, lineSink } from '../os/stderr.ts';
import { createLonelyReporter } from '../templater/alone.ts';
import { openLink } from '../templater/link.ts';
import { HELP, parseOptions } from '../templater/options.ts';
import { chooseSource, openSource } from '../templater/source/choose.ts';
import type { SourceState } from '../templater/source/source.ts';
import { createTemplater, type Templater } from '../templater/templater.ts';

/** A tree speaks at once; whatever else may be at the other end of the link is not waited for longer. */
const GREETING: Ms = 1000;

/** What the verb takes from the process, so that a test can give it something else. */
export interface TemplateIo {
  env: Readonly<Record<string, string | undefined>>;
  terminal: boolean;
  stdout: (text: string) => void;
  stderr: (text: string) => void;
}

/**
 * `supervise template`: the templater, as the service `templater` of a tree (which hands down the link, core/link.ts)
 * or alone.
 *
 * SIGTERM and SIGINT end it; SIGHUP, or the tree's order, has it read the templates again; the end of the link, which is
 * the end of the tree, ends it too.
 * @returns the exit code
 * @throws UserError for a wrong command line, or when there is nothing to get values from
 */
export async function template(argv: string[], io?: TemplateIo, native?: Native): Promise<number> {
  const sink = lineSink(descriptor(2, native && ((fd) => native.writable(fd) !== 0)));
  try {
    return await follow(argv, io ?? processIo(sink.write));
  } finally {
    sink.flush();
  }
}

async function follow(argv: string[], io: TemplateIo): Promise<number> {
  const options = parseOptions(argv, io.env, io.terminal);
  if (options.help) {
    io.stdout(HELP);
    return 0;
  }
  const root = createLog({ format: options.logFormat, level: options.logLevel, write: io.stderr });
  const log = root.child({ service: 'templater' });
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  let templater: Templater | undefined;
  const onHup = (): void => templater?.rescan();
  const choice = chooseSource({ ...options, env: io.env });
  /** How the configs stand, as the tree says first of all: without it a generation could be tried that is known to be bad. */
  const early: Judgement[] = [];
  const greeted = Promise.withResolvers<void>();
  const link = openLink(
    io.env,
    (order) => {
      if (order.type === 'rescan') templater?.rescanAndTell();
      else {
        early.push(...order.services);
        templater?.heard(order.services);
        greeted.resolve();
      }
    },
    abort,
  );
  process.on('SIGTERM', abort).on('SIGINT', abort).on('SIGHUP', onHup);
  try {
    await root.ready();
    if (link) await Promise.race([greeted.promise, delay(GREETING, undefined, { ref: false })]);
    const report: (report: Report) => void = link ? link.send : createLonelyReporter(log);
    const onState = (state: SourceState): void => report({ type: 'source', ...state });
    let refused: UserError | undefined;
    const onNone = (error: UserError): boolean => {
      // In a tree the services that need values wait, and say for what; alone, nothing would ever happen.
      if (link) log.error('found no source', { cause: error.message, hint: error.hint });
      else {
        refused = error;
        stop.abort();
      }
      return link !== undefined;
    };
    const source = await openSource(choice, { env: io.env, log, onState, onNone });
    templater = createTemplater({ ...options, env: io.env, source, log, report });
    templater.heard(early);
    try {
      const code = await templater.run(stop.signal);
      if (refused) throw refused;
      return code;
    } finally {
      await source.stop();
    }
  } finally {
    process.off('SIGTERM', abort).off('SIGINT', abort).off('SIGHUP', onHup);
    link?.close();
  }
}

function processIo(stderr: (text: string) => void): TemplateIo {
  return {
    env: process.env,
    terminal: process.stderr.isTTY === true,
    stdout: (text) => writeSync(1, text),
    stderr,
  };
}
