/** What may be thrown at a world, and how it is brought to an end. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Request } from '../../src/control/protocol.ts';
import type { Ms } from '../../src/core/duration.ts';
import { emptyServiceDir, type RawServiceDir } from '../../src/core/servicedir.ts';
import type { Process } from './machine.ts';
import { loggerDir, type Setup, type World } from './world.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'] as const;

const some = <T>(weight: number, of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(of, { nil: undefined, freq: weight });
const time = (max: number): fc.Arbitrary<string> => fc.integer({ min: 1, max }).map((ms) => `${ms}ms`);

/** The setting files of a service. */
const TEXTS: fc.Arbitrary<Map<string, string>> = fc
  .record({
    type: some(1, fc.constant('oneshot')),
    down: fc.oneof({ weight: 7, arbitrary: fc.constant(undefined) }, fc.constant('')),
    essential: fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, fc.constant('')),
    restart: some(1, fc.constantFrom('always', 'on-failure', 'never')),
    'restart-delay': some(3, fc.constantFrom('10ms 80ms', '0 0', '30ms', '1s 4s')),
    'restart-limit': some(1, fc.constantFrom('1', '3')),
    'timeout-up': some(1, time(60)),
    'timeout-kill': some(2, fc.oneof(time(60), fc.constantFrom('0', '20s'))),
    'timeout-finish': some(2, fc.oneof(time(60), fc.constantFrom('0', '20s'))),
    'notification-fd': some(1, fc.constant('3')),
    'health-interval': some(1, fc.constantFrom('2s', '500ms')),
    'health-retries': some(1, fc.constant('2')),
    'reload-signal': fc.oneof({ weight: 19, arbitrary: fc.constant(undefined) }, fc.constant('NONE')),
  })
  .map(
    (texts) =>
      new Map(Object.entries(texts).flatMap(([name, text]) => (text === undefined ? [] : [[name, text]]))),
  );

/** A service directory that depends on the ones before it, whichever of them there are. */
function directory(i: number): fc.Arbitrary<RawServiceDir> {
  const is = (there: boolean): RawServiceDir['run'] => (there ? { is: 'ok' } : { is: 'missing' });
  return fc
    .record({
      texts: TEXTS,
      log: fc.option(TEXTS, { nil: undefined, freq: 1 }),
      finish: fc.boolean(),
      check: fc.nat(3),
      health: fc.nat(3),
      templates: fc.nat(3),
      needs: fc.subarray(NAMES.slice(0, i)),
      run: fc.nat(19),
    })
    .map(({ texts, log, finish, check, health, templates, needs, run }) => {
      const name = NAMES[i] ?? '';
      const raw: RawServiceDir = {
        ...emptyServiceDir(name, `/s/${name}`),
        texts,
        run: is(run > 0),
        finish: is(finish),
        check: is(check === 0),
        health: is(health === 0),
        templates: templates === 0 ? ['x.hbs'] : [],
        dependencies: needs,
        stamps: new Map(texts),
      };
      return log
        ? { ...raw, log: loggerDir(raw, { ...raw, texts: log, templates: [], dependencies: [] }) }
        : raw;
    });
}

/** A scandir; a dependency that is not there is left out, but for one in many, which refuses the whole. */
const SCANDIR: fc.Arbitrary<RawServiceDir[]> = fc
  .tuple(
    fc.tuple(...NAMES.map((_, i) => directory(i))),
    fc.subarray([...NAMES], { minLength: 1 }),
    fc.nat(29),
  )
  .map(([all, there, whole]) =>
    all
      .filter(({ name }) => there.some((each) => each === name))
      .map((raw) => ({
        ...raw,
        dependencies:
          whole === 0
            ? raw.dependencies
            : raw.dependencies.filter((name) => there.some((each) => each === name)),
      })),
  );

