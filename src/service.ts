import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { heed, NO_HABITS } from './core/advice.ts';
import type { Ms } from './core/duration.ts';
import {
  type Death,
  type Effect,
  type Event,
  FINISH_NO_RESTART,
  isAlive,
  newService,
  type Service,
  step,
  type Verdict,
  verdict,
} from './core/lifecycle.ts';
import { MAIN_COMMAND, type ServiceConfig } from './core/servicedir.ts';
import { endName, signalName } from './core/signals.ts';
import { causeOf, describe, EXIT } from './errors.ts';
import type { Log } from './log.ts';
import { isOurs } from './os/account.ts';
import { isChild } from './os/children.ts';
import { Alarm, now } from './os/clock.ts';
import { execAsArgs, type OwnEnvironment, withOwn, withOwnVeiled } from './os/exec.ts';
import { isDirectory, withoutLinks } from './os/files.ts';
import { killGroup, send, setsGroups, startProcess } from './os/spawn.ts';
import type { SpawnEvents, SpawnSpec } from './os/spawn-spec.ts';
import { inTurn } from './os/turns.ts';
import { Probes } from './probes.ts';

/** More than anybody writes ahead of the newline that means ready. */
const MOST_UNREADY_BYTES = 1_048_576;
/** What SIGKILL has not ended by then it may never end: the kernel holds it, or a tracer, or it is not ours to kill. */
export const DYING: Ms = 500;
export const UNDYING_HINT =
  'its state in /proc/PID/status: D, it waits for a device or a file system; a TracerPid, that holds it; else we lack CAP_KILL';

/** What a service tells the tree. None of these may throw. */
export interface ServiceListener {
  /** After every change, whatever it was. */
  changed(runner: ServiceRunner, before: Service): void;
  /** A run ended. What follows is decided, and none of it begun. */
  died(runner: ServiceRunner, death: Death): void;
  /** Until when it is not to be started, if at all: its files are about to change. */
  heldUntil(runner: ServiceRunner): Ms | undefined;
  /** A crash whose consequence is decided. */
  crashed(runner: ServiceRunner, death: Death, next: Verdict): void;
  /** It ended and will not be started again by itself. */
  over(runner: ServiceRunner, death: Death): void;
}

/** Where a service's stdin and output lead, if they are not ours. */
export interface ServiceStreams {
  /** What its `run` reads; undefined for nothing. @throws the system's error */
  input(): number | undefined;
  /**
   * For its next process.
   * @param other it runs as another user than we
   * @throws the system's error where there are no pipes to be had
   */
  output(other: boolean): { stdout?: number | undefined; stderr?: number | undefined };
  /** Its `run` or `finish` ended: what that wrote goes ahead of the words of its end. */
  ended(): void;
}

/** How the `run` of one service is executed, where that is not the plain case. */
export interface RunOptions {
  /** This program, for what must happen in the child before it is executed (os/exec.ts). */
  program: readonly [string, ...string[]];
  /** More descriptors to us, besides the one for readiness. */
  link?: { fd: number; env: string; connected: (socket: Socket) => void };
  stdin?: 'inherit';
  /** It gets the terminal on stdin, in whose foreground it runs. */
  foreground?: true;
  streams?: ServiceStreams;
  /** Whether a SIGKILL that we did not send was the kernel's, for lack of memory. */
  isOutOfMemory: () => boolean;
  /** Another way than the stop signal to end it; asked for before each stop. */
  hangUp?: () => (() => void) | undefined;
}

/**
 * One service: takes events in their order, lets core/lifecycle decide, announces the change, carries out the effects.
 * Nothing else changes a service's state.
 */
export class ServiceRunner {
  service: Service = newService(now());
  /** Wall-clock time of the last change of state, for people. */
  changedAt = Date.now();
  /** The same of the last end of `run`. */
  diedAt = Date.now();
  /** Settings; a new one takes effect at the next start or stop. */
  config: ServiceConfig;
  readonly log: Log;
  readonly #listener: ServiceListener;
  readonly #options: RunOptions;
  readonly #alarm = new Alarm(() => this.send({ type: 'timeout' }));
  /** The end of the wait for a child that was killed. */
  readonly #dying = new Alarm(() => this.#giveUp());
  #isUndying = false;
  #startedAs: ServiceConfig['type'] = 'longrun';
  /** Where its run says that it is ready. */
  #readyAt: number | undefined;
  /** The directory of its last run, which is its finish's too: a link to it may be gone by then, or lead elsewhere. */
  #ranIn: string | undefined;
  #queue: Event[] = [];
  #stepping = false;
  #sockets: Socket[] = [];
  #habits = NO_HABITS;
  readonly #probes: Probes;

