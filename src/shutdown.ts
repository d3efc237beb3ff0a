import { constants } from 'node:os';
import type { Ms } from './core/duration.ts';
import { type Status, type StopReason, treeExitCode } from './core/exit.ts';
import { type Death, isAlive, type Service } from './core/lifecycle.ts';
import { type Descent, longestDescents } from './core/order.ts';
import { MAIN_COMMAND } from './core/servicedir.ts';
import { finishShare, patience, reserve, stopTime } from './core/stop-budget.ts';
import type { Hooks } from './hooks.ts';
import type { Log } from './log.ts';
import type { Member } from './member.ts';
import { Alarm, now } from './os/clock.ts';
import type { Reaper } from './os/reaper.ts';
import { killGroup, send } from './os/spawn.ts';
import { descendantsOf } from './os/strays.ts';
import { DYING, type ServiceRunner, UNDYING_HINT } from './service.ts';
import type { Tree } from './tree.ts';

const { SIGTERM, SIGKILL, SIGCONT } = constants.signals;
/** The most that processes which services left behind get between TERM and KILL. */
const STRAYS_PATIENCE: Ms = 2000;
/** Where nobody tells us of a stray's end (no addon), we must look. */
const LOOK_AGAIN: Ms = 50;
/** What a finish hook gets after a second TERM. */
const FORCED_HOOK: Ms = 1000;
/** Kept from the whole budget for the last step, so that the exit itself is in time. */
const LAST_STEP: Ms = 100;

/** For a service that came after the stop began. */
const NOBODY_BELOW: Descent = { name: '', own: 0, sum: 0, below: undefined };

type Phase = 'running' | 'services' | 'strays' | 'hook' | 'done';

export interface ShutdownOptions {
  tree: Tree;
  hooks: Hooks;
  reaper: Reaper | undefined;
  stopTimeout: Ms;
  exitMap: ReadonlyMap<number, number>;
  log: Log;
  /** Called once, with the exit code, when nothing is left to wait for. */
  done: (exitCode: number) => void;
}

/**
 * The way down, once: services in the mirror of their start, then what they left behind, then the finish hook, all within
 * one budget. Each step ends the moment its last process has.
 */
export class Shutdown {
  readonly #options: ShutdownOptions;
  readonly #log: Log;
  #phase: Phase = 'running';
  #why: StopReason = 'signal';
  #cause: string | undefined;
  #essential: Status | undefined;
  #startedAt: Ms = 0;
  #deadline: Ms = 0;
  #forced = false;
  #killed = false;
  #retreating = false;
  #again = false;
  /** Crash hooks that still ran when the services were down, and what they had started. */
  #hooking: readonly number[] = [];
  /** Names that were told to stop. */
  readonly #told = new Set<string>();
  #descents = new Map<string, Descent>();
  /** Strays that were sent SIGKILL, and when; those that it did not end are waited for no more. */
  readonly #killedAt = new Map<number, Ms>();
  /** The first time that strays were sent SIGKILL. */
  #straysKilledAt: Ms | undefined;
  /** The end of the whole budget. */
  readonly #end = new Alarm(() => this.#expire());
  readonly #lookAgain = new Alarm(() => this.reaped());
  /** The end of the strays' patience. */
  readonly #straysEnd = new Alarm(() => this.#endStrays());

  constructor(options: ShutdownOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  /** Stops the tree. When it stops already, the first reason stands. */
  begin(why: StopReason, cause?: string, death?: Death): void {
    if (this.#phase !== 'running') return;
    const { tree, stopTimeout } = this.#options;
    this.#phase = 'services';
    this.#why = why;
    this.#cause = cause;
    if (why === 'essential') this.#essential = death;
    this.#startedAt = now();
    this.#deadline = this.#startedAt + stopTimeout;
    tree.stopping = true;
    this.#options.hooks.dropQueue();
    this.#log.info('stopping the tree', { why, cause, withinMs: stopTimeout });
    for (const member of tree.members.values()) member.asked = undefined;
    const dependencies = new Map([...tree.members].map(([name, member]) => [name, tree.needs(member)]));
    this.#descents = longestDescents(dependencies, (name) => {
      const runner = tree.members.get(name)?.runner;
      // What has no process takes no time, and nothing is started any more.
      return runner && isAlive(runner.service) ? stopTime(runner.config, stopTimeout) : 0;
    });
    this.#end.arm(this.#deadline - LAST_STEP);
    this.#retreat();
  }

