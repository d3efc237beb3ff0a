import type { Socket } from 'node:net';
import { type Action, actionFor, decodeReport, encode, MAX_LINE, type Report } from './core/link.ts';
import type { Fields, Log } from './log.ts';

/** Where the templater's values come from, as it last said. */
export type SourceState = Extract<Report, { type: 'source' }>;

/** What the gate asks of the tree, and tells it. */
export interface GateListener {
  /** Whether there is such a service; reports of others are nobody's. */
  isKnown(service: string): boolean;
  /** A service has all its files for the first time. `action`: what they ask for if it runs already. */
  opened(service: string, action: Action | undefined): void;
  /** Its files have other content than it was given before. */
  changed(service: string, action: Action): void;
}

/** A templater that says so much that makes no sense is none. */
const MOST_NONSENSE = 20;

/**
 * The tree's end of the link to the templater: which services have all their files, what the others lack, and which
 * content each service has already been started on.
 */
export class Gate {
  readonly #log: Log;
  readonly #listener: GateListener;
  /** Service → destination → digest of the content it was last given. */
  readonly #applied = new Map<string, Map<string, string>>();
  readonly #missing = new Map<string, readonly string[]>();
  #socket: Socket | undefined;
  source: SourceState | undefined;
  /** What the templater, another process, has said in log lines of its own, and what is an event of the tree too. */
  heard: (level: 'info' | 'warn', event: string, fields: Fields) => void = () => {};

  constructor(log: Log, listener: GateListener) {
    this.#log = log;
    this.#listener = listener;
  }

  isOpen(service: string): boolean {
    return this.#applied.has(service);
  }

  /** What a service's templates lack, in words; nothing when they are rendered. */
  missing(service: string): readonly string[] {
    if (this.isOpen(service)) return this.#missing.get(service) ?? [];
    return this.#missing.get(service) ?? ['its templates are not rendered yet'];
  }

  /** The service is gone; one that comes by its name begins anew. */
  forget(service: string): void {
    this.#applied.delete(service);
    this.#missing.delete(service);
  }

  /** The templater was started (again). It may be a script of the user's, so nothing that it says is trusted. */
  connected(socket: Socket): void {
    this.#socket = socket;
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
      if (this.#socket === socket) this.#socket = undefined;
    });
  }

  /** The scandir was read again. */
  rescan(): void {
    this.#socket?.write(encode({ type: 'rescan' }));
  }

  /** Returns whether the line made sense. */
  #take(line: string): boolean {
    const report = decodeReport(line);
    if (!report) return false;
    if (report.type === 'source') this.#hearOfSource(report);
    else if (!this.#listener.isKnown(report.service)) return true;
    else if (report.type === 'waiting') this.#missing.set(report.service, report.missing);
    else this.#rendered(report);
    return true;
  }

  #hearOfSource(report: SourceState): void {
    const { name, awaySince, cause } = report;
    const wasAway = typeof this.source?.awaySince === 'number';
    this.source = report;
    if (awaySince !== null && !wasAway) this.heard('warn', 'lost the source', { source: name, cause });
    if (awaySince === null && wasAway) this.heard('info', 'reached the source', { source: name });
  }

  #rendered({ service, files }: Extract<Report, { type: 'rendered' }>): void {
    this.#missing.delete(service);
    const before = this.#applied.get(service);
    this.#applied.set(service, new Map(files.map((file) => [file.dest, file.digest])));
    const fresh = files.filter(({ dest, digest }) => before?.get(dest) !== digest);
    if (fresh.length > 0)
      this.heard('info', 'rendered', { service, files: fresh.map(({ dest }) => dest).join(', ') });
    const action = actionFor(before ?? new Map(), files);
    if (!before) this.#listener.opened(service, action);
    else if (action) this.#listener.changed(service, action);
  }
}
