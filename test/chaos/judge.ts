/**
 * Holds what three told of each death against each other, and against what was done: the tree's events, the finish script and the
 * crash hook on the one hand; the services' own words and the adversary's ledger on the other.
 */
import { endName } from '../../src/core/signals.ts';
import type { Book, Death } from './book.ts';
import { KNOWN } from './known.ts';
import type { Hardship, Ledger } from './ledger.ts';
import type { Nature } from './services.ts';
import type { Told, Truth } from './truth.ts';
import type { Verdicts } from './verdicts.ts';

interface Case {
  natures: ReadonlyMap<string, Nature>;
  book: Book;
  truth: Truth;
  ledger: Ledger;
  verdicts: Verdicts;
}

/** What is under way may take this long to be told by all. */
const TELLING_MS = 8000;
/** A shell that has yet to become what it is to be. */
const BEGINNING_MS = 1500;
/** By default nothing, or a stop. */
const HARMLESS = new Set([17, 18, 19, 20, 21, 22, 23, 28]);
/** A shell says of a child that was killed; what it says that to may have no reader. */
const SIGPIPE = 13;
const RTMIN = 34;
const NOTHING_TO_BE_HAD: readonly Hardship[] = ['no descriptors', 'no processes', 'no disk'];

export class Judge {
  readonly #case: Case;
  /** How many deaths have been looked at. */
  #heard = 0;
  /** Deaths of which something is yet to be told. */
  #pending: Death[] = [];
  readonly #next = new Map<string, number>();
  readonly #hooksDue = new Map<string, Death[]>();
  /** Lines of the crash hook whose death has yet to be heard of, and since when. */
  #unclaimed: { line: string; at: number }[] = [];
  #hooksMissing = 0;

  constructor(all: Case) {
    this.#case = all;
  }

  /** @param isOver no more will be told of anything */
  judge(isOver: boolean): void {
    const { book, truth, natures, verdicts } = this.#case;
    truth.readOn(natures.keys());
    const now = performance.now();
    const isYoung = (at: number): boolean => !isOver && now - at < TELLING_MS;
    const waiting = new Set<string>();
    this.#pending = [...this.#pending, ...book.deaths.slice(this.#heard)].filter((death) => {
      // Those of one service in their order.
      if (!waiting.has(death.name) && this.#judgeDeath(death, isYoung(death.at))) return false;
      waiting.add(death.name);
      return true;
    });
    this.#heard = book.deaths.length;
    this.#judgeHooks(isYoung);
    for (const [name, runs] of truth.runs)
      for (const run of runs.slice(this.#next.get(name) ?? 0))
        if (run.overlap)
          verdicts.violate('at most one run of a service at a time', 'one', `${name}: ${run.overlap}`);
  }

  /** @returns false when it has to wait for what is yet to be told */
  #judgeDeath(death: Death, isYoung: boolean): boolean {
    const { natures, verdicts, ledger, truth } = this.#case;
    const nature = natures.get(death.name);
    if (death.event === 'died') {
      const key = hookKey(death);
      this.#hooksDue.set(key, [...(this.#hooksDue.get(key) ?? []), death]);
    }
    if (!nature) return true;
    const { run } = death;
    if (!run) {
      const excused = ledger.suffered([...NOTHING_TO_BE_HAD, 'scandir'], death.at - TELLING_MS, death.at);
      if (!excused)
        verdicts.violate(
          'what is there is executed',
          `${death.name} is`,
          `${death.reason} (seq ${death.seq})`,
        );
      verdicts.checked('a refusal has its cause');
      return true;
    }
    const told = this.#toldOf(death.name, run.pid);
    const starved = ledger.suffered(NOTHING_TO_BE_HAD, run.from - 500, death.at);
    if (nature.hasFinish) {
      if (!told?.finishes.length) {
        if (isYoung && !death.finish) {
          if (death.event === 'died') this.#undueHook(death);
          return false;
        }
        const excuse =
          death.finish ??
          (ledger.finishes.has(`${death.name} ${run.pid}`) || death.late || this.#isDisturbed(death));
        if (!excuse)
          verdicts.violate(
            'finish is told of each death, once',
            `finish ${death.code} ${death.signal} ${death.name} ${run.pid}`,
            `nothing (seq ${death.seq})`,
          );
        verdicts.checked('finish not told, with cause');
      } else {
        const [first, second] = told.finishes;
        if (second)
          verdicts.violate(
            'finish is told of each death, once',
            'once',
            `twice of ${death.name}, pid ${run.pid}`,
          );
        if (first && (first.code !== death.code || first.signal !== death.signal))
          verdicts.violate(
            'finish and events tell the same',
            `${endName(death)} (seq ${death.seq})`,
            `${endName(first)} of ${death.name}, pid ${run.pid}`,
          );
        verdicts.checked('finish is told of each death, once');
      }
    }
    this.#judgeStatus(death, nature, told, starved);
    const runs = truth.runs.get(death.name) ?? [];
    if (told) {
      if (told.overlap)
        verdicts.violate('at most one run of a service at a time', 'one', `${death.name}: ${told.overlap}`);
      // Those in between were told of by nobody but themselves.
      const from = this.#next.get(death.name) ?? 0;
      for (const skipped of runs.slice(from, runs.indexOf(told)))
        verdicts.violate(
          'events tell of each run',
          `a death of ${death.name}, pid ${skipped.pid}`,
          `the next one, of pid ${run.pid}`,
        );
      this.#next.set(death.name, runs.indexOf(told) + 1);
      verdicts.checked('at most one run of a service at a time');
    }
    return true;
  }

  #toldOf(name: string, pid: number): Told | undefined {
    const runs = this.#case.truth.runs.get(name) ?? [];
    return runs.slice(this.#next.get(name) ?? 0).find((run) => run.pid === pid);
  }

  #isDisturbed(death: Death): boolean {
    return this.#case.ledger.suffered(['scandir'], death.at - 1000, death.at + 1000);
  }

