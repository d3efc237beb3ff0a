/**
 * The real tree, shutdown and control on a machine without time (machine.ts): orders, edits of the scandir and whatever
 * processes may do, in any order, with the rules that hold at every moment.
 */
import assert from 'node:assert/strict';
import type { Reply, Request } from '../../src/control/protocol.ts';
import type { Exchange } from '../../src/control/server.ts';
import type { Ms } from '../../src/core/duration.ts';
import { isUp, type Service } from '../../src/core/lifecycle.ts';
import { encode } from '../../src/core/link.ts';
import { loggerOf, type RawServiceDir } from '../../src/core/servicedir.ts';
import type { Log } from '../../src/log.ts';
import type { Member } from '../../src/member.ts';
import type { Native } from '../../src/os/native.ts';
import type { Reaper } from '../../src/os/reaper.ts';
import { type FakeSocket, Machine, type Process } from './machine.ts';

// After the machine, which plays their parts of os/.
const { Tree } = await import('../../src/tree.ts');
const { Shutdown } = await import('../../src/shutdown.ts');
const { Hooks } = await import('../../src/hooks.ts');
const { Events } = await import('../../src/events.ts');
const { Controller } = await import('../../src/control/controller.ts');
const { UserError } = await import('../../src/errors.ts');

/** What a world begins with. */
export interface Setup {
  services: readonly RawServiceDir[];
  hasCommand: boolean;
  /** Whether the addon is there. */
  hasReaper: boolean;
  hooks: readonly ('crash' | 'finish')[];
  disabled: readonly string[];
  stopTimeout: Ms;
  settle: Ms;
  gate: 'wait' | 'stale' | 'fail';
}

/** An exchange that is still open. */
interface Asked {
  request: Request;
  reply: Reply | undefined;
  stop: () => void;
}

const TOLD_ENDS = ['died', 'ended', 'stopped', 'done'];

export class World {
  readonly machine = new Machine().enter();
  readonly tree: InstanceType<typeof Tree>;
  readonly shutdown: InstanceType<typeof Shutdown>;
  readonly controller: InstanceType<typeof Controller>;
  readonly setup: Setup;
  /** The exit code, when all is over. */
  exitCode: number | undefined;
  endedAt: Ms = Number.POSITIVE_INFINITY;
  steps = 0;
  /** What is waited for. */
  asked: Asked[] = [];
  /** Lines of our log at `warn` and `error`, and those that tell an end. */
  readonly said = new Map<string, number>();
  readonly mistakes: string[] = [];
  /** Service → lines that told an end of its run. */
  readonly #told = new Map<string, number>();
  readonly events = new Events();
  #stoppedAt: Ms | undefined;
  #dice = 0;
  /** Who was to run when the tree was told to stop, by nobody who interferes. */
  readonly #inOrder = new Set<string>();

  constructor(setup: Setup) {
    this.setup = setup;
    const { machine } = this;
    machine.hooks = new Set(setup.hooks);
    this.#write(setup.services);
    machine.isPrompt = () => this.#coin(4) > 0;
    const log = this.#log({});
    const hooks = new Hooks(10_000, log);
    this.tree = new Tree({
      scandirs: ['/s'],
      package: undefined,
      command: setup.hasCommand ? ['main'] : undefined,
      hasTerminal: false,
      disabled: new Set(setup.disabled),
      enabled: new Set(),
      program: ['node'],
      templater: ['templater'],
      settle: setup.settle,
      gatePolicy: setup.gate === 'wait' ? undefined : { after: 3000, fallback: setup.gate },
      log,
      hooks,
      outputs: undefined,
      native: {} as unknown as Native,
      isOutOfMemory: () => false,
    });
    this.shutdown = new Shutdown({
      tree: this.tree,
      hooks,
      reaper: setup.hasReaper ? this.#reaper() : undefined,
      stopTimeout: setup.stopTimeout,
      exitMap: new Map(),
      log,
      done: (exitCode) => {
        assert.equal(this.exitCode, undefined, 'it was over twice');
        this.exitCode = exitCode;
        this.endedAt = machine.now;
      },
    });
    this.controller = new Controller({
      tree: this.tree,
      scandir: '/s',
      events: this.events,
      stop: () => this.stop(),
    });
    hooks.ended = () => this.shutdown.reaped();
    machine.reaped = () => this.shutdown.reaped();
    machine.asked = (role, owner) => this.#holdStart(role, owner);
    machine.signalled = (process, signal) => this.#holdSignal(process, signal);
    this.tree.listener = {
      changed: (member, before) => {
        this.#holdChange(member, before);
        this.shutdown.changed(member, before);
        this.controller.changed();
      },
      over: (why, name, death) => {
        this.#stoppedAt ??= machine.now;
        this.shutdown.begin(why, name, death);
      },
    };
  }

  /** Gives the machine's timers back. */
  leave(): void {
    this.machine.leave();
  }

