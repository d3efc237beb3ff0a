import type { Rescanned } from './control/protocol.ts';
import { type Action, kindOf } from './core/action.ts';
import { formatDuration, type Ms } from './core/duration.ts';
import type { StopReason } from './core/exit.ts';
import { type Death, isAlive, isUp, type Service, type Verdict } from './core/lifecycle.ts';
import { checkOrder, dependentsOf } from './core/order.ts';
import {
  bareConfig,
  loggerOf,
  MAIN_COMMAND,
  ownerOf,
  type Problem,
  type ServiceConfig,
  takesEffect,
} from './core/servicedir.ts';
import { isDisabled, TEMPLATER } from './core/services.ts';
import { endName, parseSignal } from './core/signals.ts';
import { didYouMean, EXIT, UserError } from './errors.ts';
import { changedFiles, type Found, findServices, stopsBehind } from './found.ts';
import { Gate } from './gate.ts';
import { type GatePolicy, GateTimeout } from './gate-timeout.ts';
import type { Hooks } from './hooks.ts';
import type { Log } from './log.ts';
import { type Member, Wiring, type WiringOptions } from './member.ts';
import { now } from './os/clock.ts';
import { isDirectory } from './os/files.ts';
import { missingInterpreter } from './os/interpreter.ts';
import type { Package } from './os/package.ts';
import { type RawScandirs, readScandirs } from './os/scandir.ts';
import { Patience } from './patience.ts';
import { Rollouts } from './rollout.ts';
import type { ServiceRunner } from './service.ts';
import { inWords, type Lack, Waiting } from './waiting.ts';

/** A service's name is a file's; more of a wrong one need not be said. */
const MOST_NAME = 255;

export interface TreeOptions extends WiringOptions {
  /** Absolute; of two services of one name the later one's counts. Empty for a main command without services. */
  scandirs: readonly string[];
  /** The package that was installed or found. */
  package: Package | undefined;
  command: readonly string[] | undefined;
  /** Services that are not started at boot, and for whom nobody waits. */
  disabled: ReadonlySet<string>;
  /** Services that are started at boot in spite of their `down` file. */
  enabled: ReadonlySet<string>;
  /** The built-in templater's `run`. */
  templater: readonly string[];
  /** How long a service has to become and to stay ready on new config; 0: config is never taken back. */
  settle: Ms;
  /** What becomes of services whose templates are not rendered in time. */
  gatePolicy: GatePolicy | undefined;
  hooks: Hooks;
}

/** A service is not started on files that are being taken back, for so long. */
const MOST_HELD: Ms = 2000;
/** An essential service that is over has so long to get its previous files back; a templater that died is up again by then. */
const MOST_TAKING_BACK: Ms = 5000;

/** What the tree tells `shutdown.ts`, which alone decides how it ends. */
export interface TreeListener {
  /** Something that nobody ordered ends the tree: an essential service or the main command is over. */
  over(why: StopReason, name: string, death: Death): void;
  changed(member: Member, before: Service): void;
}

