import { isAbsolute, resolve } from 'node:path';
import { type Action, parseAction } from '../core/action.ts';
import { type Ms, parseDuration } from '../core/duration.ts';
import { didYouMean, UserError } from '../errors.ts';
import { type Owner, parseOwner } from './owner.ts';

/** What a template's first comment says. */
export interface Settings {
  /** Absolute path of the file to write. */
  dest: string;
  /** Undefined: as the file has it, 0644 for a new one. */
  mode: number | undefined;
  owner: Owner | undefined;
  /** A command of the shell; `{file}` in it is the staged file. Only what it exits 0 for is put in place. */
  check: string | undefined;
  onChange: Action;
  /** The least time between two actions that this file asks for; what comes sooner waits. */
  minInterval: Ms;
}

export interface SettingsContext {
  /** The template's path, as messages show it. */
  file: string;
  /** What a relative `dest` is relative to. */
  serviceDir: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Named from outside (`-template in:out`), absolute: it wins, and the comment may be about something else then. */
  dest?: string | undefined;
}

/** Setting → what it means, for `supervise help templates`. */
export const TEMPLATE_SETTINGS: Readonly<Record<string, string>> = {
  dest: 'the file to write; relative to the service directory; ${NAME} and ${NAME:-default} are variables',
  mode: 'octal, such as 0640; as the file has it, else 0644',
  owner: 'user, user:group or :group; as the file has it, else ours',
  check:
    'a command of the shell, such as "app --check-config {file}": only what it exits 0 for is put in place',
  'on-change': 'restart (the default), reload, signal SIG, run COMMAND or none: what follows new content',
  'min-interval': 'the least time between two actions; what comes sooner waits',
};
const NAMES = Object.keys(TEMPLATE_SETTINGS);
const IN_ONE_LINE = '{{!-- dest: /etc/app.conf --}}';

/**
 * Reads the settings in the first comment of a template.
 * @throws UserError that names file, and of each that is wrong the value and what was expected
 */
export function parseSettings(source: string, context: SettingsContext): Settings {
  const { file, serviceDir } = context;
  const problems: string[] = [];
  const hints: string[] = [];
  const refuse: Refuse = (cause, hint) => {
    problems.push(cause);
    if (hint !== undefined) hints.push(hint);
  };
  const values = readLines(source, context, refuse);
  const read = <T>(name: string, expected: string, parse: (text: string) => T | undefined): T | undefined => {
    const text = values?.get(name);
    const value = text === undefined ? undefined : parse(text);
    if (text !== undefined && value === undefined)
      refuse(`expected ${name} to be ${expected}, got ${JSON.stringify(text)}`);
    return value;
  };
  const dest = values && readDest(values.get('dest'), context, refuse);
  const settings = {
    mode: read('mode', 'an octal mode such as 0640', (text) =>
      /^[0-7]{3,4}$/.test(text) ? Number.parseInt(text, 8) : undefined,
    ),
    owner: read('owner', 'user, user:group or :group', parseOwner),
    check: read('check', 'a command such as "app --check-config {file}"', (text) => text || undefined),
    onChange: read('on-change', 'restart, reload, signal SIG, run COMMAND or none', parseAction) ?? 'restart',
    minInterval: read('min-interval', 'a time such as 30s', parseDuration) ?? 0,
  };
  if (dest === undefined || problems.length > 0)
    throw new UserError(`cannot read ${file}: ${problems.join('; ')}`, {
      hint: hints.length > 0 ? hints.join('; ') : undefined,
    });
  return { dest: isAbsolute(dest) ? resolve(dest) : resolve(serviceDir, dest), ...settings };
}

type Refuse = (cause: string, hint?: string) => void;

/** Setting → what stands behind it; undefined where there is no comment to read. */
function readLines(
  source: string,
  context: SettingsContext,
  refuse: Refuse,
): Map<string, string> | undefined {
  const found = firstComment(source);
  const comment = context.dest === undefined || (found !== undefined && isSettings(found)) ? found : '';
  if (comment === undefined) {
    refuse('expected a first comment that names its destination, got none', `begin it with ${IN_ONE_LINE}`);
    return undefined;
  }
  const values = new Map<string, string>();
  // The first stands for all: a licence has many lines.
  let strange: string | undefined;
  for (const line of comment.split(/\r?\n/).map((each) => each.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name = '', value = ''] = /^([A-Za-z-]+)\s*:\s*(.*)$/.exec(line) ?? [];
    if (name === '') strange ??= line;
    else if (!NAMES.includes(name)) {
      const near = didYouMean(name, NAMES);
      refuse(`no setting is called "${name}"${near ? ` (did you mean "${near}"?)` : ''}`);
    } else if (values.has(name)) refuse(`the setting "${name}" is given twice`);
    else values.set(name, value);
  }
  if (strange !== undefined)
    refuse(`expected a setting such as "dest: /etc/app.conf", got ${JSON.stringify(strange)}`);
  return values;
}

/** The destination with its variables put in; undefined where it was refused. */
function readDest(
  value: string | undefined,
  { dest: named, env }: SettingsContext,
  refuse: Refuse,
): string | undefined {
  if (named) return named;
  if (!value) {
    refuse('expected a setting "dest", got none', `begin it with ${IN_ONE_LINE}`);
    return undefined;
  }
  const unset: string[] = [];
  const dest = expand(value, env, (name) => {
    unset.push(name);
    return '';
  });
  for (const name of unset)
    refuse(
      `dest names the variable ${name}, which is not set`,
      `write \${${name}:-/some/default}, or set it`,
    );
  if (unset.length > 0) return undefined;
  // A forgotten line break would otherwise become a part of the path.
  const second = /\s(?:mode|owner|on-change|check|min-interval)\s*:/.exec(dest)?.[0].trim();
  if (second) refuse(`expected one setting a line, got "${second}" behind dest`);
  else if (dest === '' || dest.endsWith('/') || dest.includes('\0'))
    refuse(`expected dest to be the path of a file, got ${JSON.stringify(value)}`);
  return dest;
}

/**
 * The text of a template's first comment, `{{!-- … --}}` or `{{! … }}`; undefined where there is none. Read without
 * Handlebars, so that its settings are known even where the rest does not parse.
 */
export function firstComment(source: string): string | undefined {
  const match = /(?<!\\)\{\{~?!(?:--(?<long>[\s\S]*?)--~?\}\}|(?!--)(?<short>[\s\S]*?)~?\}\})/.exec(source);
  return match?.groups?.['long'] ?? match?.groups?.['short'];
}

/** Whether a comment has settings in it, and not only words. */
function isSettings(comment: string): boolean {
  return comment.split(/\r?\n/).some((line) => NAMES.includes(/^\s*([a-z-]+)\s*:/.exec(line)?.[1] ?? ''));
}

/** Puts variables in for `${NAME}` and `${NAME:-default}`; the default also stands in for an empty one, as in sh. */
export function expand(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
  unset: (name: string) => string,
): string {
  return text.replace(/\$\{(\w+)(?::-([^}]*))?\}/g, (_, name: string, fallback: string | undefined) => {
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    return value || (fallback ?? value ?? unset(name));
  });
}