  /** @returns whether the tree was taken */
  start(): boolean {
    try {
      this.tree.start();
    } catch (error) {
      this.#mustBeRefusal(error);
      assert.equal(this.machine.children.size + this.machine.births.length, 0, 'refused, and started');
      return false;
    }
    this.hold();
    return true;
  }

  /** One step of anybody, and what follows from it at once. */
  async take(step: () => void): Promise<void> {
    this.steps++;
    step();
    // A finish hook and the commands of templates go on in promises.
    for (let i = 0; i < 6; i++) await undefined;
    this.hold();
  }

  stop(): void {
    this.#stoppedAt ??= this.machine.now;
    this.shutdown.begin('signal', 'SIGTERM');
  }

  /** The same, and nobody orders anything from here on. */
  stopInOrder(): void {
    if (!this.tree.stopping)
      for (const { runner } of this.members)
        if (runner.service.want !== 'down') this.#inOrder.add(runner.name);
    this.stop();
  }

  /** How long the stop has taken by now. */
  get stopTook(): Ms {
    return this.endedAt - (this.#stoppedAt ?? this.endedAt);
  }

  /** What a client asks for; a refusal is an answer. */
  ask(request: Omit<Request, 'v'>): Asked {
    const asked: Asked = { request: { v: 1, ...request }, reply: undefined, stop: () => {} };
    try {
      const answer = this.controller.handle(asked.request);
      if (typeof answer === 'function') this.#exchange(asked, answer);
      else asked.reply = answer;
    } catch (error) {
      this.#mustBeRefusal(error);
      const { message, exitCode } = error as InstanceType<typeof UserError>;
      asked.reply = { v: 1, ok: false, exit: exitCode, error: message };
    }
    return asked;
  }

  /** Other files in the scandir; nobody has read them yet. */
  edit(services: readonly RawServiceDir[]): void {
    this.#write(services);
  }

  get members(): Member[] {
    return [...this.tree.members.values()];
  }

  /** The templater that runs, to speak to the tree. */
  get templater(): FakeSocket | undefined {
    const { pid } = this.tree.members.get('templater')?.runner.service ?? {};
    const process = pid === undefined ? undefined : this.machine.children.get(pid);
    return process?.role === 'run' ? [...process.sockets.values()][0] : undefined;
  }

  /** It says that a service's files have this content. */
  render(service: string, content: string, canGoBack: boolean): void {
    const files = [{ dest: '/x', digest: content, onChange: 'restart' as const }];
    this.templater?.hear(
      encode({ type: 'rendered', service, files, generation: content, canGoBack, mended: false }),
    );
  }

  set dice(dice: number) {
    this.#dice = dice;
  }

  /** Rules of every moment. */
  hold(): void {
    assert.deepEqual(this.mistakes, []);
    const { machine, tree } = this;
    for (const member of this.members) {
      const { runner, asked, problem } = member;
      const { is, want, pid, deadline } = runner.service;
      const child = pid === undefined ? undefined : machine.children.get(pid);
      assert.equal(child === undefined, pid === undefined, `${runner.name}: its pid is nobody's`);
      if (child) {
        assert.equal(child.owner, runner.name);
        assert.equal(child.role, is === 'finishing' ? 'finish' : 'run');
      }
      const living = machine.count('run', runner.name) + machine.count('finish', runner.name);
      assert.ok(living <= 1, `${runner.name}: ${living} children`);
      if (runner.isSettled) assert.equal(living, 0, `${runner.name} is ${is}, and lives`);
      if (is === 'down') assert.equal(want, 'down');
      // Whoever is to start is on its way, or says what it waits for.
      if (asked && !tree.stopping && !problem)
        assert.ok(tree.waitsFor(member).length > 0, `${runner.name} is to start, and waits for nothing`);
      if (asked) assert.ok(['down', 'stopping', 'finishing', 'starting', 'done', 'failed'].includes(is), is);
      if (member.removed) assert.ok(!runner.isSettled, `${runner.name} is gone, and remembered`);
      if (runner.isSettled) assert.equal(deadline, undefined, `${runner.name}: a deadline of nothing`);
      assert.equal(
        this.#told.get(runner.name) ?? 0,
        machine.ends.get(runner.name) ?? 0,
        `${runner.name}: ends that were told, and ends that were`,
      );
    }
    for (const { owner, role } of machine.children.values())
      if (role === 'run' || role === 'finish')
        assert.ok(tree.members.has(owner), `${role} of ${owner}, whom nobody knows`);
    this.asked = this.asked.filter(({ reply }) => !reply);
    if (this.exitCode !== undefined) this.#holdEnd();
  }

  /** Nothing of ours is left. */
  #holdEnd(): void {
    const { machine } = this;
    const left = [...machine.children.values(), ...machine.strays.values()].filter(({ killed }) => !killed);
    assert.deepEqual(
      left.map(({ role, owner }) => `${role} of ${owner}`),
      [],
      'a process was left behind',
    );
  }

