import type { Socket } from 'node:net';
import type { Ms } from './core/duration.ts';
import { decodeReport, encode, type Judgement, MAX_LINE, type Report, type Stale } from './core/link.ts';
import type { Fields, Log } from './log.ts';

/** Where the templater's values come from, as it last said. */
export type SourceState = Extract<Report, { type: 'source' }>;

export type RenderedReport = Extract<Report, { type: 'rendered' }>;

/** What the gate asks of the tree, and tells it. */
export interface GateListener {
  /** Whether there is such a service; reports of others are nobody's. */
  isKnown(service: string): boolean;
  /** How the config of each service stands, for a templater that was started (again). */
  judgements(): Judgement[];
  /** All files of a service are in place. `first`: until now it had to wait for them. */
  rendered(report: RenderedReport, first: boolean): void;
  /** The templates of a service lack something. */
  waiting(service: string): void;
}

/** What a templater has not read yet; one of the user's may never read, and is told all of it again when it does. */
const MOST_UNREAD = 65_536;
/** The built-in templater's first word is that it runs; it takes some tenths of a second. */
const MOST_SILENCE: Ms = 30_000;
/** A templater that says so much that makes no sense is none. */
const MOST_NONSENSE = 20;

/**
 * The tree's end of the link to the templater: which services have all their files, and what the others lack.
 */
export class Gate {
  readonly #log: Log;
  readonly #listener: GateListener;
  /** Service → destination → digest, as they were last reported. */
  readonly #files = new Map<string, ReadonlyMap<string, string>>();
  readonly #missing = new Map<string, readonly string[]>();
  readonly #kept = new Map<string, readonly string[]>();
  /** Files from before, of services that have one in every place. */
  readonly #stale = new Map<string, Stale>();
  #socket: Socket | undefined;
  /** Something was not said, and all of it is to be said again. */
  #isBehind = false;
  source: SourceState | undefined;
  /** What the templater, another process, has said in log lines of its own, and what is an event of the tree too. */
  heard: (level: 'info' | 'warn', event: string, fields: Fields) => void = () => {};

  constructor(log: Log, listener: GateListener) {
    this.#log = log;
    this.#listener = listener;
  }

  isOpen(service: string): boolean {
    return this.#files.has(service);
  }

  /** Lets a service start on the files that are there from before. Returns whether there are. */
  openStale(service: string): boolean {
    const stale = this.#stale.get(service);
    if (!stale || this.isOpen(service)) return false;
    this.#rendered({ type: 'rendered', service, ...stale });
    return true;
  }

  /**
   * What a service's templates lack, in words; nothing when they are rendered.
   * @param unheard what is said where the templater has not spoken of them
   */
  missing(service: string, unheard = 'its templates to be rendered'): readonly string[] {
    if (this.isOpen(service)) return this.#missing.get(service) ?? [];
    return this.#missing.get(service) ?? [unheard];
  }

  /** What is gone from the source, of what a service's templates ask: the last value of each still stands. */
  kept(service: string): readonly string[] {
    return this.#kept.get(service) ?? [];
  }

  /** The service is gone; one that comes by its name begins anew. */
  forget(service: string): void {
    this.#kept.delete(service);
    this.#files.delete(service);
    this.#missing.delete(service);
    this.#stale.delete(service);
  }

  /**
   * The templater was started (again). It may be a script of the user's, so nothing that it says is trusted.
   * @param silent called when nothing was said for so long that nothing will be: a Node that is refused threads as it starts
   *   hangs, and never runs a line of ours
   */
  connected(socket: Socket, silent?: () => void): void {
    this.#socket = socket;
    const impatience = silent && setTimeout(silent, MOST_SILENCE);
    socket.once('data', () => clearTimeout(impatience));
    this.#isBehind = false;
    this.#kept.clear();
    socket.write(encode({ type: 'judgements', services: this.#listener.judgements() }));
    let rest = '';
    let skipping = false;
    let nonsense = 0;
    const complain = (line: string): void => {
      nonsense++;
      if (nonsense === 1) this.#log.warn('could not understand the templater', { line: line.slice(0, 200) });
      if (nonsense < MOST_NONSENSE) return;
      this.#log.error('gave up listening to the templater', { hint: 'restart it when its run is mended' });
      socket.destroy();
    };
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (socket.destroyed) return;
        if (skipping) skipping = false;
        else if (!this.#take(line)) complain(line);
      }
      if (rest.length <= MAX_LINE) return;
      if (!skipping) complain(rest);
      rest = '';
      skipping = true;
    });
    socket.on('close', () => {
      clearTimeout(impatience);
      if (this.#socket === socket) this.#socket = undefined;
    });
  }

  /** The scandir was read again. */
  rescan(): void {
    this.#socket?.write(encode({ type: 'rescan' }));
  }

  /** The standing of a service's config changed. */
  judged(judgement: Judgement): void {
    const socket = this.#socket;
    if (!socket) return;
    if (socket.writableLength < MOST_UNREAD)
      socket.write(encode({ type: 'judgements', services: [judgement] }));
    else if (!this.#isBehind) {
      this.#isBehind = true;
      socket.once('drain', () => {
        this.#isBehind = false;
        socket.write(encode({ type: 'judgements', services: this.#listener.judgements() }));
      });
    }
  }

  /** Returns whether the line made sense. */
  #take(line: string): boolean {
    const report = decodeReport(line);
    if (!report) return false;
    if (report.type === 'begun') return true;
    if (report.type === 'source') this.#hearOfSource(report);
    else if (!this.#listener.isKnown(report.service)) return true;
    else if (report.type === 'waiting') this.#waiting(report);
    else if (report.type === 'kept') this.#kept.set(report.service, report.kept);
    else this.#rendered(report);
    return true;
  }

  #hearOfSource(report: SourceState): void {
    const { name, awaySince, cause } = report;
    const wasAway = typeof this.source?.awaySince === 'number';
    const lost = this.source ? 'lost the source' : 'could not reach the source';
    this.source = report;
    if (awaySince !== null && !wasAway) this.heard('warn', lost, { source: name, cause });
    if (awaySince === null && wasAway) this.heard('info', 'reached the source', { source: name });
  }

  #waiting({ service, missing, stale }: Extract<Report, { type: 'waiting' }>): void {
    this.#missing.set(service, missing);
    if (stale) this.#stale.set(service, stale);
    else this.#stale.delete(service);
    this.#listener.waiting(service);
  }

  #rendered(report: RenderedReport): void {
    const { service, files } = report;
    const before = this.#files.get(service);
    this.#files.set(service, new Map(files.map((file) => [file.dest, file.digest])));
    this.#missing.delete(service);
    this.#stale.delete(service);
    const fresh = files.filter(({ dest, digest }) => before?.get(dest) !== digest);
    if (fresh.length > 0)
      this.heard('info', 'rendered', { service, files: fresh.map(({ dest }) => dest).join(', ') });
    this.#listener.rendered(report, before === undefined);
  }
}
