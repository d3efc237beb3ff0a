/** The tables of the README as the code has them. `node test/readme.ts` prints them, to be pasted there. */
import {
  COMMANDS,
  type CommandSpec,
  envName,
  flagOf,
  OPTIONS,
  type OptionName,
  type OptionSpec,
} from '../src/cli.ts';
import { SERVICE_FILES } from '../src/core/servicedir.ts';

export const TABLES: Readonly<Record<string, string>> = {
  files: table(
    ['file', 'meaning', 'default'],
    Object.entries(SERVICE_FILES).map(([name, file]) => [`\`${name}\``, file.help, file.default]),
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

if (import.meta.main) for (const [name, text] of Object.entries(TABLES)) console.log(`${name}:\n\n${text}\n`);
