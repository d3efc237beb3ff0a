/** Plays a tree to a supervisor, and tells what the services saw: no times, no pids, only what was and in which order. */
import {
  closeSync,
  constants as fs,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { constants } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { asideOf, ending, finishScript, layOut, recordOf, runScript, writeProgram } from './layout.ts';
import { type Answer, inWords, type ServicePlan, type Step, settingsAt, type TreePlan } from './plan.ts';
import { type Place, type Seen, SUPERVISORS, type Supervisor, type Who } from './supervisors.ts';

/** What came of a step. */
export interface Took {
  step: string;
  /** How many of the plan's steps were before it. */
  after: number;
  lines: string[];
  /** What the service was when nothing moved any more: up, ready, down, finishing, backoff, unstarted, gone, stuck …. */
  is: string;
  /** Of each process that runs left alone: whether it lives. */
  left: string[];
}

export interface ServiceTrace {
  steps: Took[];
  /** What its first run was given: cwd, environment, descriptors, signals, ids. */
  facts: Record<string, string>;
  logger: string[];
}

export interface Trace {
  services: ServiceTrace[];
  /** The hooks, with what they were told, signal by signal. */
  hooks: string[];
  exit: string;
}

/** Between two looks at a record. */
const LOOK_MS = 25;
/** Something came, and then nothing for so long. */
const QUIET_MS = 60;
/** Nothing is expected to come, and nothing came for so long. */
const GRACE_MS = 300;
/** What has not come by then will not: s6 waits a second between two runs, ours kills after five. */
const LIMIT_MS = 9000;
/** The supervisor itself must start. */
const BOOT_LIMIT_MS = 25_000;
/** A run that lived for less has lived for less than a second, whatever the load. */
const AT_ONCE_MS = 600;
/** The name of a step that came too late to say anything; what follows it says nothing either. */
export const LATE = 'too late';
/** What was expected may be refused. */
const RETHINK_MS = 500;
/** The end of the whole tree. */
const STOP_LIMIT_MS = 15_000;

/** @param patience how much longer than usual to wait for what is not expected to come */
export async function play(who: Who, plan: TreePlan, root: string, patience = 1): Promise<Trace> {
  const place = await layOut(root, plan);
  const supervisor = SUPERVISORS[who](place, plan.inherits);
  let exited: string | undefined;
  void supervisor.ended.then(({ code, signal }) => {
    exited = signal ?? `exit ${code}`;
  });
  const parts = plan.services.map((service, index) => new Part(place, supervisor, service, index, patience));
  try {
    await Promise.all(parts.map((part) => part.play()));
    // Ahead of its first look at the scandir a signal finds nobody who would take it.
    await until(() => exited !== undefined || supervisor.isThere(), BOOT_LIMIT_MS);
    const hooks = new Lines(recordOf(place, 'tree'));
    const told: string[] = [];
    for (const signal of plan.signals) {
      supervisor.child.kill(signal as NodeJS.Signals);
      const expected = plan.hooks[signal]?.is === 'script';
      const came = (): boolean => hooks.waiting.some((line) => line.startsWith(`hook ${signal} `));
      await until(
        () => exited !== undefined || (hooks.read() && expected && came()),
        expected ? LIMIT_MS : GRACE_MS * patience,
      );
      await pause(QUIET_MS * patience);
      told.push(signal, ...hooks.take());
    }
    told.push(`stop: ${plan.stop}`);
    if (plan.stop === 'order') await supervisor.stop();
    else supervisor.child.kill(plan.stop);
    const ends = (): boolean => {
      for (const part of parts) part.letGo();
      return exited !== undefined;
    };
    // Whoever has a hook for it that does well goes on.
    const goesOn = plan.hooks[plan.stop]?.is === 'script' && plan.hooks[plan.stop]?.exit === 0;
    await until(ends, goesOn ? LIMIT_MS / 2 : STOP_LIMIT_MS * Math.min(2, patience));
    hooks.read();
    told.push(...hooks.take());
    return {
      services: parts.map((part) => part.trace()),
      hooks: told,
      exit: exited ?? 'did not end',
    };
  } finally {
    for (const part of parts) part.close();
    const own = parts.flatMap((part) => part.pids);
    sweep(supervisor, exited !== undefined, own, `DIFFERENTIAL=${root}\0`);
    await supervisor.ended;
    rmSync(root, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** One service, its steps and what it has noted. */
class Part {
  readonly #place: Place;
  readonly #supervisor: Supervisor;
  readonly #plan: ServicePlan;
  readonly #index: number;
  readonly #patience: number;
  readonly #lines: Lines;
  readonly #steps: Took[] = [];
  #facts: Record<string, string> = {};
  readonly #fifos = new Map<string, number>();
  /** Of the last run, and the last finish. */
  #run = 0;
  #finish = 0;
  #children: number[] = [];
  #is = 'unstarted';
  #halted = false;
  /** It was told to stop, and goes on. */
  #leaving = false;
  #gone = false;
  /** When the end began, and how many lines there were; and when somebody was last let go. */
  #stopped: { at: number; total: number } | undefined;
  #released = -1;
  /** When that run was first seen. */
  #runSince = 0;
  /** The step that is taken. */
  #at = 0;

  constructor(place: Place, supervisor: Supervisor, plan: ServicePlan, index: number, patience: number) {
    this.#place = place;
    this.#supervisor = supervisor;
    this.#plan = plan;
    this.#index = index;
    this.#patience = patience;
    this.#lines = new Lines(recordOf(place, index));
  }

  async play(): Promise<void> {
    const { plan } = this;
    const isThere = (plan.form === 'directory' || plan.form === 'link') && !plan.name.startsWith('.');
    const starts = isThere && runs(plan) && !('down' in plan.settings);
    await this.#step('boot', async () => {}, starts ? 'line' : 'nothing');
    for (const [i, step] of plan.steps.entries()) {
      this.#at = i;
      await this.#take(step, plan.steps.slice(0, i));
    }
    this.#at = plan.steps.length;
  }

  get plan(): ServicePlan {
    return this.#plan;
  }

  async #take(step: Step, before: readonly Step[]): Promise<void> {
    const { name, form } = this.#plan;
    if (form === 'file' || form === 'dangling') return;
    const what = inWords(step);
    const supervisor = this.#supervisor;
    const settings = settingsAt(this.#plan, before);
    const isUp = this.#is === 'up' || this.#is === 'ready';
    switch (step.do) {
      case 'up':
      case 'once':
      case 'down':
      case 'restart': {
        const tells = (step.do === 'down' || step.do === 'restart') && isUp && !this.#leaving;
        const starts = (step.do === 'up' || step.do === 'once') && this.#is === 'down';
        const signal = settings['down-signal']?.trim() || 'TERM';
        const effect = settings['timeout-kill']?.trim() === '400' ? 'death' : this.#effectOf(signal);
        const expected = starts ? 'line' : tells ? effect : 'nothing';
        if (tells && expected !== 'death') this.#leaving = true;
        return this.#step(what, () => supervisor.order(step.do, name), expected);
      }
      case 'reload':
        return this.#step(
          what,
          () => supervisor.order('reload', name),
          isUp ? this.#effectOf('HUP') : 'nothing',
        );
      case 'signal':
        return this.#step(
          what,
          () => supervisor.signal(step.signal, name),
          isUp ? this.#effectOf(step.signal) : 'nothing',
        );
      case 'end':
        if (!isUp || this.#halted) return;
        return this.#step(what, async () => this.#say('run', ending(step.how)), 'death');
      case 'backoff': {
        if (!isUp || this.#halted) return;
        await this.#step('end exit 1', async () => this.#say('run', 'exit 1'), 'death');
        if (this.#is !== 'up' && this.#is !== 'ready') return;
        const since = this.#runSince;
        await this.#step('end exit 1 at once', async () => this.#say('run', 'exit 1'), 'death', true);
        if (this.#state !== 'backoff') {
          // Under load even the shortest life can be one of a second, after which there is no wait.
          if (performance.now() - since > AT_ONCE_MS) this.#late();
          return;
        }
        return this.#step(
          step.order,
          () => supervisor.order(step.order, name),
          step.order === 'down' ? 'nothing' : 'line',
        );
      }
      case 'tell':
        if (!isUp || this.#halted) return;
        return this.#step(
          what,
          async () =>
            this.#say(
              'run',
              `printf '${step.text.replaceAll('\n', '\\n')}' >&${this.#fd}; printf 'told\\n' >>"$R"`,
            ),
          'line',
        );
      case 'fork':
        if (!isUp || this.#halted) return;
        return this.#step(
          what,
          async () =>
            this.#say('run', `${step.apart ? 'setsid ' : ''}sleep 1000 & printf 'left %s\\n' "$!" >>"$R"`),
          'line',
        );
      case 'halt':
        if (!isUp || this.#halted) return;
        return this.#step(what, async () => this.#say('run', 'kill -STOP $$'), 'halt');
      case 'release':
        if (this.#is !== 'finishing') return;
        return this.#step(what, async () => this.#say('finish', ending(step.how)), 'release');
      case 'edit':
        return this.#step(
          what,
          async () => {
            this.#edit(step.file, step.content);
            await supervisor.rescan();
          },
          'nothing',
        );
      case 'appear':
      case 'vanish': {
        const [from, to] = [asideOf(this.#place, this.#index), join(this.#place.scandir, name)];
        if (step.do === 'appear' ? !this.#isAside : this.#isAside) return;
        if (step.do === 'appear') renameSync(from, to);
        else renameSync(to, from);
        this.#gone = step.do === 'vanish';
        if (this.#gone && isUp && this.#effectOf(settings['down-signal']?.trim() || 'TERM') !== 'death')
          this.#leaving = true;
        const starts = step.do === 'appear' && runs(this.#plan) && !('down' in settings);
        return this.#step(
          what,
          () => supervisor.rescan(),
          starts ? 'line' : step.do === 'vanish' ? 'gone' : 'nothing',
        );
      }
    }
  }

  /** From here on it says nothing of either. */
  #late(): void {
    this.#steps.splice(-1, 1, { step: LATE, after: this.#at, lines: [], is: this.#is, left: [] });
  }

  /** What it is after a step, which the compiler cannot know to be another than before. */
  get #state(): string {
    return this.#is;
  }

  get #isAside(): boolean {
    try {
      statSync(asideOf(this.#place, this.#index));
      return true;
    } catch {
      return false;
    }
  }

  get #fd(): string {
    return this.#plan.settings['notification-fd']?.trim() ?? '3';
  }

  /** The directory as it is now. */
  get #directory(): string {
    return this.#isAside ? asideOf(this.#place, this.#index) : join(this.#place.scandir, this.#plan.name);
  }

  #edit(file: string, content: string | undefined): void {
    const path = join(this.#directory, file);
    const record = recordOf(this.#place, this.#index);
    if (content === undefined) {
      rmSync(path, { recursive: true, force: true });
    } else if (file === 'run') writeProgram(this.#directory, 'run', 'script', runScript(record, this.#plan));
    else if (file === 'finish')
      writeProgram(this.#directory, 'finish', 'script', finishScript(record, { is: 'script', does: [] }));
    else writeFileSync(path, content);
  }

  /** What a signal to a living run of this plan does. */
  #effectOf(signal: string): Expected {
    const name = /^\d+$/.test(signal) ? (NAMES.get(Number(signal)) ?? signal) : signal.replace(/^SIG/, '');
    if (name === 'KILL') return 'death';
    if (name === 'STOP') return 'halt';
    if (this.#halted) return 'nothing';
    const answer: Answer | undefined = this.#plan.answers[name];
    if (answer === 'note') return 'line';
    if (answer === 'ignore' || (answer === undefined && HARMLESS.includes(name))) return 'nothing';
    return 'death';
  }

  #say(to: 'run' | 'finish', command: string): void {
    const path = `${recordOf(this.#place, this.#index)}.${to}`;
    const fifo = this.#fifos.get(to) ?? openSync(path, fs.O_RDWR | fs.O_NONBLOCK);
    this.#fifos.set(to, fifo);
    writeSync(fifo, `${command}\n`);
  }

  /** Does it, waits until nothing moves any more, and notes what came of it. */
  async #step(step: string, act: () => Promise<void>, expected: Expected, mayWait = false): Promise<void> {
    const [run, finish] = [this.#run, this.#finish];
    // Ahead of boot there is nothing: what is there has come of it.
    const isThere = this.#lines.read();
    if (isThere) this.#follow();
    await act();
    const began = performance.now();
    let grew = began;
    let seen: Seen = { is: 'unknown' };
    let is: string | undefined;
    let came = isThere && step === 'boot';
    const limit = step === 'boot' ? BOOT_LIMIT_MS : LIMIT_MS * Math.min(2, this.#patience);
    while (is === undefined) {
      await pause(LOOK_MS);
      const now = performance.now();
      if (this.#lines.read()) {
        grew = now;
        came = true;
        this.#follow();
      }
      const met =
        expected === 'nothing' ||
        (expected === 'line' && came) ||
        (expected === 'death' && !isAlive(run)) ||
        (expected === 'release' && !isAlive(finish)) ||
        (expected === 'halt' && isStopped(run)) ||
        expected === 'gone';
      const patience = (expected === 'nothing' && !came ? GRACE_MS : QUIET_MS) * this.#patience;
      if (now - began > limit) is = met && seen.is === 'up' ? 'up' : `stuck ${seen.is} (${this.#lines.last})`;
      else if ((met || now - began > RETHINK_MS) && now - grew >= patience) {
        seen = await this.#supervisor.state(this.#plan.name, basename(this.#directory));
        // What came while we asked is not judged by the answer.
        if (!this.#lines.read()) is = met || seen.is === 'refused' ? this.#judge(seen, mayWait) : undefined;
        else {
          grew = performance.now();
          came = true;
          this.#follow();
        }
      }
    }
    this.#follow();
    if (expected === 'halt') this.#halted = isStopped(this.#run);
    this.#is = is;
    if (is !== 'up' && is !== 'ready') this.#leaving = false;
    this.#steps.push({
      step,
      after: this.#at,
      lines: this.#normal(this.#lines.take()),
      is,
      left: this.#left(),
    });
  }

  /** Takes note of who lives. */
  #follow(): void {
    for (const line of this.#lines.waiting) {
      const [what, pid] = line.split(' ');
      if (what === 'run' && Number(pid) !== this.#run) {
        this.#run = Number(pid);
        this.#runSince = performance.now();
        this.#halted = false;
        this.#leaving = false;
      }
      if (what === 'finish' && Number(pid) > 1) this.#finish = Number(pid);
      if (what === 'left' && !this.#children.includes(Number(pid))) this.#children.push(Number(pid));
      if (what === 'rests' && Object.keys(this.#facts).length === 0)
        this.#facts = factsOf(this.#place, Number(pid), `${recordOf(this.#place, this.#index)}.fds`);
    }
  }

  /** What it is, if nothing is under way. */
  #judge(seen: Seen, mayWait: boolean): string | undefined {
    const { last } = this.#lines;
    const { form } = this.#plan;
    if (form === 'file' || form === 'dangling') return seen.is === 'up' ? 'up' : 'gone';
    switch (seen.is) {
      case 'up':
        if (seen.pid !== this.#run || !isAlive(this.#run)) return undefined;
        if (last.startsWith('run ') || last.startsWith('leaves ')) return undefined;
        return seen.ready && 'notification-fd' in this.#plan.settings && !this.#leaving ? 'ready' : 'up';
      case 'finishing':
        if (settingsAt(this.#plan, this.#plan.steps.slice(0, this.#at))['timeout-finish']?.trim() === '400')
          return undefined;
        return last === 'finish waits' && isAlive(this.#finish) ? 'finishing' : undefined;
      case 'backoff':
        if (mayWait) return 'backoff';
        return runs(this.#plan) ? undefined : 'unstarted';
      case 'refused':
        return 'unstarted';
      case 'gone':
        return this.#gone || form === 'late' || this.#plan.name.startsWith('.') ? 'gone' : undefined;
      case 'down':
        return this.#gone ? undefined : runs(this.#plan) ? 'down' : 'unstarted';
      default:
        return undefined;
    }
  }

  /** In the end: a finish that waits and a run that was told to stop go on. */
  letGo(): void {
    this.#stopped ??= { at: performance.now(), total: this.#lines.total };
    this.#lines.read();
    this.#follow();
    const { last, total } = this.#lines;
    if (this.#released === total) return;
    // Who was told before the end began is perhaps told once more, and perhaps not.
    const wasTold = this.#leaving && performance.now() - this.#stopped.at > GRACE_MS;
    if (last === 'finish waits') this.#say('finish', 'exit 0');
    else if (wasTold || (last.startsWith('got ') && total > this.#stopped.total)) this.#say('run', 'exit 0');
    else return;
    this.#released = total;
  }

  trace(): ServiceTrace {
    this.#lines.read();
    this.#follow();
    this.#steps.push({
      step: 'stop',
      after: this.#at,
      lines: this.#normal(this.#lines.take()),
      is: 'over',
      left: this.#left(),
    });
    const logger = this.#plan.logger ? new Lines(recordOf(this.#place, `${this.#index}.log`)) : undefined;
    logger?.read();
    return { steps: this.#steps, facts: this.#facts, logger: this.#normal(logger?.take() ?? []) };
  }

  close(): void {
    for (const fifo of this.#fifos.values()) closeSync(fifo);
  }

  #left(): string[] {
    return this.#children.map((pid) => (isAlive(pid) ? 'alive' : 'dead'));
  }

  /** Pids by what they are. */
  #normal(lines: readonly string[]): string[] {
    return lines.map((line) =>
      line
        .replaceAll(this.#place.root, '@')
        .replace(/^(run|finish|rests|left) (\d{2,})/, '$1')
        .replace(
          /^(finish \d+ \d+ .*) (\d{2,})$/,
          (_all, head: string, pid: string) => `${head} <${this.#nameOf(Number(pid))}>`,
        ),
    );
  }

  #nameOf(pid: number): string {
    return this.#runs.has(pid) ? 'group' : 'stranger';
  }

  /** Of all that its scripts have told of. */
  get pids(): number[] {
    return [...this.#lines.runs, this.#finish, ...this.#children].filter((pid) => pid > 1);
  }

  get #runs(): ReadonlySet<number> {
    return this.#lines.runs;
  }
}

/** What a step is expected to bring, which says how long to wait and never what is right. */
type Expected = 'line' | 'death' | 'nothing' | 'halt' | 'release' | 'gone';

const NAMES = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number as number, name.slice(3)]),
);
/** What does nothing to a process that has no answer of its own. Its group has no parent in its session, so TSTP does not stop it. */
const HARMLESS = ['CHLD', 'URG', 'WINCH', 'CONT', 'TSTP', 'TTIN', 'TTOU'];

function runs({ run }: ServicePlan): boolean {
  return run === 'script' || run === 'link';
}

/** A record, read as it grows. */
class Lines {
  readonly #path: string;
  #size = 0;
  #waiting: string[] = [];
  /** All pids of runs. */
  readonly runs = new Set<number>();
  last = '';
  total = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Returns whether there is more. */
  read(): boolean {
    let size: number;
    try {
      ({ size } = statSync(this.#path));
    } catch {
      return false;
    }
    if (size === this.#size) return false;
    const bytes = readFileSync(this.#path);
    const fresh = bytes.subarray(this.#size).toString().split('\n').slice(0, -1);
    this.#size = bytes.lastIndexOf(0x0a) + 1;
    for (const line of fresh) if (line.startsWith('run ')) this.runs.add(Number(line.split(' ')[1]));
    this.#waiting.push(...fresh);
    this.total += fresh.length;
    this.last = fresh.at(-1) ?? this.last;
    return fresh.length > 0;
  }

  get waiting(): readonly string[] {
    return this.#waiting;
  }

  take(): string[] {
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }
}

async function until(probe: () => boolean, limit: number): Promise<void> {
  const end = performance.now() + limit;
  while (!probe() && performance.now() < end) await pause(LOOK_MS);
}

function stateOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  return pid > 0 && !['', 'Z', 'X'].includes(stateOf(pid));
}

function isStopped(pid: number): boolean {
  return stateOf(pid) === 'T';
}

/** What a run was given, as the kernel tells it. */
function factsOf(place: Place, pid: number, descriptors: string): Record<string, string> {
  const plain = (text: string): string =>
    text.replaceAll(place.root, '@').replaceAll(/\b(pipe|socket):\[\d+\]/g, '$1');
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [, , group, session, terminal] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const nice = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16];
    const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
    const field = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? '';
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean).sort();
    const fds = readFileSync(descriptors, 'utf8')
      .split('\n')
      .flatMap((line) => / (\d+) -> (.*)$/.exec(line)?.slice(1).join(' ') ?? [])
      .map(plain)
      // The shell's own: its script, what it has put aside, and the list itself. High ones are whoever's that started us.
      .filter((fd) => Number(fd.split(' ', 1)) < 8);
    return {
      argv: plain(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim()),
      cwd: plain(readlinkSync(`/proc/${pid}/cwd`)),
      environment: plain(environment.join(' ')),
      descriptors: fds.join(', '),
      'ignored signals': field('SigIgn'),
      'blocked signals': field('SigBlk'),
      umask: field('Umask'),
      uid: field('Uid').split('\t').join(' '),
      groups: field('Groups').trim(),
      session: Number(session) === pid ? 'its own' : 'of another',
      group: Number(group) === pid ? 'its own' : 'of another',
      terminal: terminal === '0' ? 'none' : 'one',
      nice: nice ?? '',
      'open files': /^Max open files\s+(\d+)\s+(\d+)/m.exec(limits)?.[1] ?? '',
      score: readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim(),
    };
  } catch {
    return { argv: 'it ended while we looked' };
  }
}

/** Ends what is left of a tree: all below a supervisor that did not end, and what services left. */
function sweep({ child }: Supervisor, hasEnded: boolean, own: readonly number[], mark: string): void {
  const left = hasEnded || child.pid === undefined ? [] : [child.pid, ...descendantsOf(child.pid)];
  for (const pid of [...left, ...own]) {
    try {
      if (readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark)) process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
}

function descendantsOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .split(' ')
      .filter(Boolean)
      .map(Number);
    return children.flatMap((child) => [child, ...descendantsOf(child)]);
  } catch {
    return [];
  }
}