  /** How it ended must be one of the ways that there were. */
  #judgeStatus(death: Death, nature: Nature, told: Told | undefined, starved: boolean): void {
    const { ledger, verdicts, book } = this.#case;
    const { run, at, name } = death;
    if (!run) return;
    const seen = endName(death);
    for (const each of run.passedOn) {
      if (!ledger.takeOrder(name, each))
        verdicts.violate(
          'a signal is passed on as ordered, once',
          `no ${endName({ code: 256, signal: each.signal })} to ${name}, pid ${run.pid}`,
          'one',
        );
      verdicts.checked('a signal is passed on as ordered, once');
    }
    const passedOn = run.passedOn.map(({ signal }) => signal);
    const done = [...ledger.signalsTo(run.pid, run.from, at), ...run.sent, ...passedOn];
    /** What may have come its way, and does so seldom. */
    const passing = [
      ...(nature.sent ?? []),
      ...(nature.essential ? ledger.toPid1.filter((sent) => sent.at <= at).map(({ signal }) => signal) : []),
      ...(nature.kind === 'script' && ledger.suffered(['no reader'], run.from, at) ? [SIGPIPE] : []),
      ...(book.ranOutOfTime ? [9] : []),
    ];
    const endsOf = (signals: readonly number[]): string[] =>
      signals.filter((signal) => !HARMLESS.has(signal)).map((signal) => endName({ code: 256, signal }));
    const possible = new Set([...endsOf(done), ...(told?.declared ?? []).map(endName)]);
    const remote = new Set(endsOf(passing));
    if (nature.kind === 'program' && death.signal === 0) {
      verdicts.checked('a program of ours ended by itself');
      return;
    }
    // A logger ends with its input.
    if (name.endsWith('/log') && seen === 'exit 0' && (death.late || this.#isDisturbed(death)))
      possible.add(seen);
    if (remote.has(seen)) possible.add(seen);
    if (possible.has(seen)) {
      verdicts.checked(possible.size === 1 ? 'status exact' : `status one of those possible`);
      return;
    }
    const byRealTime = [...done, ...(told?.declared ?? []).map(({ signal }) => signal)].some(
      (n) => n >= RTMIN,
    );
    const isAsleep = nature.kind === 'sleeper' && at - run.from > BEGINNING_MS;
    if (seen === 'exit 0' && byRealTime && KNOWN.has('a death by a real-time signal is told as exit 0'))
      verdicts.isKnown('a death by a real-time signal is told as exit 0');
    // What was executed may have been anything, or gone when its interpreter came to open it.
    else if (ledger.suffered(['scandir'], run.from - 500, run.from + BEGINNING_MS))
      verdicts.checked('status of a run that was rewritten');
    else if (starved && !isAsleep) verdicts.checked('status while nothing was to be had');
    else
      verdicts.violate(
        'every status is exact',
        `${[...possible].join(' or ') || 'no end at all'} of ${name}, pid ${run.pid}`,
        `${seen}${death.reason ? ` (${death.reason})` : ''}, ${death.event}, seq ${death.seq}, after ${death.ranMs} ms`,
      );
  }

  #undueHook(death: Death): void {
    const key = hookKey(death);
    const due = this.#hooksDue.get(key) ?? [];
    this.#hooksDue.set(
      key,
      due.filter((each) => each !== death),
    );
  }

  #judgeHooks(isYoung: (at: number) => boolean): void {
    const { truth, verdicts, ledger, book } = this.#case;
    const now = performance.now();
    const lines = [...this.#unclaimed, ...truth.crashes.splice(0).map((line) => ({ line, at: now }))];
    this.#unclaimed = lines.filter(({ line, at }) => {
      if (line.startsWith('supervise '))
        verdicts.violate('no mistake of its own', 'no crash hook for supervise itself', line);
      if (this.#hooksDue.get(line)?.shift()) {
        verdicts.checked('the crash hook is told of each crash, once');
        return false;
      }
      if (!isYoung(at))
        verdicts.violate('the crash hook is told of each crash, once', 'a crash that was not told yet', line);
      return true;
    });
    for (const [key, due] of this.#hooksDue) {
      const old = due.filter((death) => !isYoung(death.at));
      for (const death of old) {
        const nearStop =
          death.late || (book.stoppedAt !== undefined && book.stoppedAt - death.at < TELLING_MS);
        const disturbed = ledger.suffered(['scandir'], death.at - 1000, death.at + TELLING_MS);
        if (!nearStop && !disturbed && ++this.#hooksMissing > ledger.hooks + book.hooksLost)
          verdicts.violate(
            'the crash hook is told of each crash, once',
            `crash ${key}`,
            `nothing (seq ${death.seq})`,
          );
        verdicts.checked('crash hook not told, with cause');
      }
      const left = due.filter((death) => !old.includes(death));
      if (left.length > 0) this.#hooksDue.set(key, left);
      else this.#hooksDue.delete(key);
    }
  }
}

function hookKey({ name, code, signal, crashes, ranMs }: Death): string {
  return `${name} ${code} ${signal} ${crashes} ${ranMs}`;
}
