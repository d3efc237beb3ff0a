import { type Action, parseAction, strongest } from './action.ts';
import { printable } from './printable.ts';

/**
 * What the templater and the tree tell each other: one JSON object a line, over a socket pair that the
 * tree hands down to the templater as the descriptor named in the environment variable LINK_ENV.
 *
 * The templater reports *state*, never an order to act: which content each file has now. The tree
 * remembers which content each service last started on, and acts on the difference. So a report that is lost
 * with a crashed templater is made good by its successor's first report, and one that is repeated does nothing.
 */
export const LINK_ENV = 'SUPERVISE_LINK_FD';

export interface RenderedFile {
  /** Absolute path of the destination. */
  dest: string;
  /** SHA-256 of its content, hex. */
  digest: string;
  onChange: Action;
}

/** templater → tree */
export type Report =
  /** It runs. The built-in one says so first of all, whatever it has to wait for after that. */
  | { type: 'begun' }
  /**
   * All templates of this service are rendered and in place. `generation` names these contents, whenever and by whomever
   * they are rendered; `canGoBack`: the files that the service was well on before are kept, and can be put back;
   * `mended`: a templater that died had put half of a generation in place, and the service may have read that.
   */
  | {
      type: 'rendered';
      service: string;
      files: RenderedFile[];
      generation?: string;
      canGoBack?: boolean;
      mended?: boolean;
    }
  /**
   * What this service's templates still lack, in words: `key "app/rate"`, `templates/a.hbs: parse error …`.
   * `stale`: every destination holds a file from before, these.
   */
  | { type: 'waiting'; service: string; missing: string[]; stale?: Stale }
  /** Of what this service's templates ask, in words, what is gone from the source: the last value of each still stands. */
  | { type: 'kept'; service: string; kept: string[] }
  /** The source (`consul at 127.0.0.1:8500`): answering, or away since a wall-clock time in ms. */
  | { type: 'source'; name: string; awaySince: number | null; cause: string | null };

/** Files that a service can be started on while its templates cannot be rendered. */
export interface Stale {
  generation: string;
  files: RenderedFile[];
}

/** tree → templater */
export type Order =
  /** Read the scandir's templates again. */
  | { type: 'rescan' }
  /** How the config of these services stands: of all of them when the link is made, then of each whose standing changed. */
  | { type: 'judgements'; services: Judgement[] };

/** What the tree knows of a service's config, and the templater cannot: how the service lives with it. */
export interface Judgement {
  service: string;
  /** The generation that was last reported; null before the first. */
  seen: string | null;
  /** It is being judged: no other may be put in place. */
  hold: boolean;
  /** The service has proved well on this one. */
  good: string | null;
  /** The service could not live with these. The previous files are to come back, and none of these is to be tried again. */
  bad: string[];
  /** How long ago the service was last acted on for its config. */
  actedMsAgo: number | null;
}

/** A generation's name is a short digest. */
const MOST_NAME = 64;

/** A line longer than this is dropped with a warning: nothing said here needs more. */
export const MAX_LINE = 1_048_576;

/** One message as the line that carries it. */
export function encode(message: Report | Order): string {
  return `${JSON.stringify(message)}\n`;
}

/** Checks what came in on the tree's side: the templater may be a script of the user's. */
export function decodeReport(line: string): Report | undefined {
  const value = parse(line);
  if (value?.['type'] === 'begun') return { type: 'begun' };
  if (
    value?.['type'] === 'rendered' &&
    typeof value['service'] === 'string' &&
    Array.isArray(value['files'])
  ) {
    const files = value['files'].filter(isRenderedFile);
    if (files.length < value['files'].length) return undefined;
    const report: Extract<Report, { type: 'rendered' }> = {
      type: 'rendered',
      service: value['service'],
      files,
    };
    if (typeof value['generation'] === 'string')
      report.generation = printable(value['generation'].slice(0, MOST_NAME));
    if (typeof value['canGoBack'] === 'boolean') report.canGoBack = value['canGoBack'];
    if (typeof value['mended'] === 'boolean') report.mended = value['mended'];
    return report;
  }
  if (value?.['type'] === 'waiting' && typeof value['service'] === 'string' && isStrings(value['missing'])) {
    const { stale } = value;
    return {
      type: 'waiting',
      service: value['service'],
      missing: value['missing'],
      ...(isStale(stale) ? { stale } : {}),
    };
  }
  if (value?.['type'] === 'kept' && typeof value['service'] === 'string' && isStrings(value['kept']))
    return { type: 'kept', service: value['service'], kept: value['kept'] };
  if (value?.['type'] === 'source' && typeof value['name'] === 'string') {
    const awaySince = typeof value['awaySince'] === 'number' ? value['awaySince'] : null;
    const cause = typeof value['cause'] === 'string' ? value['cause'] : null;
    return { type: 'source', name: value['name'], awaySince, cause };
  }
  return undefined;
}

/** The same on the templater's side. */
export function decodeOrder(line: string): Order | undefined {
  const value = parse(line);
  if (value?.['type'] === 'rescan') return { type: 'rescan' };
  const services = value?.['type'] === 'judgements' ? value['services'] : undefined;
  return Array.isArray(services) && services.every(isJudgement)
    ? { type: 'judgements', services }
    : undefined;
}

/**
 * The one thing to do for all files whose content differs from what `applied` remembers: the strongest that one of them
 * asks for. Where files ask for different signals, or for different commands, it is all of those. Undefined where no
 * content differs.
 */
export function actionsFor(
  applied: ReadonlyMap<string, string>,
  files: readonly RenderedFile[],
): readonly Action[] | undefined {
  const changed = files.filter((file) => applied.get(file.dest) !== file.digest);
  return changed.length === 0 ? undefined : strongest(changed.map((file) => file.onChange));
}

function parse(line: string): Record<string, unknown> | null | undefined {
  try {
    // Of what is no object nothing is found either.
    return JSON.parse(line) as Record<string, unknown> | null;
  } catch {
    return undefined;
  }
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isRenderedFile(value: unknown): value is RenderedFile {
  const file = value as Partial<RenderedFile> | null;
  return (
    typeof file?.dest === 'string' &&
    typeof file.digest === 'string' &&
    typeof file.onChange === 'string' &&
    parseAction(file.onChange) === file.onChange
  );
}

function isStale(value: unknown): value is Stale {
  const stale = value as Partial<Stale> | null | undefined;
  return (
    typeof stale?.generation === 'string' && Array.isArray(stale.files) && stale.files.every(isRenderedFile)
  );
}

function isJudgement(value: unknown): value is Judgement {
  const judgement = value as Partial<Judgement> | null;
  return typeof judgement?.service === 'string' && isStrings(judgement.bad);
}
