/** What the tree's own events tell of each service: its runs, and how each ended. */
import type { EventRecord } from '../../src/control/protocol.ts';
import { parseSignal } from '../../src/core/signals.ts';
import type { Sent } from './ledger.ts';

export interface Run {
  pid: number;
  /** When we heard of it. */
  from: number;
  /** What the tree sent to end it. */
  sent: number[];
  /** What it passed on, as somebody ordered. */
  passedOn: Sent[];
}

export interface Death {
  name: string;
  /** Undefined: it could not be executed. */
  run: Run | undefined;
  event: 'died' | 'ended' | 'stopped' | 'done';
  /** s6's convention: 256 when a signal ended it. */
  code: number;
  signal: number;
  reason: string | undefined;
  crashes: number;
  ranMs: number;
  seq: number;
  at: number;
  /** The tree was being stopped. */
  late: boolean;
  /** Its finish could not be executed, or was killed for being slow. */
  finish: 'refused' | 'killed' | undefined;
}

const SIGHUP = 1;
const DEATHS = new Set(['died', 'ended', 'stopped', 'done']);

export class Book {
  readonly deaths: Death[] = [];
  /** The last death of each. */
  readonly last = new Map<string, Death>();
  readonly running = new Map<string, Run>();
  /** Crash hooks that could not be executed, or were killed for being slow. */
  hooksLost = 0;
  /** When the stop began. */
  stoppedAt: number | undefined;
  ranOutOfTime = false;
  /** Those whose finish said: do not restart. */
  readonly resigned = new Set<string>();

  take({ service, event, fields, seq }: EventRecord): void {
    const at = performance.now();
    const pid = typeof fields['pid'] === 'number' ? fields['pid'] : undefined;
    if (event === 'stopping the tree') this.stoppedAt = at;
    if (event === 'ran out of time to stop') this.ranOutOfTime = true;
    if (fields['hook'] === 'crash' && event !== 'a hook failed') this.hooksLost++;
    if (service === null) return;
    const last = this.last.get(service);
    if (event === 'could not run finish' && last) last.finish = 'refused';
    else if (event === 'killed finish' && last) last.finish = 'killed';
    else if (event === 'finish said: do not restart') this.resigned.add(service);
    else if (DEATHS.has(event)) {
      const signal = typeof fields['signal'] === 'string' ? (parseSignal(fields['signal']) ?? -1) : 0;
      const death: Death = {
        name: service,
        run: this.running.get(service),
        event: event as Death['event'],
        code: signal === 0 ? Number(fields['code'] ?? 0) : 256,
        signal,
        reason: fields['reason'] as string | undefined,
        crashes: Number(fields['crashes'] ?? 0),
        ranMs: Number(fields['ranMs']),
        seq,
        at,
        late: this.stoppedAt !== undefined,
        finish: undefined,
      };
      this.running.delete(service);
      this.deaths.push(death);
      this.last.set(service, death);
    } else if (event === 'started' || event === 'started, not ready yet') this.#run(service, pid, at);
    else if (event === 'stopping')
      this.#run(service, pid, at)?.sent.push(parseSignal(String(fields['signal'])) ?? 0);
    else if (event === 'killed') this.#run(service, pid, at)?.sent.push(9);
    else if (event === 'signalled' || event === 'reloaded') {
      const signal = event === 'reloaded' ? SIGHUP : (parseSignal(String(fields['signal'])) ?? 0);
      this.running.get(service)?.passedOn.push({ signal, at });
    }
  }

  #run(service: string, pid: number | undefined, at: number): Run | undefined {
    if (pid === undefined) return undefined;
    const known = this.running.get(service);
    if (known?.pid === pid) return known;
    const run: Run = { pid, from: at, sent: [], passedOn: [] };
    this.running.set(service, run);
    return run;
  }
}
