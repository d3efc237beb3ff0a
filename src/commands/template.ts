import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import type { Ms } from '../core/duration.ts';
import type { Judgement, Report } from '../core/link.ts';
import { EXIT, type UserError } from '../errors.ts';
import { createLog } from '../log.ts';
import type { Native } from '../os/native.ts';
import { writePidFile } from '../os/pid-file.ts';
import { Reaper } from '../os/reaper.ts';
import { onSignals } from '../os/signals.ts';
import { descriptor, lineSink } from '../os/stderr.ts';
import { print } from '../os/stdout.ts';
import { createLonelyReporter } from '../templater/alone.ts';
import { openLink } from '../templater/link.ts';
import { HELP, type Options, parseOptions } from '../templater/options.ts';
import { type Choice, chooseSource, openSource } from '../templater/source/choose.ts';
import type { SourceState } from '../templater/source/source.ts';
import { createTemplater, type Templater } from '../templater/templater.ts';
import { VERSION } from '../version.ts';
import type { Child } from './template-child.ts';
import { chooseMode, type TemplateIo } from './template-mode.ts';

const { SIGTERM, SIGINT } = constants.signals;

/**
 * With a thousand keys every change is a new answer of all of them, and V8 would rather let what it leaves behind lie than
 * collect it: 70 MB, where 40 do for 3 ms of the processor a change. The second is what --max-semi-space-size=1 would be at
 * the start.
 */
const SMALL_HEAP = ['--optimize-for-size', '--semi-space-growth-factor=1'];
/** What there is to say is said after this at the latest. */
const HELD: Ms = 200;
/** A tree speaks at once; whatever else may be at the other end of the link is not waited for longer. */
const GREETING: Ms = 1000;

/**
 * `supervise template`: the templater, as the service `templater` of a tree (which hands down the link, core/link.ts)
 * or alone, as consul-template's users know it.
 *
 * SIGTERM and SIGINT end it; SIGHUP, or the tree's order, has it read the templates again; the end of the link, which is
 * the end of the tree, ends it too.
 * @returns the exit code
 * @throws UserError for a wrong command line, or when there is nothing to get values from
 */
export async function template(argv: string[], io?: TemplateIo, native?: Native): Promise<number> {
  const sink = lineSink(descriptor(2, native && ((fd) => native.writable(fd) !== 0)));
  const own = io ?? processIo(sink.write);
  try {
    if (argv[0] === 'convert') {
      const { convert } = await import('./template-convert.ts');
      return await convert(argv.slice(1), own);
    }
    const options = parseOptions(argv, own.env, own.terminal);
    if (options.help || options.version) {
      own.stdout(options.help ? HELP : `supervise ${VERSION}\n`);
      return EXIT.yes;
    }
    return await follow(options, own, native);
  } finally {
    sink.flush();
  }
}

async function follow(options: Options, io: TemplateIo, native: Native | undefined): Promise<number> {
  for (const flag of SMALL_HEAP) setFlagsFromString(flag);
  const root = createLog({ format: options.logFormat, level: options.logLevel, write: io.stderr });
  const log = root.child({ service: 'templater' });
  for (const { option, cause } of options.ignored) log.warn('ignored option', { option, cause });
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  let templater: Templater | undefined;
  const sourceEnv = { ...io.env, ...options.consulEnv };
  const choice = choose(options, sourceEnv);
  /** How the configs stand, as the tree says first of all: without it a generation could be tried that is known to be bad. */
  const early: Judgement[] = [];
  const greeted = Promise.withResolvers<void>();
  const link = openLink(
    io.env,
    (order) => {
      if (order.type === 'rescan') templater?.rescanAndTell();
      else {
        if (templater) templater.heard(order.services);
        else early.push(...order.services);
        greeted.resolve();
      }
    },
    abort,
  );
  link?.send({ type: 'begun' });
  const removePidFile = options.pidFile === undefined ? () => {} : writePidFile(options.pidFile);
  const mode = chooseMode(options, { ...sourceEnv, SUPERVISE_LINK_FD: undefined }, io, log);
  const { child } = mode;
  if (child && native && process.pid === 1) new Reaper(native, () => {}).start();
  // It is not started again: whoever wants that has a service for it.
  void child?.ended.then(abort);
  // What is said until the first files are in place is held: to load the formatter takes longer than to render one.
  let ready: Promise<void> | undefined;
  const sayAll = (): Promise<void> => (ready ??= root.ready());
  const talk = setTimeout(sayAll, HELD);
  const release = takeSignals(options, child, abort, () => templater?.rescan());
  try {
    if (link) await Promise.race([greeted.promise, delay(GREETING, undefined, { ref: false })]);
    const lonely = createLonelyReporter(log);
    let state: SourceState = { name: 'none', awaySince: null, cause: null };
    const report = (each: Report): void => {
      if (each.type === 'source') state = each;
      if (link) link.send(each);
      else lonely(each);
      if (each.type === 'rendered') void sayAll();
    };
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
    const source = await openSource(choice, {
      env: sourceEnv,
      log,
      cache: options.cache,
      onState: (each) => report({ type: 'source', ...each }),
      onNone,
    });
    templater = createTemplater({ ...options, ...mode.templater, env: io.env, source, log, report });
    templater.heard(early);
    mode.source = source;
    const limit =
      mode.limit === undefined
        ? undefined
        : setTimeout(() => {
            mode.look?.();
            abort();
          }, mode.limit);
    try {
      const code = await templater.run(stop.signal);
      if (refused) throw refused;
      return await mode.end(code, state);
    } finally {
      clearTimeout(limit);
      await source.stop();
    }
  } finally {
    clearTimeout(talk);
    await sayAll();
    release();
    removePidFile();
    link?.close();
  }
}

/** Alone it is Consul on this machine where nothing names a source, as with consul-template. */
function choose(options: Options, env: Readonly<Record<string, string | undefined>>): Choice {
  const isLone = options.templates.length > 0;
  const choice = chooseSource({ ...options, env, scandirs: isLone ? ['.'] : options.scandirs });
  return isLone && choice.kind === 'none' ? { kind: 'consul', address: undefined } : choice;
}

/**
 * Listens to signals: those that end us, the one that has the templates read again, and with a command all others, which
 * are handed on to it.
 * @returns stops listening
 */
function takeSignals(
  { reloadSignal, killSignal }: Options,
  child: Child | undefined,
  abort: () => void,
  rescan: () => void,
): () => void {
  const take = (signal: number): void => {
    if (signal === reloadSignal) rescan();
    else if (signal === SIGTERM || signal === SIGINT || signal === killSignal) {
      abort();
      child?.stop(signal);
    } else child?.forward(signal);
  };
  const own = child ? undefined : [...new Set([SIGTERM, SIGINT, reloadSignal, killSignal])].filter(Boolean);
  return onSignals(take, own);
}

function processIo(stderr: (text: string) => void): TemplateIo {
  return {
    env: process.env,
    terminal: process.stderr.isTTY === true,
    colour: process.stdout.isTTY === true && !process.env['NO_COLOR'],
    stdout: print,
    stderr,
  };
}