export const SETUP: fc.Arbitrary<Setup> = fc.record({
  services: SCANDIR,
  hasCommand: fc.nat(3).map((n) => n === 0),
  hasReaper: fc.boolean(),
  hooks: fc.subarray(['crash', 'finish'] as const),
  disabled: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, fc.subarray([...NAMES], { maxLength: 2 })),
  stopTimeout: fc.constantFrom(1000, 2000, 9000, 60_000),
  settle: fc.constantFrom(0, 200),
  gate: fc.constantFrom('wait', 'stale', 'fail'),
});
/** Scandirs that come after the first, each when its turn comes. */
export const EDITS = fc.array(SCANDIR, { minLength: 1, maxLength: 3 });
export const THROWS = 120;
export const DICE = fc.array(fc.nat(0x3fff_ffff), { minLength: THROWS, maxLength: THROWS, size: 'max' });

/** Throws the dice, one step each, until all is over. */
export async function throwAll(
  world: World,
  dice: readonly number[],
  edits: readonly RawServiceDir[][],
): Promise<void> {
  for (const one of dice) {
    if (world.exitCode !== undefined) return;
    world.dice = one;
    await world.take(() => throwOne(world, edits));
  }
}

/** One step: some time, and then an order, or a move of the world. */
function throwOne(world: World, edits: readonly RawServiceDir[][]): void {
  const { coin, machine } = world;
  const kind = coin(20);
  if (kind < 6) machine.now += coin(40);
  else if (kind === 6) machine.now = Math.max(machine.now, machine.nextDue ?? 0);
  const moves = kind % 2 === 0 ? machine.moves() : freeMoves(world);
  if (kind === 19) order(world, edits);
  else if (kind === 18 && coin(4) === 0) order(world, edits);
  else if (moves.length > 0) moves[coin(moves.length)]?.();
  else order(world, edits);
}

/** What processes may do and need not. */
function freeMoves(world: World): (() => void)[] {
  const { machine, coin } = world;
  const moves: (() => void)[] = machine.births.map((birth) => () => machine.answer(birth, false));
  for (const process of machine.children.values()) {
    const code = [0, 0, 1, 125, 111][coin(5)] ?? 0;
    const signal = [0, 0, 0, 11, 15][coin(5)] ?? 0;
    const leaves = coin(6) === 0 ? 1 : 0;
    moves.push(() =>
      machine.exit(process, signal === 0 ? code : 0, signal, process.role === 'hook' ? 0 : leaves),
    );
    if (process.role !== 'run') continue;
    const socket = process.sockets.get(3);
    if (socket && process.owner !== 'templater')
      moves.push(() => void socket.hear(Buffer.from(coin(3) === 0 ? 'x' : 'x\ny')));
    if (process.owner === 'templater')
      moves.push(
        () => speak(world),
        () => speak(world),
      );
  }
  for (const { pid } of machine.strays.values()) moves.push(() => machine.bury(pid));
  return moves;
}

/** The templater says anything. */
function speak(world: World): void {
  const { coin } = world;
  const service = NAMES[coin(NAMES.length)] ?? 'a';
  const what = coin(5);
  if (what === 0) world.templater?.hear('{"type":"nonsense"}\n');
  else if (what === 1)
    world.templater?.hear(`${JSON.stringify({ type: 'waiting', service, missing: ['key "x"'] })}\n`);
  else world.render(service, `v${coin(4)}`, coin(2) === 0);
}

const GOALS = ['ready', 'up', 'down'] as const;

