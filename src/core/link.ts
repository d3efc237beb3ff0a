/**
 * What the templater and the tree tell each other: one JSON object a line, over a socket pair that the
 * tree hands down to the templater as the descriptor named in the environment variable LINK_ENV.
 *
 * The templater reports *state*, never an order to act: which content each file has now. The tree
 * remembers which content each service last started on, and acts on the difference. So a report that is lost
 * with a crashed templater is made good by its successor's first report, and one that is repeated does nothing.
 */
export const LINK_ENV = 'SUPERVISE_LINK_FD';

/** What to do to a running service when a file of its config has new content; strongest first. */
export const ACTIONS = ['restart', 'reload', 'none'] as const;
export type Action = (typeof ACTIONS)[number];

export interface RenderedFile {
  /** Absolute path of the destination. */
  dest: string;
  /** SHA-256 of its content, hex. */
  digest: string;
  onChange: Action;
}

/** templater → tree */
export type Report =
  /** All templates of this service are rendered and in place. */
  | { type: 'rendered'; service: string; files: RenderedFile[] }
  /** What this service's templates still lack, in words: `key "app/rate"`, `templates/a.hbs: parse error …`. */
  | { type: 'waiting'; service: string; missing: string[] }
  /** The source (`consul at 127.0.0.1:8500`): answering, or away since a wall-clock time in ms. */
  | { type: 'source'; name: string; awaySince: number | null; cause: string | null };

/** tree → templater */
export type Order =
  /** Read the scandir's templates again. */
  { type: 'rescan' };

/** A line longer than this is dropped with a warning: nothing said here needs more. */
export const MAX_LINE = 1_048_576;

/** One message as the line that carries it. */
export function encode(message: Report | Order): string {
  return `${JSON.stringify(message)}\n`;
}

/** Checks what came in on the tree's side: the templater may be a script of the user's. */
export function decodeReport(line: string): Report | undefined {
  const value = parse(line);
  if (
    value?.['type'] === 'rendered' &&
    typeof value['service'] === 'string' &&
    Array.isArray(value['files'])
  ) {
    const files = value['files'].filter(isRenderedFile);
    return files.length === value['files'].length
      ? { type: 'rendered', service: value['service'], files }
      : undefined;
  }
  if (value?.['type'] === 'waiting' && typeof value['service'] === 'string' && isStrings(value['missing']))
    return { type: 'waiting', service: value['service'], missing: value['missing'] };
  if (value?.['type'] === 'source' && typeof value['name'] === 'string') {
    const awaySince = typeof value['awaySince'] === 'number' ? value['awaySince'] : null;
    const cause = typeof value['cause'] === 'string' ? value['cause'] : null;
    return { type: 'source', name: value['name'], awaySince, cause };
  }
  return undefined;
}

/** The same on the templater's side. */
export function decodeOrder(line: string): Order | undefined {
  return parse(line)?.['type'] === 'rescan' ? { type: 'rescan' } : undefined;
}

/** The strongest action among files whose content differs from what `applied` remembers, if any differs. */
export function actionFor(
  applied: ReadonlyMap<string, string>,
  files: readonly RenderedFile[],
): Action | undefined {
  const changed = files.filter((file) => applied.get(file.dest) !== file.digest);
  return ACTIONS.find((action) => changed.some((file) => file.onChange === action));
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
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
    ACTIONS.includes(file.onChange as Action)
  );
}