  #holdStart(role: string, owner: string): void {
    if (this.exitCode !== undefined) this.mistakes.push(`${role} of ${owner} after the end`);
    if (role !== 'run' && role !== 'finish') return;
    const living = this.machine.count('run', owner) + this.machine.count('finish', owner);
    if (living > 0) this.mistakes.push(`${role} of ${owner} beside another child of it`);
  }

  /** The mirror: whoever is told to stop by the tree's end has nobody above it any more, but for whom SIGKILL does not end. */
  #holdSignal({ role, owner }: Process, signal: number): void {
    if (role !== 'run' || signal !== 15 || !this.#inOrder.has(owner)) return;
    const { service } = this.tree.members.get(owner)?.runner ?? {};
    if (service?.is !== 'stopping' || service.fault !== undefined || service.want !== 'down') return;
    const isThere = ({ runner }: Member): boolean => !runner.isSettled && !runner.isUndying;
    const above = this.tree.dependentsOf(owner).filter(isThere);
    if (above.length > 0)
      this.mistakes.push(`${owner} was told to stop ahead of ${above.map(({ runner }) => runner.name)}`);
  }

  #holdChange(member: Member, before: Service): void {
    const { runner } = member;
    const { service } = runner;
    const isFresh = before.is === 'down' || before.is === 'failed' || before.is === 'done';
    if (service.is === 'starting' && isFresh) {
      const needed = this.tree.dependenciesOf(member).map((other) => other.runner.name);
      if (needed.length > 0) this.mistakes.push(`${runner.name} was started ahead of ${needed}`);
      if (member.problem) this.mistakes.push(`${runner.name} was started, and is refused`);
      if (this.tree.stopping) this.mistakes.push(`${runner.name} was started, and the tree stops`);
      if (runner.config.hasTemplates && !this.tree.gate.isOpen(runner.name))
        this.mistakes.push(`${runner.name} was started ahead of its templates`);
    }
    if (service.death !== before.death && service.death && isUp(before) && before.is === 'done')
      this.mistakes.push(`${runner.name} died, and was done`);
  }

  #exchange(asked: Asked, exchange: Exchange): void {
    let isOver = false;
    let stop: (() => void) | undefined;
    const client = {
      send() {},
      sendLatest() {},
      end: (reply: Reply) => {
        if (isOver) this.mistakes.push(`${asked.request.do} was answered twice`);
        isOver = true;
        asked.reply = reply;
        if (reply.ok) this.#holdAnswer(asked.request);
        stop?.();
      },
    };
    stop = exchange(client);
    asked.stop = stop;
    if (isOver) stop();
    else this.asked.push(asked);
  }

  /** A yes is true when it is said. */
  #holdAnswer({ do: verb, services, until }: Request): void {
    for (const name of services) {
      const member = this.tree.members.get(name);
      const { is } = member?.runner.service ?? { is: 'gone' };
      const isSo = {
        ready: is === 'ready' || is === 'done',
        up: is === 'ready' || is === 'done' || is === 'up',
        // Of what was started once, the end of that run; it may be started again by now.
        down: verb !== 'down' || is === 'gone' || is === 'done' || member?.runner.isSettled === true,
      }[until ?? 'up'];
      if (!isSo) this.mistakes.push(`${verb} ${name} until ${until}: yes, and it is ${is}`);
    }
  }

  #write(services: readonly RawServiceDir[]): void {
    const hooks = this.setup.hooks.length > 0 ? '.supervise' : undefined;
    this.machine.disk = {
      services: [...services],
      scandirs: [{ path: '/s', services: [...services], hooks }],
    };
  }

  #reaper(): Reaper {
    const { machine } = this;
    return {
      hasChildren: () => machine.children.size + machine.strays.size > 0,
    } as unknown as Reaper;
  }

  #log(own: Record<string, unknown>): Log {
    const at =
      (level: 'debug' | 'info' | 'warn' | 'error') =>
      (event: string, fields: Record<string, unknown> = {}): void => {
        if (event === 'mishandled an event') this.mistakes.push(String(fields['error']));
        if (level === 'debug') return;
        this.said.set(event, (this.said.get(event) ?? 0) + 1);
        const service = own['service'];
        if (TOLD_ENDS.includes(event) && typeof service === 'string')
          this.#told.set(service, (this.#told.get(service) ?? 0) + 1);
        this.events.record(level, 0, event, { ...own, ...fields });
      };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (more) => this.#log({ ...own, ...more }),
    };
  }

  #mustBeRefusal(error: unknown): void {
    if (!(error instanceof UserError)) throw error;
  }

  /** Below `sides`; from the dice that were thrown last, so that a run can be repeated. */
  #coin(sides: number): number {
    this.#dice = (Math.imul(this.#dice, 1_664_525) + 1_013_904_223) >>> 0;
    return (this.#dice >>> 8) % sides;
  }

  coin = (sides: number): number => this.#coin(sides);
}

/** The logger of a service, where its directory has one. */
export function loggerDir(service: RawServiceDir, log: RawServiceDir): RawServiceDir {
  return { ...log, name: loggerOf(service.name), path: `${service.path}/log`, run: { is: 'ok' } };
}
