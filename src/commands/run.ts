import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { envName, type Invocation, OPTIONS, verbNear } from '../cli.ts';
import { signalName } from '../core/signals.ts';
import { describe, EXIT, UserError } from '../errors.ts';
import { Events } from '../events.ts';
import { Hooks } from '../hooks.ts';
import { createLog, type RootLog } from '../log.ts';
import { withoutLinks } from '../os/files.ts';
import type { Native } from '../os/native.ts';
import type { OomWatch } from '../os/oom.ts';
import type { Package } from '../os/package.ts';
import type { Program } from '../os/program.ts';
import { Reaper } from '../os/reaper.ts';
import { isSocketThere } from '../os/runtime-dir.ts';
import { onSignals, REAL_TIME } from '../os/signals.ts';
import { descriptor, lineSink } from '../os/stderr.ts';
import { foregroundGroup, isTerminal } from '../os/terminal.ts';
import type { Outputs } from '../output/outputs.ts';
import { Shutdown } from '../shutdown.ts';
import { Tree } from '../tree.ts';
import { findScandir, lookForScandir } from './scandir.ts';

const { SIGTERM, SIGINT, SIGHUP, SIGTTIN, SIGTTOU } = constants.signals;

/** The templater makes much short-lived garbage under many changes; a small nursery bounds what that adds to its memory. */
const SMALL_HEAP = ['--max-semi-space-size=1'];

/** However late it is, what was written last gets this long to go out. */
const LAST_WORDS_MS = 100;
/** The most that the end of our own log waits for a reader, where the services' output is none of our business. */
const OWN_WORDS_MS = 1000;

/** What main.ts found before it knew what to run. */
export interface Surroundings {
  native: Native | undefined;
  /** Why there is no addon. */
  cause: string | undefined;
  program: Program;
}

/**
 * `supervise [scandir] [-- command…]`: runs the tree until it ends.
 * @returns the exit code
 * @throws UserError when it is refused before anything was started
 */
