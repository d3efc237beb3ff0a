/** The tables of the README as the code has them. `npm run readme` puts them there. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  COMMANDS,
  type CommandSpec,
  envName,
  flagOf,
  OPTIONS,
  type OptionName,
  type OptionSpec,
} from '../src/cli.ts';
import { HOOKS } from '../src/core/hook-docs.ts';
import { SERVICE_FILES } from '../src/core/servicedir.ts';
import { referenceRows } from '../src/templater/reference.ts';
import { TEMPLATE_SETTINGS } from '../src/templater/settings.ts';
import { DIFFERENCES } from './differential/differences.ts';

export const README = join(import.meta.dirname, '../README.md');

export const TABLES: Readonly<Record<string, string>> = {
  files: table(
    ['file', 'meaning', 'default'],
    Object.entries(SERVICE_FILES).map(([name, file]) => [`\`${name}\``, file.help, file.default]),
  ),
  hooks: table(
    ['hook', 'when', 'arguments', 'environment'],
    Object.entries(HOOKS).map(([name, { when, args, env }]) => [
      name.replaceAll(/\w+/g, '`$&`'),
      when,
      args.map((arg, i) => `\`$${i + 1}\` ${arg}`).join('; '),
      Object.entries(env)
        .map(([variable, meaning]) => `\`${variable}\` ${meaning}`)
        .join('; '),
    ]),
  ),
  settings: table(
    ['setting', 'meaning'],
    Object.entries(TEMPLATE_SETTINGS).map(([name, meaning]) => [`\`${name}\``, meaning]),
  ),
  helpers: table(
    ['for', 'helpers'],
    [...Map.groupBy(referenceRows(), ({ group }) => group)].map(([group, rows]) => [
      group.toLowerCase(),
      rows.map(({ name }) => `\`${name}\``).join(' '),
    ]),
  ),
  verbs: table(
    ['verb', 'does'],
    (Object.values(COMMANDS) as CommandSpec[]).map(({ usage, help }) => [`\`supervise ${usage}\``, help]),
  ),
  options: table(
    ['option', 'variable', 'of', 'default', 'meaning'],
    (Object.keys(OPTIONS) as OptionName[]).map((name) => {
      const { value, default: otherwise, help }: OptionSpec = OPTIONS[name];
      const flag = value === undefined ? `--${flagOf(name)}` : `--${flagOf(name)} ${value}`;
      return [`\`${flag}\``, `\`${envName(name)}\``, verbsOf(name), otherwise, help];
    }),
  ),
  s6: table(
    ['other than with s6', 's6', 'supervise'],
    DIFFERENCES.map(({ name, s6, ours }) => [name, s6, ours]),
  ),
};

function verbsOf(name: OptionName): string {
  const verbs = (Object.entries(COMMANDS) as [string, CommandSpec][])
    .filter(([, { options }]) => options.includes(name))
    .map(([verb]) => (verb === 'run' ? 'the tree' : verb));
  return verbs.length > Object.keys(COMMANDS).length / 2 ? 'all' : verbs.join(', ');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Each table in the place of the one with the same head; a text without that head is left as it is. */
function withTables(text: string): string {
  let result = text;
  for (const own of Object.values(TABLES)) {
    const [head = ''] = own.split('\n', 1);
    const start = result.indexOf(`${head}\n`);
    if (start < 0) throw new Error(`README has no table with the head ${head}`);
    const end = result.indexOf('\n\n', start);
    result = result.slice(0, start) + own + result.slice(end);
  }
  return result;
}

if (import.meta.main) writeFileSync(README, withTables(readFileSync(README, 'utf8')));
