import type { Goal } from '../core/goal.ts';
import { signalName } from '../core/signals.ts';
import { EXIT, UserError } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Member } from '../member.ts';
import type { Tree } from '../tree.ts';
import { tellOutput } from './output.ts';
import { agree, type EventRecord, type Order, type Ordered, type Request, readSignal } from './protocol.ts';
import type { Exchange, Handler } from './server.ts';
import { membersOf, notWell, serviceStatus, statusOf } from './state.ts';
import { Waiters } from './waiters.ts';

/** Changes that come together are one table. */
const GATHER_MS = 50;

export interface ControllerOptions {
  tree: Tree;
  scandir: string | undefined;
  events: Events;
  /** Stops the tree. */
  stop: () => void;
}

/** What the control verbs do to the tree. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #waiters: Waiters;
  /** Those who watch `status`. */
  readonly #watchers = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#waiters = new Waiters(options.tree);
    // Not every change is one of a service: what it lacks, what is known of its directory, the tree's own end.
    options.events.listen(() => this.changed());
  }

  /** A service, or what is known of one, is other than it was. */
  changed(): void {
    this.#waiters.look();
    if (this.#watchers.size === 0 || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      for (const tell of this.#watchers) tell();
    }, GATHER_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const tell of this.#watchers) tell();
    this.#waiters.close();
  }

  /** @throws UserError, which is the refusal */
  handle(request: Request): ReturnType<Handler> {
    const { tree, scandir, stop } = this.#options;
    const { services } = request;
    switch (request.do) {
      case 'status':
        return request.follow ? this.#watch(services) : agree(statusOf(tree, scandir, services));
      case 'check':
        return agree(notWell(tree, services));
      case 'events':
        return this.#tellEvents(services, request.follow ?? false);
      case 'logs':
        return tellOutput(tree, services, request.follow ?? false);
      case 'rescan':
        if (tree.stopping) throw new UserError('cannot rescan: the tree is stopping', { exitCode: EXIT.no });
        return agree(tree.rescan());
      case 'wait':
        return this.#wait(request);
      case 'stop':
        // Whoever ordered it waits for our end, which ends every exchange.
        return (client) => {
          client.send(null);
          stop();
          return () => {};
        };
      default:
        return this.#order(request.do, request);
    }
  }

  /** All is looked up before the first is touched: an order is taken whole or not at all. */
  #order(verb: Order, request: Request): ReturnType<Handler> {
    const { services, until, timeoutMs } = request;
    const { tree } = this.#options;
    const members = named(tree, verb, services);
    if (until !== undefined && !GOALS_OF[verb].includes(until))
      throw new UserError(`cannot ${verb}: it never makes a service ${until}`);
    const names = members.map(({ runner }) => runner.name);
    if (verb === 'up' || verb === 'once' || verb === 'restart') tree.refresh(names);
    if (verb === 'restart') tree.mustRestart(names);
    const ends = new Map(members.map(({ runner }) => [runner.name, runner.service.death]));
    this.#carryOut(verb, members, request.signal);
    // What was asked for and waits is no change of any service.
    this.changed();
    const result = (): Ordered => ({
      services: members.map((member) => {
        const { name, is, waitsFor } = serviceStatus(tree, member);
        return { name, is, waitsFor };
      }),
    });
    if (until === undefined) return agree(result());
    // `down` is down; of an order that starts, it is the end of that run which is waited for.
    const wish = { verb, services, until, timeoutMs, ...(verb === 'down' ? {} : { ends }) };
    if (verb === 'reload' && until !== 'down') Object.assign(wish, { signalled: true });
    return this.#waiters.wait(wish, result(), result);
  }

  #carryOut(verb: Order, members: readonly Member[], signal: string | undefined): void {
    const { tree } = this.#options;
    const names = members.map(({ runner }) => runner.name);
    switch (verb) {
      case 'up':
      case 'once':
        for (const name of names) tree.up(name, verb === 'once');
        break;
      case 'down':
        for (const name of names) tree.down(name);
        break;
      case 'restart':
        for (const name of names) tree.restart(name);
        break;
      case 'reload':
        mustRun(verb, members);
        for (const name of names) tree.reload(name);
        break;
      case 'signal':
        sendSignal(members, signal);
        break;
    }
  }

  #wait({ services, until, timeoutMs }: Request): Exchange {
    named(this.#options.tree, 'wait', services);
    if (until === undefined) throw new UserError('cannot wait: expected what for: ready, up or down');
    return this.#waiters.wait({ verb: 'wait', services, until, timeoutMs }, null, () => null);
  }

  /** A table now, and at each change; one that is not read in time is left out for the next. */
  #watch(services: readonly string[]): Exchange {
    const { tree, scandir } = this.#options;
    membersOf(tree, services);
    return (client) => {
      // One of those named may go with its directory.
      const get = (): unknown =>
        statusOf(
          tree,
          scandir,
          services.length > 0 ? services.filter((name) => tree.members.has(name)) : services,
        );
      const tell = (): void => client.sendLatest(get);
      tell();
      this.#watchers.add(tell);
      return () => this.#watchers.delete(tell);
    };
  }

  #tellEvents(services: readonly string[], follow: boolean): ReturnType<Handler> {
    const { tree, events } = this.#options;
    const isWanted = ({ service }: EventRecord): boolean =>
      services.length === 0 || (service !== null && services.includes(service));
    const past = events.list().filter(isWanted);
    // What is forgotten may still have events; what has neither is a mistake.
    for (const name of services) if (!past.some(({ service }) => service === name)) tree.find(name);
    if (!follow) return agree(past);
    return (client) => {
      client.send(past);
      return events.listen((event) => {
        if (isWanted(event)) client.send([event]);
      });
    };
  }
}

/** What each order can be waited for until. */
const GOALS_OF: Readonly<Record<Order, readonly Goal[]>> = {
  up: ['ready', 'up', 'down'],
  once: ['ready', 'up', 'down'],
  down: ['down'],
  restart: ['ready', 'up', 'down'],
  reload: ['ready', 'up', 'down'],
  signal: [],
};

function named(tree: Tree, verb: string, services: readonly string[]): Member[] {
  if (services.length === 0) throw new UserError(`cannot ${verb}: expected the name of a service`);
  return [...new Set(services)].map((name) => tree.find(name));
}

function mustRun(verb: string, members: readonly Member[]): void {
  for (const { runner } of members) {
    const { is, pid } = runner.service;
    if (pid === undefined || is === 'finishing')
      throw new UserError(`cannot ${verb} "${runner.name}": it is ${is}`, { exitCode: EXIT.no });
  }
}

function sendSignal(members: readonly Member[], text: string | undefined): void {
  if (text === undefined) throw new UserError('cannot signal: expected a signal');
  const number = readSignal(text);
  mustRun('signal', members);
  for (const { runner } of members)
    if (runner.signal(number)) runner.log.info('signalled', { signal: signalName(number) });
}
