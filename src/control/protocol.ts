/**
 * The control protocol: JSON lines over a Unix socket. One request a connection; then lines that say `more`, if any, and
 * one last line that does not. Its version is `v`: a field may be added within a version, none changes its meaning.
 * What each reply holds is in schema.ts.
 */
import { GOALS, type Goal } from '../core/goal.ts';
import { parseSignal } from '../core/signals.ts';
import { didYouMean, EXIT, UserError } from '../errors.ts';

export const VERSION = 1;
/** A request is a verb and some names; whatever is longer is none. */
export const MOST_REQUEST_BYTES = 65_536;

/** What starts, stops or tells services. */
export const ORDERS = ['up', 'down', 'once', 'restart', 'reload', 'signal'] as const;
export type Order = (typeof ORDERS)[number];
export const VERBS = ['status', ...ORDERS, 'wait', 'check', 'events', 'logs', 'rescan', 'stop'] as const;
export type Verb = (typeof VERBS)[number];

/** The longest that Node's timers hold. */
const MOST_TIMEOUT_MS = 0x7fff_ffff;

export interface Request {
  v: typeof VERSION;
  do: Verb;
  services: string[];
  /** Of `signal`: as people write it. */
  signal?: string;
  /** Of `wait`, and of an order that is to be waited for. */
  until?: Goal;
  /** How long that may take, in ms; for ever without it. */
  timeoutMs?: number;
  /** Of `events`, `logs` and `status`: go on telling. */
  follow?: boolean;
}

export type Reply =
  /** `more`: other lines follow. */
  | { v: typeof VERSION; ok: true; more?: true; data: unknown }
  /** `exit`: what the verb's process exits with (1 no, 99 timed out, 100 wrong usage, 111 the system refused). */
  | { v: typeof VERSION; ok: false; exit: number; error: string; hint?: string };

/** One service in `status`, and in `--json`. Times of day are ISO 8601, lengths are ms. */
export interface ServiceStatus {
  name: string;
  type: 'longrun' | 'oneshot';
  is: string;
  wanted: 'up' | 'once' | 'down';
  /** By SUPERVISE_DISABLE: not started at boot, and nobody waits for it. */
  disabled: boolean;
  since: string;
  pid: number | null;
  /** Crashes in a row. */
  crashes: number;
  lastDeath: {
    code: number | null;
    signal: string | null;
    ranMs: number;
    reason: string | null;
    at: string;
  } | null;
  /** When a backoff ends. */
  nextStart: string | null;
  /** What it depends on, and what that is. */
  dependencies: { name: string; is: string }[];
  /** What it has beside its run: check, health, finish, log, templates. */
  has: string[];
  /** What a start waits for, in words. */
  waitsFor: string[];
  /** How its check or its health was answered last, where that was no yes. */
  complaint: string | null;
  /** Why its config is not what its templates and the source now say, though it runs on what it has. */
  heldBack: string[];
  /** What its templates ask and is gone from the source: the last value of each still stands. */
  kept: string[];
  /**
   * The generation of its config that it runs on, and how it fares: null for a service without templates. `bad`: the last
   * that it could not live with, until another proves good.
   */
  rollout: {
    generation: string | null;
    state: 'unproven' | 'settling' | 'good' | 'bad' | 'recovering';
    since: string;
    /** The files that it was well on before are kept. */
    canGoBack: boolean;
    bad: { generation: string; cause: string } | null;
  } | null;
  /** Why it cannot be started, as its directory was last read. */
  problem: string | null;
  /** How to mend that. */
  hint: string | null;
  /** Its directory; null for what has none. */
  path: string | null;
  /** Its settings that are not the default: file → value, in words. */
  settings: Record<string, string>;
}

export interface Status {
  v: typeof VERSION;
  version: string;
  pid: number;
  scandir: string | null;
  stopping: boolean;
  services: ServiceStatus[];
  /** The package whose services these are, with the version of each; null where none says so of itself. */
  package: { name: string; version: string; services: Record<string, string> } | null;
  /** Where the templater's values come from; null when there is no templater or it has not said. */
  source: { name: string; awaySince: string | null; cause: string | null } | null;
}

