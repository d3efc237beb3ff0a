import type { Socket } from 'node:net';
import { type Action, actionFor, decodeReport, encode, MAX_LINE, type Report } from './core/link.ts';
import type { Log } from './log.ts';

/** Where the templater's values come from, as it last said. */
export type SourceState = Extract<Report, { type: 'source' }>;

/**
 * The tree's end of the link to the templater: which services have all their files, what the others lack, and which
 * content each service has already been started on.
 */
export class Gate {
  readonly #log: Log;
  readonly #opened: (service: string) => void;
  readonly #changed: (service: string, action: Action) => void;
  /** Service → destination → digest of the content it was last given. */
  readonly #applied = new Map<string, Map<string, string>>();
  readonly #missing = new Map<string, readonly string[]>();
  #socket: Socket | undefined;
  source: SourceState | undefined;

  /**
   * @param opened a service has all its files for the first time
   * @param changed a service's files have other content than it was given before
   */
  constructor(
    log: Log,
    opened: (service: string) => void,
    changed: (service: string, action: Action) => void,
  ) {
    this.#log = log;
    this.#opened = opened;
    this.#changed = changed;
  }

  isOpen(service: string): boolean {
    return this.#applied.has(service);
  }

  /** What a service's templates lack, in words; nothing when they are rendered. */
  missing(service: string): readonly string[] {
    if (this.isOpen(service)) return this.#missing.get(service) ?? [];
    return this.#missing.get(service) ?? ['its templates are not rendered yet'];
  }

  /** The templater was started (again). */
  connected(socket: Socket): void {
    this.#socket = socket;
    let rest = '';
    let skipping = false;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (skipping) skipping = false;
        else this.#take(line);
      }
      if (rest.length > MAX_LINE) {
        rest = '';
        skipping = true;
      }
    });
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
  }

  /** The scandir was read again. */
  rescan(): void {
    this.#socket?.write(encode({ type: 'rescan' }));
  }

  #take(line: string): void {
    const report = decodeReport(line);
    if (!report) this.#log.warn('could not understand the templater', { line: line.slice(0, 200) });
    else if (report.type === 'waiting') this.#missing.set(report.service, report.missing);
    else if (report.type === 'source') this.source = report;
    else this.#rendered(report);
  }

  #rendered({ service, files }: Extract<Report, { type: 'rendered' }>): void {
    this.#missing.delete(service);
    const before = this.#applied.get(service);
    this.#applied.set(service, new Map(files.map((file) => [file.dest, file.digest])));
    if (!before) {
      this.#opened(service);
      return;
    }
    const action = actionFor(before, files);
    if (action) this.#changed(service, action);
  }
}
