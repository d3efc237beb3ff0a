import type { Socket } from 'node:net';
import type { Ms } from './core/duration.ts';
import { type Death, isAlive, type Service, type Verdict } from './core/lifecycle.ts';
import { LINK_ENV } from './core/link.ts';
import { MAIN_COMMAND, ownerOf, type Problem, type RawServiceDir } from './core/servicedir.ts';
import { TEMPLATER } from './core/services.ts';
import type { Found } from './found.ts';
import type { Log } from './log.ts';
import { Loggers } from './loggers.ts';
import type { Native } from './os/native.ts';
import { makePipe, openToOthers } from './os/pipe.ts';
import type { Outputs, ServiceOutput } from './output/outputs.ts';
import { type RunOptions, ServiceRunner, type ServiceStreams } from './service.ts';

/** One service of the tree. */
export interface Member {
  runner: ServiceRunner;
  /** Why it cannot be started, as its directory was last read. */
  problem: Problem | undefined;
  /** An order to start that still waits: for dependencies, for templates, or until its directory is mended. */
  asked: 'up' | 'once' | undefined;
  /** What its files were like when they were last read. */
  stamps: RawServiceDir['stamps'];
  /** Its output, where it is captured. */
  output: ServiceOutput | undefined;
  /** Its directory is gone: it is forgotten once it is down. */
  removed: boolean;
}

export interface WiringOptions extends Pick<RunOptions, 'program' | 'isOutOfMemory'> {
  /** Whether the main command gets the terminal. */
  hasTerminal: boolean;
  log: Log;
  /** Where the services' output is captured. */
  outputs: Outputs | undefined;
  native: Native | undefined;
}

/** What the members tell the tree. */
export interface MemberListener {
  changed(member: Member, before: Service): void;
  died(member: Member, death: Death): void;
  heldUntil(member: Member): Ms | undefined;
  crashed(member: Member, death: Death, next: Verdict): void;
  over(member: Member, death: Death): void;
  /** The templater was started, and this is the other end of its link. */
  connected(member: Member, socket: Socket): void;
  /** It goes for good at its next stop. */
  isLeaving(member: Member): boolean;
}

/** Makes the members of a tree: where the input and the output of each lead, and how each is ended. */
export class Wiring {
  readonly #options: WiringOptions;
  readonly #listener: MemberListener;
  readonly #loggers: Loggers | undefined;

  constructor(options: WiringOptions, listener: MemberListener) {
    const { native } = options;
    this.#options = options;
    this.#listener = listener;
    this.#loggers = native && new Loggers(() => makePipe(native));
  }

  /** Whether there are pipes for loggers to be had, which takes the addon. */
  get hasPipes(): boolean {
    return this.#loggers !== undefined;
  }

  /** A service that nobody has started yet. */
  make({ config, problem, stamps }: Found): Member {
    const { name } = config;
    const { program, isOutOfMemory, outputs, log } = this.#options;
    const { changed, died, heldUntil, crashed, over, connected } = this.#listener;
    const options: RunOptions = { program, isOutOfMemory };
    // Who has the terminal writes to it as well.
    const foreground = name === MAIN_COMMAND && this.#options.hasTerminal;
    const isOurs = name === TEMPLATER && config.command !== undefined;
    const output = foreground ? undefined : outputs?.of(name, isOurs);
    if (foreground) options.foreground = true;
    else options.streams = this.#streamsOf(name, output, () => member.runner.config.hasLogger);
    if (name === MAIN_COMMAND) options.stdin = 'inherit';
    if (name === TEMPLATER)
      options.link = {
        fd: config.notificationFd === 3 ? 4 : 3,
        env: LINK_ENV,
        connected: (socket) => connected(member, socket),
      };
    if (ownerOf(name) !== undefined) options.hangUp = () => this.#hangUp(member);
    const runner = new ServiceRunner(
      config,
      log,
      {
        changed: ({ service }, before) => {
          if (!isAlive(service) && service.is !== 'backoff') output?.rest();
          changed(member, before);
        },
        died: (_runner, death) => died(member, death),
        heldUntil: () => heldUntil(member),
        crashed: (_runner, death, next) => crashed(member, death, next),
        over: (_runner, death) => over(member, death),
      },
      options,
    );
    const member: Member = { runner, problem, asked: undefined, stamps, output, removed: false };
    return member;
  }

  /** Whether a service may have a process which writes to its logger. */
  isWriting(name: string): boolean {
    return this.#loggers?.isWriting(name) ?? false;
  }

  /** A service is gone, and what was kept for it. */
  forget(name: string): void {
    this.#options.outputs?.forget(name);
    this.#loggers?.forget(name);
  }

  /** Where a service's stdin and output lead, at each start of a process anew. */
  #streamsOf(name: string, captured: ServiceOutput | undefined, hasLogger: () => boolean): ServiceStreams {
    const loggers = this.#loggers;
    return {
      input: () => (ownerOf(name) === undefined ? undefined : loggers?.stdinOf(name)),
      output: (other) => {
        if (other && !captured) openToOthers();
        const streams = captured?.output() ?? {};
        return loggers && hasLogger() ? { ...streams, stdout: loggers.stdoutOf(name) } : streams;
      },
      ended: () => {
        captured?.ended();
        loggers?.ended(name);
      },
    };
  }

  /** A logger that goes for good goes by the end of its input. */
  #hangUp(member: Member): (() => void) | undefined {
    const loggers = this.#loggers;
    return loggers && this.#listener.isLeaving(member) ? () => loggers.hangUp(member.runner) : undefined;
  }
}