export async function run(
  { words, main, options }: Invocation,
  { native, cause, program }: Surroundings,
): Promise<number> {
  refuseMistypedVerb(words[0]);
  const outputs = await captureOutput(options, native);
  const sink = lineSink(outputs?.forLog ?? descriptor(2, native && ((fd) => native.writable(fd) !== 0)));
  const format = options.logFormat ?? (isTerminal(2) ? 'text' : 'json');
  const events = new Events();
  const log = createLog({
    format,
    level: options.logLevel,
    write: sink.write,
    record: (...line) => events.record(...line),
  });
  if (outputs) outputs.log = log;
  else if (isCaptureWanted(options))
    log.warn("could not capture the services' output", {
      cause,
      hint: 'they inherit ours: no prefixes, no logs; ship the addon beside the bundle',
    });
  const prepared = await preparePackage(program.command(), options, log);
  if (typeof prepared === 'number') {
    await log.ready();
    sink.flush();
    await outputs?.flush(LAST_WORDS_MS);
    return prepared;
  }
  for (const signal of REAL_TIME) native?.ignore(signal);
  const scandirs = findScandirs(words[0], main !== undefined, prepared?.scandir);
  const [scandir] = scandirs;
  const terminal = main && native ? foregroundGroup() : undefined;
  if (terminal !== undefined) for (const signal of [SIGTTIN, SIGTTOU]) native?.ignore(signal);

  let oom: OomWatch | undefined;
  const hooks = new Hooks(options.hookTimeout, log);
  // No service has a name that begins with a dot.
  hooks.outputOf = outputs && ((hook) => outputs.of(`.supervise/${hook}`));
  const tree = new Tree({
    scandirs,
    package: prepared,
    command: main,
    disabled: new Set(options.disable),
    enabled: new Set(options.enable),
    program: program.command(),
    hasTerminal: terminal !== undefined,
    templater: [
      ...program.command(SMALL_HEAP),
      'template',
      ...scandirs.flatMap((path) => ['--services', path]),
      // What it writes to may be a pipe of ours, which says nothing of what ours leads to.
      ...templaterFlags(outputs ? { ...options, logFormat: format } : options),
    ],
    settle: options.settle,
    gatePolicy: options.gatePolicy,
    log,
    hooks,
    outputs,
    native,
    isOutOfMemory: () => oom?.explains() ?? false,
  });
  tree.gate.heard = (level, event, fields) => events.record(level, Date.now(), event, fields);
  const ended = Promise.withResolvers<number>();
  const reaper: Reaper | undefined = native && new Reaper(native, () => shutdown.reaped());
  if (native) adoptOrphans(native, log);
  else
    log.warn('orphans will not be reaped', {
      cause,
      hint: `docker run --init, or ship reaper-${process.arch}.node beside the ${program.isExecutable ? 'executable' : 'bundle'}`,
    });
  const shutdown = new Shutdown({
    tree,
    hooks,
    reaper,
    stopTimeout: options.stopTimeout,
    exitMap: options.exitMap,
    log,
    done: ended.resolve,
  });
  hooks.ended = () => shutdown.reaped();
  let control: Control | undefined;
  tree.listener = {
    changed(member, before) {
      shutdown.changed(member, before);
      control?.changed();
    },
    over(why, name, death) {
      // The terminal is ours again, or our own last lines would stop us.
      if (why === 'command' && terminal !== undefined) native?.foreground(0, terminal);
      shutdown.begin(why, name, death);
    },
  };
  surviveMistakes(log, hooks, tree);
  reaper?.start();
  /** Signals whose hook runs now. The same signal again does what it does without one. */
  const inHook = new Set<string>();
  const rescan = coalesce(() => rescanTree(tree, log));
  // A terminal that is gone (a closed window, a lost connection) sends SIGHUP, which otherwise means: rescan.
  const onTerminal = isTerminal(2);
  onSignals((received) => {
    const number = options.rewrite.get(received) ?? received;
    log.debug('received a signal', { signal: signalName(received) });
    if (number === 0) return;
    const name = signalName(number);
    const act = (): void => {
      // A stop that was rewritten is the main command's to obey; where there is none, it is still a stop.
      const handedOn = number !== received && isStop(received) && main && tree.principal?.signal(number);
      if (handedOn) return;
      if (isStop(number) || isStop(received) || (number === SIGHUP && onTerminal && !isTerminal(2))) {
        if (shutdown.isRunning) shutdown.force();
        else shutdown.begin('signal', name);
      } else if (number === SIGHUP) rescan();
      else tree.principal?.signal(number);
    };
    if (shutdown.isRunning || !hooks.has(name) || inHook.has(name)) return act();
    // Instead of what the signal does; but a hook that cannot do it must not make the tree deaf to its end.
    inHook.add(name);
    void hooks.run({ name, args: [], env: {} }).then((code) => {
      inHook.delete(name);
      if (code !== 0 && isStop(number)) act();
    });
  });

  const { socket } = options;
  const openSocket = async (): Promise<void> => {
    if (scandir === undefined) return;
    control = await openControl(tree, scandir, events, () => shutdown.begin('stop'), socket, log);
  };
  // What can be refused is refused ahead of the first service; otherwise the service goes first, as all that has to do with
  // sockets takes 4 ms to load.
  const isRefusable = socket !== undefined || isSocketThere();
  let refusal: unknown;
  if (isRefusable) await openSocket();
  // Signal listeners and children that are gone keep no event loop alive; a tree whose services are all down goes on.
  const alive = setInterval(() => {}, 0x7fff_ffff);
  try {
    const isWatched = scandir !== undefined && (options.watch ?? isTerminal(1));
    if (isWatched) await prepareWatch();
    // A signal may have come while the socket was made.
    if (!shutdown.isRunning) tree.start();
    if (!isRefusable)
      await openSocket().catch((error: unknown) => {
        // Another one started in the same moment.
        refusal = error;
        shutdown.begin('stop', 'refused');
      });
    await log.ready();
    keepHeapSmall();
    await tellOfVariables(log);
    oom = await watchMemory();
    if (isWatched) {
      const look = coalesce(() => rescanTree(tree, log, 'watch'));
      for (const path of scandirs) await watch(path, log, look);
    }
    const exitCode = await ended.promise;
    if (refusal !== undefined) throw refusal;
    return exitCode;
  } finally {
    clearInterval(alive);
    if (terminal !== undefined) native?.foreground(0, terminal);
    // What was said before a refusal must be seen too.
    await log.ready();
    control?.close();
    const left = Math.max(LAST_WORDS_MS, shutdown.left);
    // A slow reader is waited for as it is on the way; where nobody reads, our own words are not worth the whole budget.
    if (outputs) await Promise.all([sink.drain(left), outputs.flush(left)]);
    else await sink.drain(Math.min(left, OWN_WORDS_MS));
  }
}