/** The scandir as it runs: who exists, who waits for whom, what is started when. */
export class Tree {
  readonly members = new Map<string, Member>();
  readonly gate: Gate;
  readonly rollouts: Rollouts;
  /** Nothing is started any more. */
  stopping = false;
  /** It was read once; until then there is nothing to read again. */
  #begun = false;
  listener: TreeListener = { over() {}, changed() {} };
  readonly #options: TreeOptions;
  readonly #log: Log;
  #dependents = new Map<string, string[]>();
  readonly #patience: GateTimeout;
  /** Essential services that are over until their previous files are back. */
  readonly #comeback = new Patience(MOST_TAKING_BACK, (name) => this.#endUnsaved(name));
  readonly #waiting = new Waiting({
    lacksOf: (name) => this.#lacksOf(name),
    log: (name) => this.members.get(name)?.runner.log,
  });
  readonly #wiring: Wiring;

  constructor(options: TreeOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#wiring = new Wiring(options, {
      changed: (member, before) => this.#changed(member, before),
      died: ({ runner }, death) => {
        if (!this.stopping) this.rollouts.died(runner.name, death);
      },
      heldUntil: ({ runner }) => this.#takenBackBy(runner.name, MOST_HELD),
      crashed: (member, death, next) => this.#crashed(member, death, next),
      over: ({ runner }, death) => this.#over(runner, death),
      connected: (member, socket) => this.gate.connected(socket, () => this.#unheard(member)),
      isLeaving: ({ removed }) => removed || this.stopping,
    });
    this.gate = new Gate(options.log.child({ service: TEMPLATER }), {
      isKnown: (name) => this.members.has(name),
      judgements: () => this.rollouts.judgements(),
      rendered: (report, first) => {
        this.#patience.forget(report.service);
        this.rollouts.rendered(report);
        if (first) this.#advance(report.service);
      },
      waiting: (name) => {
        this.#patience.look(name);
        this.#advance(name);
      },
    });
    this.rollouts = new Rollouts(options.settle, {
      find: (name) => {
        const member = this.members.get(name);
        if (!member) return undefined;
        const { runner, asked } = member;
        return { runner, wanted: !this.stopping && !asked && runner.service.want !== 'down' };
      },
      act: (runner, action) => this.#act(runner, action),
      judged: (judgement) => this.gate.judged(judgement),
    });
    this.#patience = new GateTimeout(options.gatePolicy, {
      openStale: (name) => this.#openStale(name),
      fail: (name, within) => this.#failAtGate(name, within),
    });
  }

  /**
   * Reads the scandir and starts all that can start.
   * @throws UserError when the tree is refused: nothing was started then
   */
  start(): void {
    this.#begun = true;
    const { scandirs, command, hooks } = this.#options;
    const raw = scandirs.length === 0 ? undefined : readScandirs(scandirs);
    hooks.scandirs = raw?.scandirs ?? [];
    const found = raw ? this.#read(raw) : [];
    if (command) {
      const config: ServiceConfig = {
        ...bareConfig(MAIN_COMMAND, command),
        restart: 'never',
        essential: true,
        // As under tini: it ends when it ends, within the budget of the whole stop.
        timeoutKill: undefined,
      };
      const waitsFor = found
        .filter(({ config, problem }) => !config.down && !problem && !ownerOf(config.name))
        .map(({ config }) => config.name);
      found.push({ config: { ...config, dependencies: waitsFor }, problem: undefined, stamps: new Map() });
    }
    checkOrder(new Map(found.map(({ config }) => [config.name, stopsBehind(config)])));
    const fatal = found.find(
      ({ config, problem }) => config.essential && problem && !this.isDisabled(config),
    );
    if (fatal?.problem) throw toUserError(fatal.problem);
    for (const each of found) this.#add(each);
    this.#relate();
    this.#tellSwitches();
    if (this.members.size === 0)
      this.#log.warn('found no services', { scandir: scandirs.join(', ') || undefined });
    const wanted = [...this.members.values()].filter(({ runner }) => !runner.config.down);
    for (const member of wanted) member.asked = 'up';
    for (const member of wanted) this.#advance(member.runner.name);
  }

  /**
   * Reads the scandir again: adds what is new, stops what is gone, takes over changed settings. A SIGHUP may come ahead of
   * `start`, which reads it anyway.
   * @param by an order, which is also one to try again what was bad; or the look at what has changed on disk
   * @throws UserError when it cannot be read or ordered: nothing changes then
   */
  rescan(by: 'order' | 'watch' = 'order'): Rescanned {
    const { scandirs, hooks } = this.#options;
    const result: Rescanned = { added: [], removed: [], changed: [], files: {}, problems: [] };
    if (scandirs.length === 0 || this.stopping || !this.#begun) return result;
    const raw = readScandirs(scandirs);
    const found = this.#read(raw);
    const names = new Set(found.map(({ config }) => config.name));
    const command = this.members.get(MAIN_COMMAND)?.runner;
    // For what is gone the main command waits no more.
    const needed = command?.config.dependencies.filter((name) => names.has(name)) ?? [];
    const order = new Map(found.map(({ config }) => [config.name, stopsBehind(config)]));
    if (command) order.set(MAIN_COMMAND, needed);
    checkOrder(order);
    if (command) command.config = { ...command.config, dependencies: needed };
    hooks.scandirs = raw.scandirs;
    for (const each of found) {
      const { config, problem } = each;
      const member = this.members.get(config.name);
      // That of a logger is told with its service's.
      if (problem && !this.isDisabled(config) && ownerOf(config.name) === undefined)
        result.problems.push({ service: config.name, message: problem.message, hint: problem.hint ?? null });
      if (!member) {
        result.added.push(config.name);
        const added = this.#add(each);
        if (!config.down) added.asked = 'up';
        continue;
      }
      const { isNew, files } = this.#renew(member, each);
      if (files.length > 0) result.files[config.name] = files;
      if (isNew) result.changed.push(config.name);
      if (member.removed && !config.down) member.asked = 'up';
      member.removed = false;
    }
    for (const [name, member] of this.members) {
      if (names.has(name) || name === MAIN_COMMAND || member.removed) continue;
      const owner = ownerOf(name);
      if (owner !== undefined) this.#dropLogger(owner);
      else {
        member.removed = true;
        this.down(name);
      }
      if (member.removed) result.removed.push(name);
    }
    this.#relate();
    if (by === 'order') this.rollouts.forgive();
    this.gate.rescan();
    for (const member of this.members.values()) if (member.asked) this.#advance(member.runner.name);
    const { added, removed, changed } = result;
    const isNews = by === 'order' || [added, removed, changed].some(({ length }) => length > 0);
    this.#log[isNews ? 'info' : 'debug']('rescanned', {
      added: added.join(', ') || undefined,
      removed: removed.join(', ') || undefined,
      changed: changed.join(', ') || undefined,
    });
    return result;
  }

  /**
   * Reads the directories of services again, ahead of an order to start them: whoever has mended one expects that to count.
   * What they depend on is checked; templates and a logger that one has now, and had not, are a rescan's.
   * @throws UserError when one cannot be started so: nothing changes then but what is known of their directories
   */
  refresh(names: readonly string[]): void {
    const members = names.map((name) => this.find(name));
    const { scandirs } = this.#options;
    // Of what has a directory, that tells.
    const gone = members.find(({ removed, runner }) => removed && runner.config.path === undefined);
    if (gone)
      throw new UserError(`cannot start "${gone.runner.name}": no service needs it any more`, {
        hint: 'supervise rescan',
      });
    const own = members.filter(({ runner }) => runner.config.path !== undefined);
    if (scandirs.length > 0 && own.length > 0 && !this.stopping) {
      const found = new Map(this.#read(readScandirs(scandirs)).map((each) => [each.config.name, each]));
      const staying = [...this.members].filter(([, { removed }]) => !removed);
      const order = new Map(staying.map(([name, { runner }]) => [name, stopsBehind(runner.config)]));
      const renewed = own.map((member) => {
        const { name, config } = member.runner;
        const each = found.get(name);
        if (!each)
          throw new UserError(`cannot start "${name}": its directory is gone`, { hint: 'supervise rescan' });
        const { hasTemplates, hasLogger } = config;
        const fresh = { ...each.config, hasTemplates, hasLogger };
        order.set(name, stopsBehind(fresh));
        return [member, { ...each, config: fresh }] as const;
      });
      checkOrder(order);
      const changed = renewed
        .filter(([member, each]) => this.#renew(member, each).isNew)
        .map(([{ runner }]) => runner.name);
      // Whose directory is there again is to stay.
      for (const member of own) member.removed = false;
      if (changed.length > 0) this.#log.info('rescanned', { changed: changed.join(', ') });
      this.#relate();
      for (const { runner } of own) this.#advance(runner.name);
    }
    for (const { problem } of members) if (problem) throw toUserError(problem);
  }

  /** Starts a service, now or as soon as what it depends on is ready. */
  up(name: string, once = false): void {
    const member = this.find(name);
    if (member.problem?.isAtGate) member.problem = undefined;
    if (member.problem) throw toUserError(member.problem);
    if (this.stopping)
      throw new UserError(`cannot start "${name}": the tree is stopping`, { exitCode: EXIT.no });
    const { service } = member.runner;
    // Of one that runs or is done, only the wish changes, whatever has become of those that it waited for.
    if (service.is === 'up' || isUp(service)) {
      member.asked = undefined;
      member.runner.send({ type: 'up', once });
      return;
    }
    member.asked = once ? 'once' : 'up';
    // It is this order that starts it now: no backoff that ends, and no restart that was under way.
    if (this.waitsFor(member).length > 0) member.runner.send({ type: 'down' });
    this.#advance(name);
  }

  down(name: string): void {
    const member = this.find(name);
    member.asked = undefined;
    this.#waiting.forget(name);
    member.runner.send({ type: 'down' });
    this.#forgetIfGone(member);
  }

  restart(name: string): void {
    const member = this.find(name);
    if (this.stopping)
      throw new UserError(`cannot restart "${name}": the tree is stopping`, { exitCode: EXIT.no });
    // An order to start that waits goes on waiting, though what was before is not all gone yet.
    if (isAlive(member.runner.service) && !member.asked) {
      member.runner.send({ type: 'restart' });
      return;
    }
    // What has no process to stop waits for what it depends on, as at every start. Asked first: it is never down for good.
    member.asked = 'up';
    member.runner.send({ type: 'down' });
    this.#advance(name);
  }

  /**
   * Looks, ahead of an order to restart them, whether what runs would have a successor.
   * @throws UserError where one has none, as far as can be known
   */
  mustRestart(names: readonly string[]): void {
    for (const name of names) {
      const { service, config } = this.find(name).runner;
      const { path, command } = config;
      if (path === undefined || command || !isAlive(service)) continue;
      const interpreter = missingInterpreter(`${path}/run`);
      if (interpreter !== undefined)
        throw new UserError(
          `cannot restart "${name}": its run's interpreter ${interpreter} does not exist, or is not executable`,
          { hint: `mend the first line of ${path}/run; what runs was left alone` },
        );
    }
  }

  /** Sends the reload signal. @throws UserError when the service does not run */
  reload(name: string): void {
    const { runner } = this.find(name);
    if (runner.signal(runner.config.reloadSignal)) runner.log.info('reloaded');
    else throw new UserError(`cannot reload "${name}": it is ${runner.service.is}`, { exitCode: EXIT.no });
  }

  /** @throws UserError when there is no such service */
  find(name: string): Member {
    const member = this.members.get(name);
    if (member) return member;
    const near = didYouMean(name, this.members.keys());
    const isNew =
      /^[^./][^/]*$/.test(name) &&
      this.#options.scandirs.some((scandir) => isDirectory(`${scandir}/${name}`));
    throw new UserError(
      `cannot find "${name.slice(0, MOST_NAME)}": no such service${near && !isNew ? ` (did you mean "${near}"?)` : ''}`,
      isNew ? { hint: 'its directory is new: supervise rescan' } : {},
    );
  }

  /** Those that must be down before this one is told to stop. */
  dependentsOf(name: string): Member[] {
    return (this.#dependents.get(name) ?? []).flatMap((other) => this.members.get(other) ?? []);
  }

  /** What a service that was told to start still waits for, in words. */
  waitsFor(member: Member): string[] {
    return this.#lacksOf(member.runner.name).map(inWords);
  }

  /** The services that keep it from starting. */
  dependenciesOf(member: Member): Member[] {
    return member.runner.config.dependencies.flatMap((name) => {
      const other = this.members.get(name);
      if (!other || isUp(other.runner.service)) return [];
      const { config, service } = other.runner;
      // Somebody says that it is not run here: it is somewhere else, or done without.
      return this.isDisabled(config) && service.want === 'down' ? [] : [other];
    });
  }

  #lacksOf(name: string): Lack[] {
    const member = this.members.get(name);
    if (!member?.asked || member.problem) return [];
    const needed = this.dependenciesOf(member).map(({ runner, problem }) => ({
      what: runner.name,
      state: problem ? 'refused' : (runner.complaint ?? runner.service.is),
    }));
    const isShut = member.runner.config.hasTemplates && !this.gate.isOpen(name);
    return isShut ? [...needed, ...this.gate.missing(name).map((what) => ({ what }))] : needed;
  }

  /** The package whose services these are, where there is one. */
  get package(): Package | undefined {
    return this.#options.package;
  }

  /** Whoever gets a signal that is not for the tree: the main command, else the essential service. */
  get principal(): ServiceRunner | undefined {
    const command = this.members.get(MAIN_COMMAND);
    if (command) return command.runner;
    const essential = [...this.members.values()].filter(({ runner }) => runner.config.essential);
    // A oneshot that is done hears nothing.
    return (essential.find(({ runner }) => runner.config.type === 'longrun') ?? essential[0])?.runner;
  }

  /** What the scandir says. */
  #read(raw: RawScandirs): Found[] {
    return findServices(raw.services, {
      switches: this.#options,
      hadTemplates: (name) => this.members.get(name)?.runner.config.hasTemplates ?? false,
      hasPipes: this.#wiring.hasPipes,
    });
  }

  /** Somebody says that it is not run here: it is not started at boot, and nobody waits for it. */
  isDisabled({ name }: ServiceConfig): boolean {
    return isDisabled(name, this.#options.disabled);
  }

  /** A name that is none's may be a mistake; no more than a warning, since images share an environment. */
  #tellSwitches(): void {
    const { disabled, enabled } = this.#options;
    for (const [what, names] of Object.entries({ disable: disabled, enable: enabled }))
      for (const name of names) {
        if (this.members.has(name)) this.members.get(name)?.runner.log.info(`${what}d`);
        else {
          const near = didYouMean(name, this.members.keys());
          this.#log.warn(`found no service to ${what}`, {
            name,
            hint: near ? `did you mean "${near}"?` : undefined,
          });
        }
      }
  }

  /** Returns the changed files with when they take effect, having said so. */
  #tellChanges({ runner }: Member, files: readonly string[]): Rescanned['files'][string] {
    const changes = files.map((file) => ({ file, takes: takesEffect(file) }));
    const named = (takes: string): string | undefined =>
      changes
        .filter((each) => each.takes === takes)
        .map(({ file }) => file)
        .join(', ') || undefined;
    const later = named('at the next start');
    runner.log.info('changed', {
      atOnce: named('at once'),
      atNextStart: later,
      hint: later && runner.service.pid !== undefined ? `supervise restart ${runner.name}` : undefined,
    });
    return changes;
  }

  #add(found: Found): Member {
    const { config, problem } = found;
    const member = this.#wiring.make(found);
    this.members.set(config.name, member);
    if (problem && !this.isDisabled(config)) this.#complain(config.name, problem);
    return member;
  }

  /** Takes over what a service's directory now says. `files`: those that changed, and when each takes effect. */
  #renew(
    member: Member,
    { config, problem, stamps }: Found,
  ): { isNew: boolean; files: Rescanned['files'][string] } {
    const { runner } = member;
    const mended = member.problem !== undefined && !problem;
    const broken = problem !== undefined && problem.message !== member.problem?.message;
    const differs = JSON.stringify(config) !== JSON.stringify(runner.config);
    if (broken) this.#complain(config.name, problem);
    // Of what is refused nothing takes effect; it is told once all of it does.
    const changed = problem ? [] : changedFiles(member.stamps, stamps);
    const files = changed.length > 0 ? this.#tellChanges(member, changed) : [];
    member.problem = problem;
    if (!problem) member.stamps = stamps;
    // The order is what was checked, whatever else is wrong with it.
    runner.config = problem ? { ...runner.config, dependencies: config.dependencies } : config;
    return { isNew: mended || broken || differs || files.length > 0, files };
  }

  /** A logger whose service has none any more goes once no process that we know of writes to it. */
  #dropLogger(owner: string): void {
    const logger = this.members.get(loggerOf(owner));
    if (!logger || logger.removed || this.stopping) return;
    const service = this.members.get(owner)?.runner;
    if (service && (service.config.hasLogger || this.#wiring.isWriting(owner))) return;
    logger.removed = true;
    this.down(loggerOf(owner));
  }

  #complain(service: string, { message, hint }: Problem): void {
    // That of a logger is told with its service's.
    if (ownerOf(service) !== undefined) return;
    this.#log.error(message, { service, hint });
  }

  #relate(): void {
    this.#dependents = dependentsOf(
      new Map([...this.members].map(([name, member]) => [name, this.needs(member)])),
    );
  }

  /** Those that stop after this one: its dependencies and its logger. */
  needs({ runner }: Member): string[] {
    const logger = loggerOf(runner.name);
    return [...runner.config.dependencies, ...(this.members.has(logger) ? [logger] : [])];
  }

  /** Starts a service that was told to, once nothing is in its way. */
  #advance(name: string): void {
    const member = this.members.get(name);
    if (!member?.asked || this.stopping || member.problem) return;
    const lacks = this.#lacksOf(name);
    if (lacks.length > 0) {
      if (member.runner.config.hasTemplates && !this.gate.isOpen(name)) this.#patience.begin(name);
      this.#waiting.begin(name, lacks);
      return;
    }
    this.#waiting.forget(name);
    const once = member.asked === 'once';
    member.asked = undefined;
    member.runner.send({ type: 'up', once });
  }

  #changed(member: Member, before: Service): void {
    const { name, service } = member.runner;
    const isFree = this.isDisabled(member.runner.config) && service.want === 'down' && before.want !== 'down';
    if (isFree || (isUp(service) && !isUp(before)))
      for (const other of this.#dependents.get(name) ?? []) this.#advance(other);
    this.rollouts.changed(name, before);
    this.#forgetIfGone(member);
    this.#dropLogger(name);
    this.listener.changed(member, before);
  }

  #forgetIfGone(member: Member): void {
    if (!member.removed || !member.runner.isSettled) return;
    const { name } = member.runner;
    this.members.delete(name);
    for (const each of [this.#wiring, this.gate, this.rollouts, this.#patience, this.#waiting])
      each.forget(name);
    this.#relate();
    this.#dropLogger(name);
  }

  #crashed({ runner, output }: Member, death: Death, next: Verdict): void {
    if (this.stopping || runner.name === MAIN_COMMAND) return;
    const isSaved = next.to === 'failed' && this.#isSaved(runner.name);
    const config = this.rollouts.statusOf(runner.name);
    this.#options.hooks.queue({
      name: 'crash',
      args: [runner.name, death.code, death.signal, runner.service.crashes],
      file: output && { env: 'SUPERVISE_LOG_TAIL', content: () => output.tail.bytes() },
      env: {
        SUPERVISE_REASON: death.reason ?? endName(death),
        SUPERVISE_RAN_MS: Math.round(death.ranMs),
        SUPERVISE_NEXT: isSaved
          ? 'restart'
          : runner.config.essential && next.to !== 'restart'
            ? 'stop'
            : next.to,
        SUPERVISE_DELAY_MS: next.to === 'restart' ? Math.round(next.delayMs) : 0,
        ...(config ? { SUPERVISE_CONFIG: config.state, SUPERVISE_GENERATION: config.generation ?? '' } : {}),
      },
    });
  }

  #over(runner: ServiceRunner, death: Death): void {
    if (runner.name === MAIN_COMMAND) this.listener.over('command', runner.name, death);
    else if (death.kind === 'crash' && this.#isSaved(runner.name)) this.#save(runner);
    else if (runner.config.essential) this.listener.over('essential', runner.name, death);
  }

  /** The config is to blame for the end of a service, which goes on with the previous one. */
  #isSaved(name: string): boolean {
    return this.rollouts.isBack(name) || this.#takenBackBy(name, MOST_TAKING_BACK) !== undefined;
  }

  /** A service is over, and its previous files are back, or come back and have it started. */
  #save(runner: ServiceRunner): void {
    // Its finish script said no to that start.
    if (this.rollouts.isBack(runner.name)) this.#startAgain(runner);
    else if (runner.config.essential) {
      this.#comeback.forget(runner.name);
      this.#comeback.begin(runner.name);
    }
  }

  /** The files did not come back in time. */
  #endUnsaved(name: string): void {
    this.#comeback.forget(name);
    const runner = this.members.get(name)?.runner;
    const { is, death } = runner?.service ?? {};
    if (is === 'failed' && death && runner?.config.essential) this.listener.over('essential', name, death);
  }

  /** Until when the files of a service that are taken back are waited for; undefined where none are, or nobody is there to. */
  #takenBackBy(name: string, most: Ms): Ms | undefined {
    const since = this.rollouts.takingBackSince(name);
    const templater = this.members.get(TEMPLATER)?.runner.service;
    if (since === undefined || this.stopping || !templater) return undefined;
    const isGone = templater.want === 'down' || templater.is === 'failed';
    return isGone || now() >= since + most ? undefined : since + most;
  }

  /** What the new content of its files asks for. */
  #act(runner: ServiceRunner, action: Action): void {
    const kind = kindOf(action);
    const what = action.slice(kind.length + 1);
    if (kind === 'run')
      void this.#options.hooks.command(runner.name, what, runner.log, (...all) => runner.start(...all));
    else if (kind === 'reload') runner.signal(runner.config.reloadSignal);
    else if (kind === 'signal') runner.signal(parseSignal(what) ?? runner.config.reloadSignal);
    else if (kind === 'restart') this.#startAgain(runner);
  }

  /** What has given up, or is done, waits for what it depends on as at every start. */
  #startAgain(runner: ServiceRunner): void {
    const member = this.members.get(runner.name);
    const isStart = runner.service.is === 'failed' || runner.service.is === 'done';
    const isKept = member && (member.problem || this.dependenciesOf(member).length > 0);
    if (isStart && isKept && !this.stopping) this.restart(runner.name);
    else runner.send({ type: 'restart' });
  }

  #openStale(name: string): boolean {
    const member = this.members.get(name);
    const lacks = this.gate.missing(name).join(', ');
    if (!member?.asked || !this.gate.openStale(name)) return false;
    member.runner.log.warn('started on files from before', { lacks });
    return true;
  }

  /** The templater has said nothing at all. One of the user's need not. */
  #unheard({ runner }: Member): void {
    if (runner.config.command === undefined) return;
    runner.log.warn('heard nothing from the templater', { hint: 'it is started again' });
    runner.send({ type: 'unhealthy' });
  }

  /** The templates of a service were not rendered in time: it has failed, until somebody orders a start. */
  #failAtGate(name: string, within: Ms): void {
    const member = this.members.get(name);
    if (!member?.asked || this.stopping) return;
    const lacks = this.gate.missing(name, 'the templater has said nothing').join(', ');
    const reason = `its templates were not rendered within ${formatDuration(within)}: ${lacks}`;
    member.problem = { message: `cannot start "${name}": ${reason}`, hint: 'mend that', isAtGate: true };
    this.#complain(name, member.problem);
    const death = { code: EXIT.usage, signal: 0, ranMs: 0, reason, pgid: undefined };
    this.#over(member.runner, { ...death, kind: 'crash' });
  }
}

function toUserError({ message, hint }: Problem): UserError {
  return new UserError(message, { hint });
}
