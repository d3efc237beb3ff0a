/**
 * The control protocol: JSON lines over a Unix socket, one request and one reply per connection. Its version is `v`; a
 * field may be added within a version, none changes its meaning.
 */
import { EXIT } from '../errors.ts';

export const VERSION = 1;
/** A request is a verb and some names; whatever is longer is none. */
export const MOST_REQUEST_BYTES = 65_536;

export const VERBS = ['status', 'up', 'down', 'restart', 'reload', 'check', 'stop', 'rescan'] as const;
export type Verb = (typeof VERBS)[number];

export interface Request {
  v: typeof VERSION;
  do: Verb;
  services: string[];
}

export type Reply =
  | { v: typeof VERSION; ok: true; data: unknown }
  /** `exit`: what the verb's process exits with (1 no, 100 wrong usage, 111 the system refused). */
  | { v: typeof VERSION; ok: false; exit: number; error: string; hint?: string };

/** One service in `status`, and in `--json`. Times of day are ISO 8601, lengths are ms. */
export interface ServiceStatus {
  name: string;
  type: 'longrun' | 'oneshot';
  is: string;
  wanted: 'up' | 'once' | 'down';
  since: string;
  pid: number | null;
  /** Crashes in a row. */
  crashes: number;
  lastDeath: { code: number | null; signal: string | null; ranMs: number; reason: string | null } | null;
  /** When a backoff ends. */
  nextStart: string | null;
  /** What a start waits for, in words. */
  waitsFor: string[];
  /** How its check or its health was answered last, where that was no yes. */
  complaint: string | null;
  /** Why its config is not what its templates and the source now say, though it runs on what it has. */
  heldBack: string[];
  /** Why it cannot be started, as its directory was last read. */
  problem: string | null;
}

export interface Status {
  v: typeof VERSION;
  version: string;
  pid: number;
  scandir: string | null;
  stopping: boolean;
  services: ServiceStatus[];
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
  const { v, do: verb, services = [] } = value as Record<string, unknown>;
  if (v !== VERSION) return `expected "v": ${VERSION}, got ${JSON.stringify(v)?.slice(0, 20)}`;
  if (!VERBS.includes(verb as Verb)) return `expected "do" to be one of ${VERBS.join(', ')}`;
  if (!Array.isArray(services) || !services.every((name) => typeof name === 'string'))
    return 'expected "services" to be a list of names';
  return { v, do: verb as Verb, services };
}

export function refuse(error: string, exit: number = EXIT.usage, hint?: string): Reply {
  return { v: VERSION, ok: false, exit, error, ...(hint ? { hint } : {}) };
}

export function agree(data: unknown): Reply {
  return { v: VERSION, ok: true, data };
}