function isCaptureWanted({ logPrefix, capture }: Invocation['options']): boolean {
  return logPrefix || capture;
}

/** Loaded only where it is asked for. Without the addon there are no pipes that a service could open again. */
async function captureOutput(
  options: Invocation['options'],
  native: Native | undefined,
): Promise<Outputs | undefined> {
  if (!isCaptureWanted(options) || !native) return undefined;
  const { Outputs } = await import('../output/outputs.ts');
  const format = options.capture && options.logFormat === 'json' ? 'json' : 'text';
  return new Outputs({ native, prefix: options.logPrefix, format });
}

/**
 * Has the package in place, where the environment asks for one.
 * @returns what stands there; an exit code when nothing must be started
 * @throws UserError when there is none, or what stands there is not whole
 */
async function preparePackage(
  program: readonly [string, ...string[]],
  options: Invocation['options'],
  log: RootLog,
): Promise<Package | number | undefined> {
  if (!process.env['PACKAGE_DIR'] && !process.env['PACKAGE_ZIP_URL']) return undefined;
  const { packageDirectory, readPackage } = await import('../os/package.ts');
  if (process.env['PACKAGE_ZIP_URL']?.trim()) {
    const { runInstaller } = await import('../installer.ts');
    // There is time, and a stop must be seen as it is.
    await log.ready();
    const argv = [...program, 'install', ...logFlags(options)] as const;
    const { stopTimeout, rewrite } = options;
    const exitCode = await runInstaller({ argv, stopTimeout, rewrite, log });
    if (exitCode !== undefined) return options.exitMap.get(exitCode) ?? exitCode;
  }
  const directory = packageDirectory(process.env);
  return directory === undefined ? undefined : readPackage(resolve(directory));
}

/** The services directory, and that of the package, whose services win. */
function findScandirs(
  named: string | undefined,
  hasCommand: boolean,
  ofPackage: string | undefined,
): string[] {
  const own = hasCommand || ofPackage !== undefined ? lookForScandir(named) : findScandir(named);
  const paths = [own, ofPackage && withoutLinks(ofPackage)].flatMap((path) => path ?? []);
  return [...new Set(paths)];
}

function refuseMistypedVerb(named: string | undefined): void {
  if (named === undefined || named.includes('/') || existsSync(named)) return;
  const near = verbNear(named);
  if (near)
    throw new UserError(
      `cannot run "${named}": no such directory, and no such verb (did you mean "${near}"?)`,
    );
}

/** What the environment says it says to the templater too: an address may hold a password, and everybody can read a command line. */
function templaterFlags(options: Invocation['options']): string[] {
  const { source, wait, cache, helpers, renderTimeout } = options;
  return [
    ...(source === undefined || source === process.env['SUPERVISE_SOURCE'] ? [] : ['--source', source]),
    ...(wait === undefined ? [] : ['--wait', wait]),
    ...(cache === undefined ? [] : ['--cache', cache]),
    ...(helpers === undefined ? [] : ['--helpers', helpers]),
    ...(renderTimeout === undefined ? [] : ['--render-timeout', String(renderTimeout)]),
    ...logFlags(options),
  ];
}

function logFlags({ logFormat, logLevel }: Invocation['options']): string[] {
  return [
    ...(logFormat === undefined ? [] : ['--log-format', logFormat]),
    ...(logLevel === 'info' ? [] : ['--log-level', logLevel]),
  ];
}

/** PID 1 gets every orphan; anybody else must ask for those of its own descendants. */
function adoptOrphans(native: Native, log: RootLog): void {
  const refused = process.pid === 1 ? 0 : native.subreaper();
  if (refused < 0)
    log.warn('orphans will not be reaped', {
      cause: `prctl(PR_SET_CHILD_SUBREAPER): error ${-refused}`,
      hint: 'run supervise as PID 1, or behind docker run --init',
    });
}

