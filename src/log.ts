import { formatDuration } from './core/duration.ts';
import { printable, printableLines } from './core/printable.ts';

export const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type Level = (typeof LEVELS)[number];
export type Format = 'text' | 'json';
/** Values of an event. A name that ends in `Ms` is a time in milliseconds. */
export type Fields = Record<string, unknown>;

/** One line per event: `event` is short, constant and in the past tense; every value is a field. */
export interface Log {
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
  /** The same log with fields of its own on every line, such as `{ service: 'web' }`. */
  child(fields: Fields): Log;
}

export interface RootLog extends Log {
  /** Loads the formatter and writes what was held back until then. Call it once, when there is time. */
  ready(): Promise<void>;
}

type Render = (level: Level, time: number, event: string, fields: Fields) => void;
/** Takes what is worth remembering (src/events.ts). Must not throw. */
export type Recorder = (
  level: 'info' | 'warn' | 'error',
  time: number,
  event: string,
  fields: Fields,
) => void;

/**
 * Our own log. Lines are held in memory until `ready()`, with the time at which they were said, so that pino is not
 * loaded ahead of the first service: it costs 8 ms, a third of the whole start.
 *
 * @param write takes whole lines, newline included; it must neither throw nor block (os/stderr.ts).
 */
export function createLog(options: {
  format: Format;
  level: Level;
  write: (line: string) => void;
  /** Gets every line from `info` on, whatever `level` lets through. */
  record?: Recorder;
}): RootLog {
  const least = LEVELS.indexOf(options.level);
  let held: Parameters<Render>[] = [];
  let render: Render = (...line) => held.push(line);

  const at =
    (level: Level, own: Fields) =>
    (event: string, fields: Fields = {}): void => {
      const isWanted = LEVELS.indexOf(level) >= least;
      const isMemorable = level !== 'debug' && level !== 'silent' && options.record !== undefined;
      if (!isWanted && !isMemorable) return;
      const line = [Date.now(), event, { ...own, ...fields }] as const;
      try {
        if (isMemorable) options.record?.(level, ...line);
        if (isWanted) render(level, ...line);
      } catch {
        // Whoever tells of what it does must go on with that: a stop that has begun would never end.
      }
    };
  const make = (own: Fields): Log => ({
    debug: at('debug', own),
    info: at('info', own),
    warn: at('warn', own),
    error: at('error', own),
    child: (more) => make({ ...own, ...more }),
  });

  return {
    ...make({}),
    async ready() {
      const loaded = options.format === 'json' ? await jsonRender(options.write) : textRender(options.write);
      for (const line of held) loaded(...line);
      held = [];
      render = loaded;
    },
  };
}

async function jsonRender(write: (line: string) => void): Promise<Render> {
  const { default: pino } = await import('pino');
  const logger = pino(
    { level: 'debug', base: null, timestamp: false, formatters: { level: (label) => ({ level: label }) } },
    { write: (line) => write(printableLines(line)) },
  );
  return (level, time, event, fields) => {
    if (level !== 'silent') logger[level]({ time: new Date(time).toISOString(), ...fields }, event);
  };
}

function textRender(write: (line: string) => void): Render {
  return (...line) => write(textLine(...line));
}

/** A line as people read it, newline included; its hint, if there is one, is a line of its own. */
export function textLine(
  level: Level,
  time: number,
  event: string,
  { service, hint, ...fields }: Fields,
): string {
  const clock = new Date(time).toISOString().slice(11, 23);
  const subject = service === undefined ? '' : `${text(service)}: `;
  const values = Object.entries(fields).flatMap(([name, value]) => {
    if (value === undefined) return [];
    if (name.endsWith('Ms') && typeof value === 'number')
      return [`${name.slice(0, -2)}=${formatDuration(value)}`];
    return [`${name}=${text(value)}`];
  });
  const tail = hint === undefined ? '' : `\n  hint: ${printableLines(String(hint))}`;
  const mark = level === 'info' ? '' : `${level}: `;
  return `${clock} supervise: ${printable(`${mark}${subject}${[event, ...values].join(' ')}`)}${tail}\n`;
}

/** A value on a text line: bare when it is one word, quoted otherwise, so that lines can be cut at blanks. */
function text(value: unknown): string {
  const string = typeof value === 'string' ? value : JSON.stringify(value);
  return typeof value !== 'string' || /^[\w./:@+,%~#<>()→-]+$/.test(string) ? string : JSON.stringify(string);
}