/** What `rescan` has changed, by names. */
export interface Rescanned {
  added: string[];
  removed: string[];
  changed: string[];
  /** The changed files of a service that goes on, and when each takes effect. */
  files: Record<string, { file: string; takes: 'at once' | 'at the next start' }[]>;
  /** What cannot be started as its directory now is, or goes on as it was before. */
  problems: { service: string; message: string; hint: string | null }[];
}

/** What an order left each of its services in. */
export interface Ordered {
  services: { name: string; is: string; waitsFor: string[] }[];
}

/** Something that happened: a line of our log, whatever `--log-level` shows of it. */
export interface EventRecord {
  v: typeof VERSION;
  /** Counts up from 1; a gap is what the ring no longer holds. */
  seq: number;
  time: string;
  level: 'info' | 'warn' | 'error';
  /** Null: the tree itself. */
  service: string | null;
  /** Short, constant, in the past tense. */
  event: string;
  fields: Record<string, unknown>;
}

/** What a service wrote: whole lines, or a part of one that is very long. */
export interface OutputRecord {
  service: string;
  /** With U+FFFD where it is no UTF-8; then `base64` has all its bytes. */
  text: string;
  base64?: string;
}

/** Reads a request, or says what is wrong with it. */
export function parseRequest(line: string): Request | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'expected one line of JSON';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'expected a JSON object';
  const { v, do: verb, services = [], ...rest } = value as Record<string, unknown>;
  if (v !== VERSION) return `expected "v": ${VERSION}, got ${inShort(v)}`;
  if (!VERBS.includes(verb as Verb)) return `expected "do" to be one of ${VERBS.join(', ')}`;
  if (!Array.isArray(services) || !services.every((name) => typeof name === 'string'))
    return 'expected "services" to be a list of names';
  const request: Request = { v, do: verb as Verb, services };
  for (const [name, { expected, isIt }] of Object.entries(FIELDS)) {
    const field = rest[name];
    if (field === undefined) continue;
    if (!isIt(field)) return `expected "${name}" to be ${expected}`;
    Object.assign(request, { [name]: field });
  }
  return request;
}

/** What is no simple value is not written out: what is nested a few thousand deep cannot be. */
function inShort(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : JSON.stringify(value).slice(0, 20);
}

/** The fields that some verbs take. */
const FIELDS: Record<
  Exclude<keyof Request, 'v' | 'do' | 'services'>,
  { expected: string; isIt: (value: unknown) => boolean }
> = {
  signal: { expected: 'the name of a signal', isIt: (value) => typeof value === 'string' },
  until: { expected: `one of ${GOALS.join(', ')}`, isIt: (value) => GOALS.includes(value as Goal) },
  timeoutMs: {
    expected: `a number of milliseconds from 0 to ${MOST_TIMEOUT_MS}`,
    isIt: (value) => typeof value === 'number' && value >= 0 && value <= MOST_TIMEOUT_MS,
  },
  follow: { expected: 'true or false', isIt: (value) => typeof value === 'boolean' },
};

export function refuse(error: string, exit: number = EXIT.usage, hint?: string): Reply {
  return { v: VERSION, ok: false, exit, error, ...(hint ? { hint } : {}) };
}

export function agree(data: unknown): Reply {
  return { v: VERSION, ok: true, data };
}

export function more(data: unknown): Reply {
  return { v: VERSION, ok: true, more: true, data };
}

/** Reads the `signal` of a request. @throws UserError when it is none */
export function readSignal(text: string): number {
  const number = parseSignal(text);
  if (number !== undefined) return number;
  const word = text.slice(0, MOST_WORD);
  const near = didYouMean(word.toUpperCase().replace(/^SIG/, ''), COMMON_SIGNALS);
  throw new UserError(`cannot signal: no such signal as "${word}"${near ? ` (did you mean ${near}?)` : ''}`);
}

const MOST_WORD = 32;

/** Those that people send to a service by hand. */
export const COMMON_SIGNALS = [
  'HUP',
  'INT',
  'QUIT',
  'KILL',
  'USR1',
  'USR2',
  'TERM',
  'CONT',
  'STOP',
  'TSTP',
  'WINCH',
  'ALRM',
] as const;