/** A mistake of ours is told, with the crash hook, and survived: PID 1 holds everything else up. */
function surviveMistakes(log: RootLog, hooks: Hooks, tree: Tree): void {
  const survive = (error: unknown): void => {
    log.error('survived a mistake', { error: describe(error), hint: 'report it, with this line' });
    if (tree.stopping) return;
    hooks.queue({
      name: 'crash',
      args: ['supervise', EXIT.system, 0, 1],
      env: {
        SUPERVISE_REASON: error instanceof Error ? error.message : String(error),
        SUPERVISE_RAN_MS: Math.round(process.uptime() * 1e3),
        SUPERVISE_NEXT: 'restart',
        SUPERVISE_DELAY_MS: 0,
      },
    });
  };
  process.on('uncaughtException', survive);
  process.on('unhandledRejection', survive);
}

function isStop(signal: number): boolean {
  return signal === SIGTERM || signal === SIGINT;
}

/** Many calls in one turn of the loop are one. */
function coalesce(work: () => void): () => void {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    setImmediate(() => {
      due = false;
      work();
    });
  };
}

function rescanTree(tree: Tree, log: RootLog, by: 'order' | 'watch' = 'order'): void {
  try {
    tree.rescan(by);
  } catch (error) {
    const { message, hint } = error as UserError;
    log.error(message, { hint });
  }
}

/** What the run command needs of the control socket, which is loaded when there is one. */
interface Control {
  /** Something about the services is other than it was. */
  changed(): void;
  close(): void;
}

async function openControl(
  tree: Tree,
  scandir: string,
  events: Events,
  stop: () => void,
  socket: string | undefined,
  log: RootLog,
): Promise<Control | undefined> {
  const { openControl } = await import('../control/server.ts');
  const { Controller } = await import('../control/controller.ts');
  const controller = new Controller({ tree, scandir, events, stop });
  const opened = await openControl(socket, (request) => controller.handle(request), log);
  return (
    opened && {
      changed: () => controller.changed(),
      close() {
        controller.close();
        opened.close();
      },
    }
  );
}

/** A mistyped variable says nothing; no more than a warning, since images share an environment. */
async function tellOfVariables(log: RootLog): Promise<void> {
  if (!Object.keys(process.env).some((name) => name.startsWith('SUPERVISE_'))) return;
  const { unknownVariables } = await import('../core/unknown-variables.ts');
  const { VARIABLES } = await import('../core/environment.ts');
  const { HOOKS } = await import('../core/hook-docs.ts');
  const known = [
    ...Object.keys(OPTIONS).map(envName),
    ...Object.keys(VARIABLES),
    ...Object.values(HOOKS).flatMap(({ env }) => Object.keys(env)),
  ];
  const unknown = unknownVariables(Object.keys(process.env), known);
  if (unknown.length === 0) return;
  log.warn('passed over unknown variables', {
    names: unknown.map(({ name }) => name).join(', '),
    hint:
      unknown.flatMap(({ name, near }) => (near ? `${name}: did you mean ${near}?` : [])).join(' ') ||
      undefined,
  });
}

/**
 * What we leave to collect is short-lived: a request, a line of the log. A nursery that grows with it would be all that a day
 * of HEALTHCHECKs leaves behind, some 60 MB. And V8 looks every 8 s whether it may tidy up, from its first small collection to
 * its first whole one, which never comes where nothing happens: told to care for size, it tidies up twice and sleeps.
 */
function keepHeapSmall(): void {
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--optimize-for-size');
}

async function watchMemory(): Promise<OomWatch> {
  const { OomWatch } = await import('../os/oom.ts');
  return new OomWatch();
}

async function prepareWatch(): Promise<void> {
  const { prepareWatch } = await import('../os/watch.ts');
  await prepareWatch();
}

async function watch(scandir: string, log: RootLog, rescan: () => void): Promise<void> {
  const { watchScandir } = await import('../os/watch.ts');
  await watchScandir(scandir, log, rescan);
}