  constructor(config: ServiceConfig, log: Log, listener: ServiceListener, options: RunOptions) {
    this.config = config;
    this.log = log.child({ service: config.name });
    this.#listener = listener;
    this.#options = options;
    this.#probes = new Probes({
      log: this.log,
      start: (program, events) => this.#spawn([`./${program}`, this.name], {}, events),
      send: (event) => this.send(event),
    });
  }

  /** How its check or its health was answered last, where that was no yes. */
  get complaint(): string | undefined {
    if (this.#isUndying) return `SIGKILL has not ended process ${this.service.pid}`;
    return this.#probes.complaint ?? this.#silence;
  }

  /** It has yet to say that it is ready. */
  get #silence(): string | undefined {
    const waits = this.service.is === 'up' && this.#startedAs === 'longrun' && this.#readyAt !== undefined;
    return waits ? `nothing written to descriptor ${this.#readyAt} yet` : undefined;
  }

  get name(): string {
    return this.config.name;
  }

  /** Down or failed, with no child of its own alive. */
  get isSettled(): boolean {
    return !isAlive(this.service) && (this.service.is === 'down' || this.service.is === 'failed');
  }

  /** Its child was killed and does not die: there may be no end to wait for. */
  get isUndying(): boolean {
    return this.#isUndying;
  }

  /** Takes an event. One that comes while another is being taken waits its turn. */
  send(event: Event): void {
    this.#queue.push(event);
    if (this.#stepping) return;
    this.#stepping = true;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      try {
        this.#take(next);
      } catch (error) {
        // A mistake of ours must not wedge this service, and must not reach any other.
        this.log.error('mishandled an event', { event: next.type, error: describe(error) });
      }
    }
    this.#stepping = false;
  }

  /** Starts a program of this service beside its run. */
  start(argv: SpawnSpec['argv'], events: SpawnEvents): void {
    this.#spawn(argv, {}, events);
  }

  /** A signal to the living `run`. Returns whether there was one. */
  signal(number: number): boolean {
    const { is, pid } = this.service;
    return (is === 'up' || is === 'ready' || is === 'stopping') && pid !== undefined && send(pid, number);
  }

  #take(event: Event): void {
    const before = this.service;
    // What it was started as, it is to its end.
    const config = { ...this.config, type: isAlive(before) ? this.#startedAs : this.config.type };
    const { next, effects } = step(before, event, config, now());
    this.service = next;
    if (next !== before) {
      if (next.is !== before.is) this.changedAt = Date.now();
      if (next.death !== before.death) this.diedAt = Date.now();
      this.#announce(before, next);
      this.#alarm.arm(next.deadline);
      this.#awaitDeath(before, next);
      if (next.is !== before.is || next.pid !== before.pid) this.#probes.follow(next.is, config);
    }
    if (next.death && next.death !== before.death) this.#listener.died(this, next.death);
    for (const effect of effects) this.#perform(effect);
    if (next !== before) this.#listener.changed(this, before);
  }

  /** One change of state, one line. */
  #announce(before: Service, next: Service): void {
    const { log } = this;
    if (next.death !== before.death && next.death) this.#announceDeath(next, next.death);
    if (next.killed && !before.killed && next.pid !== undefined)
      log.warn(next.is === 'finishing' ? 'killed finish' : 'killed', {
        pid: next.pid,
        afterMs: Math.round(now() - next.since),
      });
    if (next.is === before.is) return;
    if ((next.is === 'ready' || next.is === 'up') && before.is === 'starting') {
      const waits = next.is === 'up' && this.config.type === 'longrun';
      log.info(waits ? 'started, not ready yet' : 'started', { pid: next.pid });
    } else if (next.is === 'ready')
      log.info('ready', { pid: next.pid, afterMs: Math.round(now() - next.startedAt) });
    else if (next.is === 'stopping')
      log.info('stopping', {
        pid: next.pid,
        signal: this.#options.hangUp?.() ? undefined : signalName(this.config.downSignal),
        reason: next.fault,
      });
    else if (next.is === 'failed' && !this.config.essential)
      log.error('failed', { crashes: next.crashes, hint: `mend it, then: supervise up ${this.name}` });
    else log.debug(next.is, { pid: next.pid });
  }

  /** Who was killed is dead at once, as a rule. */
  #awaitDeath(before: Service, next: Service): void {
    const dying = next.killed ? next.pid : undefined;
    if (dying === (before.killed ? before.pid : undefined)) return;
    this.#isUndying = false;
    this.#dying.arm(dying === undefined ? undefined : now() + DYING);
  }

  #giveUp(): void {
    const { pid } = this.service;
    // Where we were held up ourselves, the word of its death is still to be read.
    setImmediate(() => {
      if (this.service.pid !== pid || !this.service.killed) return;
      this.#isUndying = true;
      this.log.error('could not kill', { pid, hint: UNDYING_HINT });
      this.#listener.changed(this, this.service);
    });
  }

  #announceDeath(next: Service, death: Death): void {
    const fields = {
      code: death.signal === 0 ? death.code : undefined,
      signal: death.signal === 0 ? undefined : signalName(death.signal),
      reason: death.reason,
      ranMs: Math.round(death.ranMs),
    };
    if (death.kind === 'stopped') {
      this.log.info('stopped', fields);
      return;
    }
    if (this.name === MAIN_COMMAND) {
      this.log[death.kind === 'crash' ? 'warn' : 'info']('ended', fields);
      return;
    }
    const after = verdict(next, this.config, next.since);
    if (after.to === 'done') {
      this.log.info('done', { ranMs: fields.ranMs });
      return;
    }
    const delayMs = after.to === 'restart' ? Math.round(after.delayMs) : undefined;
    const crashes = death.kind === 'crash' ? next.crashes : undefined;
    const level = death.kind === 'crash' ? 'warn' : 'info';
    this.log[level](death.kind === 'crash' ? 'died' : 'ended', {
      ...fields,
      crashes,
      next: after.to,
      delayMs,
    });
  }

  #perform(effect: Effect): void {
    this.log.debug('did', { effect: effect.do });
    switch (effect.do) {
      case 'run': {
        const until = this.#listener.heldUntil(this);
        // Ahead of all that waits its turn: that finds no start which is none.
        if (until !== undefined) this.#queue.unshift({ type: 'hold', until });
        else inTurn(() => this.#run());
        break;
      }
      case 'finish':
        inTurn(() => this.#finish(effect.death));
        break;
      case 'term':
        (this.#options.hangUp?.() ?? (() => send(effect.pid, this.config.downSignal)))();
        // A stopped process (SIGSTOP, SIGTSTP) takes its signal only when it goes on.
        send(effect.pid, constants.signals.SIGCONT);
        break;
      case 'kill':
        killGroup(effect.pid);
        break;
      case 'sweep':
        this.#sweep(effect.pgid);
        break;
      case 'crashed':
        this.#listener.crashed(this, effect.death, effect.next);
        break;
      case 'over':
        this.#listener.over(this, effect.death);
        break;
    }
  }

  #sweep(pgid: number): void {
    // A group outlives its leader, and so does its number, unless nobody was left and the number went to a new child.
    const left = !isChild(pgid) && send(-pgid, constants.signals.SIGKILL);
    if (left) this.log.debug('swept', { pgid });
    const { death } = this.service;
    if (!death || this.name === MAIN_COMMAND) return;
    const { habits, advice } = heed(this.#habits, { death, left }, this.config);
    this.#habits = habits;
    if (advice) this.log.warn(advice.event, advice.fields);
  }

  #run(): void {
    this.#startedAs = this.config.type;
    const { link, foreground, streams } = this.#options;
    const { command, notificationFd, name, path } = this.config;
    this.#readyAt = notificationFd;
    this.#ranIn = path === undefined ? undefined : withoutLinks(path);
    const argv = (command ?? ['./run', name]) as SpawnSpec['argv'];
    this.#spawn(
      argv,
      {
        stdin: this.#options.stdin ?? (() => streams?.input()),
        session: foreground ? 'foreground' : true,
        pipes: link ? [link.fd] : [],
        readiness: notificationFd,
      },
      {
        spawned: (pid, sockets) => {
          this.#sockets = [...sockets.values()];
          for (const socket of this.#sockets) socket.on('error', () => {});
          if (notificationFd !== undefined) this.#awaitReadiness(sockets.get(notificationFd));
          const socket = link && sockets.get(link.fd);
          if (socket) link.connected(socket);
          this.send({ type: 'spawned', pid });
        },
        refused: (code, reason) => this.send({ type: 'refused', code, reason }),
        exited: (code, signal) => {
          streams?.ended();
          for (const socket of this.#sockets) socket.destroy();
          this.#sockets = [];
          const strange = signal === constants.signals.SIGKILL && !this.service.killed;
          const reason = strange && this.#options.isOutOfMemory() ? 'oom' : undefined;
          this.send({ type: 'exited', code, signal, reason });
        },
      },
    );
  }

  /** Ready is one newline (s6); what comes after it nobody reads. */
  #awaitReadiness(socket: Socket | undefined): void {
    let read = 0;
    socket?.on('data', (bytes: Buffer) => {
      read += bytes.length;
      if (!bytes.includes(0x0a)) {
        // It says something else, and perhaps without end: that would be our time and memory.
        if (read > MOST_UNREADY_BYTES) socket.pause();
        return;
      }
      socket.destroy();
      this.send({ type: 'notified' });
    });
  }

  #finish({ code, signal, pgid }: Death): void {
    const args = [code, signal, this.name, pgid ?? 0].map(String);
    this.#spawn(
      ['./finish', ...args],
      { cwd: this.#ranIn !== undefined && isDirectory(this.#ranIn) ? this.#ranIn : this.config.path },
      {
        spawned: (pid) => this.send({ type: 'spawned', pid }),
        refused: (refusedCode, reason) => {
          this.log.warn('could not run finish', { reason });
          this.send({ type: 'refused', code: refusedCode, reason });
        },
        exited: (exitCode, exitSignal) => {
          this.#options.streams?.ended();
          const failed = exitSignal !== 0 || exitCode !== 0;
          if (failed)
            this.log.debug('finish failed', { end: endName({ code: exitCode, signal: exitSignal }) });
          if (exitCode === FINISH_NO_RESTART && exitSignal === 0)
            this.log.info('finish said: do not restart');
          this.send({ type: 'exited', code: exitSignal === 0 ? exitCode : 256, signal: exitSignal });
        },
      },
    );
  }

  /** Any program of this service: in its directory, as its user, with its environment. */
  #spawn(
    argv: SpawnSpec['argv'],
    special: Partial<Pick<SpawnSpec, 'cwd' | 'session' | 'pipes' | 'readiness'>> & {
      stdin?: 'inherit' | (() => number | undefined);
    },
    events: SpawnEvents,
  ): void {
    const { account, path } = this.config;
    const { cwd = path, session = true, pipes = [], readiness } = special;
    let stdin: SpawnSpec['stdin'] = 'ignore';
    const other = account && !isOurs(account) ? account : undefined;
    let output: ReturnType<ServiceStreams['output']> = {};
    try {
      if (special.stdin) stdin = special.stdin === 'inherit' ? 'inherit' : (special.stdin() ?? 'ignore');
      output = this.#options.streams?.output(other !== undefined) ?? {};
    } catch (error) {
      setImmediate(() => events.refused(EXIT.system, `cannot make a pipe for its output: ${causeOf(error)}`));
      return;
    }
    const launch = other && other.groups.length > 0 && !setsGroups();
    startProcess(
      {
        argv: launch ? [...this.#options.program, ...execAsArgs(other), ...argv] : argv,
        cwd,
        env: launch ? withOwnVeiled(this.#environment) : withOwn(this.#environment),
        user: launch ? undefined : other,
        stdin,
        ...output,
        session,
        pipes,
        readiness,
      },
      events,
    );
  }

  /** The user's own places, and what `env/` says above all. */
  get #environment(): OwnEnvironment {
    const { account, env } = this.config;
    const { link } = this.#options;
    const { name, home } = account ?? {};
    return {
      ...(name === undefined ? {} : { USER: name, LOGNAME: name }),
      ...(home ? { HOME: home } : {}),
      ...env,
      ...(link ? { [link.env]: String(link.fd) } : {}),
    };
  }
}