function order(world: World, edits: readonly RawServiceDir[][]): void {
  const { coin, machine } = world;
  const names = [...world.tree.members.keys()];
  const services = [names[coin(Math.max(1, names.length))] ?? 'a'];
  if (coin(4) === 0) services.push(names[coin(Math.max(1, names.length))] ?? 'b');
  const until = coin(2) === 0 ? GOALS[coin(3)] : undefined;
  const waits: Partial<Request> =
    until === undefined ? {} : { until, ...(coin(2) === 0 ? { timeoutMs: coin(200) } : {}) };
  const what = coin(40);
  if (what < 8) world.ask({ do: 'up', services, ...waits });
  else if (what < 10) world.ask({ do: 'once', services, ...waits });
  else if (what < 18) world.ask({ do: 'down', services, ...(until === 'down' ? waits : {}) });
  else if (what < 24) world.ask({ do: 'restart', services, ...waits });
  else if (what < 27) world.ask({ do: 'reload', services, ...waits });
  else if (what < 30) world.ask({ do: 'wait', services, until: 'ready', ...waits });
  else if (what < 32) world.ask({ do: 'status', services: [] });
  else if (what < 33) for (const { stop } of world.asked.splice(0)) stop();
  else if (what < 39) {
    const next = edits[coin(edits.length)];
    if (next) world.edit(coin(3) === 0 ? world.setup.services : next);
    if (coin(4) > 0) world.ask({ do: 'rescan', services: [] });
  } else if (coin(8) > 0) world.ask({ do: 'check', services: [] });
  else if (world.shutdown.isRunning) world.shutdown.force();
  else world.stop();
  assert.ok(machine.now >= 0);
}

/** How processes are from here on. */
export interface Manners {
  /** After how long a process ends that was told to; undefined: of SIGKILL alone. */
  obeysAfter: Ms | undefined;
  /** Whether what should come true does: it becomes ready, is well, and ends if it is to end. */
  isWell: boolean;
}

const MOST_MOVES = 20_000;

/**
 * Lets all go on by these manners, without any delay but that of timers, until it is over or nothing more would happen.
 * @param until how long, at the most; health checks never end
 */
export async function goOn(world: World, manners: Manners, most: Ms): Promise<void> {
  const { machine } = world;
  machine.isPrompt = () => true;
  const end = machine.now + most;
  const toldAt = new Map<Process, Ms>();
  for (let moves = 0; world.exitCode === undefined; moves++) {
    assert.ok(moves < MOST_MOVES, 'it never comes to rest');
    const [move] = [...machine.moves(), ...mannerly(world, manners, toldAt)];
    if (move) {
      await world.take(move);
      continue;
    }
    const dues = [...toldAt].flatMap(([{ pid }, at]) =>
      machine.children.has(pid) || machine.strays.has(pid) ? [at + (manners.obeysAfter ?? 0)] : [],
    );
    const next = Math.min(...dues, machine.nextDue ?? Number.POSITIVE_INFINITY);
    if (next > end) return;
    machine.now = Math.max(machine.now, next);
  }
}

function mannerly(world: World, { obeysAfter, isWell }: Manners, toldAt: Map<Process, Ms>): (() => void)[] {
  const { machine } = world;
  const moves: (() => void)[] = [];
  for (const process of [...machine.children.values(), ...machine.strays.values()]) {
    if (obeysAfter !== undefined && process.told && !process.killed) {
      const at = toldAt.get(process) ?? machine.now;
      toldAt.set(process, at);
      if (machine.now >= at + obeysAfter)
        moves.push(() => (process.events ? machine.exit(process, 0, 15) : machine.bury(process.pid)));
    }
    if (!isWell || !process.events || process.told) continue;
    const { owner, role } = process;
    const { config, service } = world.tree.members.get(owner)?.runner ?? {};
    if (role !== 'run') moves.push(() => machine.exit(process, 0, 0));
    else if (
      service?.is === 'up' &&
      config?.type === 'longrun' &&
      config.notificationFd !== undefined &&
      !process.sockets.get(config.notificationFd)?.destroyed
    )
      moves.push(() => void process.sockets.get(config.notificationFd ?? 3)?.hear(Buffer.from('\n')));
    else if (service?.is === 'up' && config?.type === 'oneshot')
      moves.push(() => machine.exit(process, 0, 0));
    else if (owner === 'templater') {
      const { templater } = world;
      if (templater && !templater.hasSpoken)
        moves.push(() => templater.hear('{"type":"source","name":"x"}\n'));
      const shut = world.members.find(
        ({ runner }) => runner.config.hasTemplates && !world.tree.gate.isOpen(runner.name),
      );
      if (shut) moves.push(() => world.render(shut.runner.name, 'last', false));
    }
  }
  return moves;
}