  /** Stops waiting: what still runs is killed now. */
  force(): void {
    if (this.#phase === 'running') return;
    if (!this.#forced) this.#log.warn('stopping at once', { phase: this.#phase });
    this.#forced = true;
    this.#killAll();
    if (this.#phase === 'strays') this.#endStrays();
    if (this.#phase === 'hook') for (const pid of this.#options.hooks.abandon()) killGroup(pid);
  }

  get isRunning(): boolean {
    return this.#phase !== 'running';
  }

  /** What is left of the budget of a stop that has begun; the whole of it before. */
  get left(): Ms {
    return this.isRunning ? this.#deadline - now() : this.#options.stopTimeout;
  }

  /** A member changed. */
  changed(member: Member, before: Service): void {
    if (this.#phase !== 'services') return;
    const { runner } = member;
    if (runner.service.killed && !before.killed) this.#killed = true;
    // The finish script's own ceiling knows nothing of the tree's budget.
    if (runner.service.is === 'finishing' && before.is !== 'finishing' && this.#told.has(runner.name))
      runner.send(
        this.#forced
          ? { type: 'kill' }
          : { type: 'down', killBy: this.#killBy(runner.name, runner.config.timeoutFinish, 0) },
      );
    if (isGone(runner)) this.#retreat();
  }

  /** A child of ours was waited for, or a stranger was reaped. */
  reaped(): void {
    if (this.#phase === 'strays') this.#lookForStrays();
  }

  /** Tells everybody whose dependents are all down; when nobody is left, goes on. */
  #retreat(): void {
    // To tell one can settle it at once and so call us again: a second round then, and no recursion.
    this.#again = true;
    if (this.#retreating) return;
    this.#retreating = true;
    while (this.#again) {
      this.#again = false;
      this.#tellWhoCanGo();
    }
    this.#retreating = false;
    if (this.#phase === 'services' && everyoneGone(this.#options.tree)) this.#beginStrays();
  }

  #tellWhoCanGo(): void {
    const { tree } = this.#options;
    for (const [name, member] of tree.members) {
      if (this.#told.has(name)) continue;
      if (!this.#forced && tree.dependentsOf(name).some((other) => !isGone(other.runner))) continue;
      this.#told.add(name);
      const { config } = member.runner;
      const killBy = this.#killBy(name, config.timeoutKill, finishShare(config));
      member.runner.send({ type: 'down', killBy });
    }
  }

  /** @param then what its share must still hold after that: its finish script's part */
  #killBy(name: string, own: Ms | undefined, then: Ms): Ms {
    const share = patience(undefined, this.#left(), this.#descents.get(name) ?? NOBODY_BELOW);
    return now() + Math.min(own ?? share, Math.max(share - then, share / 2));
  }

  /** What is left of the budget for services and strays. */
  #left(): Ms {
    const { hooks, stopTimeout } = this.#options;
    return this.#deadline - reserve(stopTimeout, hooks.has('finish')) - now();
  }

  #killAll(): void {
    for (const [name, { runner }] of this.#options.tree.members) {
      this.#told.add(name);
      runner.send({ type: 'down' });
      runner.send({ type: 'kill' });
    }
  }

  /** What services left behind: TERM, and KILL when its patience or the budget ends. */
  #beginStrays(): void {
    this.#phase = 'strays';
    // A crash hook is nothing that was left behind: it may come to its end, in the same time.
    this.#hooking = this.#options.hooks.abandon().flatMap((pid) => [pid, ...descendantsOf(pid)]);
    const strays = this.#strays().filter((pid) => this.#forced || !this.#hooking.includes(pid));
    for (const pid of strays) {
      send(pid, this.#forced ? SIGKILL : SIGTERM);
      send(pid, SIGCONT);
    }
    if (strays.length > 0) this.#log.info('stopping what services left behind', { count: strays.length });
    const most = Math.min(
      STRAYS_PATIENCE,
      Math.max(this.#left(), reserve(this.#options.stopTimeout, false) / 2),
    );
    this.#straysEnd.arm(now() + most);
    this.#lookForStrays();
  }

  #lookForStrays(): void {
    const { reaper } = this.#options;
    const isEmpty = this.#strays().length === 0;
    // With the addon the kernel's word counts: a look at /proc can miss who forks while we look. Of one that does not die
    // the kernel would say so for ever.
    if (reaper?.hasChildren() ? isEmpty && this.#isAnyUndying() : isEmpty) {
      this.#straysEnd.arm(undefined);
      this.#lookAgain.arm(undefined);
      const undying = this.#descendants().filter((pid) => this.#isUndyingStray(pid));
      if (undying.length > 0) this.#log.error('could not kill', { pids: undying, hint: UNDYING_HINT });
      void this.#runFinishHook();
    } else if (!reaper || isEmpty) {
      this.#lookAgain.arm(now() + LOOK_AGAIN);
    }
  }

  #endStrays(): void {
    if (this.#phase !== 'strays') return;
    this.#straysKilledAt ??= now();
    const strays = this.#strays();
    const others = strays.filter((pid) => !this.#killedAt.has(pid));
    if (others.length > 0) {
      // A slow hook is a warning, and no stain on the services.
      if (others.some((pid) => !this.#hooking.includes(pid))) this.#killed = true;
      this.#log.warn('killed what was left', { pids: others });
      for (const pid of others) this.#killedAt.set(pid, now());
    }
    for (const pid of strays) send(pid, SIGKILL);
    // Whoever forked meanwhile is found by the next look; the end of the budget bounds them all.
    this.#straysEnd.arm(now() + LOOK_AGAIN);
    this.#lookForStrays();
  }

  /** What services left behind, but for what SIGKILL does not end. */
  #strays(): number[] {
    const members = [...this.#options.tree.members.values()];
    const undying = members.flatMap(({ runner }) => (runner.isUndying ? runner.service.pid : []));
    return this.#descendants().filter((pid) => !undying.includes(pid) && !this.#isUndyingStray(pid));
  }

  #descendants(): number[] {
    const { reaper } = this.#options;
    return reaper && !reaper.hasChildren() ? [] : descendantsOf(process.pid);
  }

  #isUndyingStray(pid: number): boolean {
    return now() - (this.#killedAt.get(pid) ?? now()) >= DYING;
  }

  /** Also a zombie that its tracer keeps, which /proc does not show among the living. */
  #isAnyUndying(): boolean {
    const members = [...this.#options.tree.members.values()];
    const isLate = this.#straysKilledAt !== undefined && now() - this.#straysKilledAt >= DYING;
    return isLate || members.some(({ runner }) => runner.isUndying);
  }

  async #runFinishHook(): Promise<void> {
    this.#phase = 'hook';
    const { hooks } = this.#options;
    // Ahead of the budget's own end, which would tell of a lack of time where only the hook had none.
    const left = this.#deadline - 2 * LAST_STEP - now();
    const args = [this.#why, this.#exitCode(), this.#cause ?? ''];
    const code = await hooks.run(
      { name: 'finish', args, env: {} },
      Math.max(0, Math.min(hooks.timeout, left, this.#forced ? FORCED_HOOK : left)),
    );
    this.#conclude(code);
  }

  /** The exit code ahead of the finish hook's say. */
  #exitCode(): number {
    return treeExitCode({
      why: this.#why,
      command: this.#options.tree.members.get(MAIN_COMMAND)?.runner.service.death,
      essential: this.#essential,
      killed: this.#killed || this.#forced,
    });
  }

  /** Once, by the hook's end or the budget's. */
  #conclude(hookCode: number | undefined): void {
    if (this.#phase === 'done') return;
    this.#phase = 'done';
    // What the finish hook itself left: as PID 1 our end is theirs, and elsewhere it must be no other.
    for (const pid of this.#descendants()) send(pid, SIGKILL);
    this.#end.arm(undefined);
    this.#straysEnd.arm(undefined);
    const { exitMap, done } = this.#options;
    const code = hookCode || this.#exitCode();
    const exitCode = exitMap.get(code) ?? code;
    this.#log.info('stopped the tree', {
      why: this.#why,
      exitCode,
      tookMs: Math.round(now() - this.#startedAt),
    });
    done(exitCode);
  }

  /** The budget is used up: what still lives is past help (a process that the kernel will not let die, as a rule). */
  #expire(): void {
    if (this.#phase === 'done') return;
    const { tree, hooks } = this.#options;
    const left = [...tree.members.values()].filter(({ runner }) => !runner.isSettled);
    this.#killed = true;
    this.#log.error('ran out of time to stop', {
      phase: this.#phase,
      services: left.map(({ runner }) => runner.name).join(', ') || undefined,
      hint: 'raise --stop-timeout, or lower timeout-kill of the slow ones',
    });
    for (const { runner } of left) if (runner.service.pid !== undefined) killGroup(runner.service.pid);
    for (const pid of hooks.abandon()) killGroup(pid);
    for (const pid of this.#descendants()) send(pid, SIGKILL);
    this.#conclude(undefined);
  }
}

function everyoneGone(tree: Tree): boolean {
  return [...tree.members.values()].every(({ runner }) => isGone(runner));
}

/** Nobody can be helped by waiting for it: it is down, or killed and does not die. */
function isGone(runner: ServiceRunner): boolean {
  return runner.isSettled || runner.isUndying;
}
