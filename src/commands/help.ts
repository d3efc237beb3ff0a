import {
  COMMANDS,
  type CommandName,
  type CommandSpec,
  envName,
  flagOf,
  OPTIONS,
  type OptionName,
  type OptionSpec,
} from '../cli.ts';
import { columns, WIDE } from '../core/columns.ts';
import { didYouMean, UserError } from '../errors.ts';
import { TOPICS } from './reference.ts';

/** `supervise help [topic]`: a topic is a verb, or a page of the reference. Returns the text. */
export async function help(topic: string | undefined): Promise<string> {
  if (topic === undefined) return overview();
  if (topic === 'template') {
    const { HELP } = await import('../templater/options.ts');
    return HELP;
  }
  if (Object.hasOwn(COMMANDS, topic)) return commandHelp(topic as CommandName);
  const page = Object.hasOwn(TOPICS, topic) ? TOPICS[topic] : undefined;
  if (page) return `${(await page.text()).join('\n')}\n`;
  const near = didYouMean(topic, topics());
  throw new UserError(
    `cannot help with "${topic}": no such topic${near ? ` (did you mean "${near}"?)` : ''}`,
    { hint: `topics: ${topics().join(', ')}` },
  );
}

/** Everything that there is help with. */
export function topics(): string[] {
  return [...new Set([...Object.keys(TOPICS), ...Object.keys(COMMANDS)])];
}

function overview(): string {
  const commands = Object.entries(COMMANDS).map(([, { usage, help }]) => [`supervise ${usage}`, help]);
  return [
    'supervise keeps the processes of one container alive, and their config in step with Consul.',
    '',
    ...columns(commands, WIDE),
    '',
    'The services directory: the one named, else $SUPERVISE_SCANDIR, else ./services.d, else /etc/services.d.',
    'Times are milliseconds, or a number with a unit: 500ms, 5s, 1m.',
    'Exit codes of the verbs: 0 yes or done, 1 no, 99 timed out, 100 wrong usage, 111 the system refused.',
    '',
    ...optionTable(COMMANDS.run.options),
    '',
    'supervise help VERB tells more of a verb, supervise help TOPIC of:',
    '',
    ...columns(
      Object.entries(TOPICS).map(([name, { about }]) => [name, about]),
      WIDE,
    ),
    '',
  ].join('\n');
}

function commandHelp(name: CommandName): string {
  const { usage, help, options, more = [] }: CommandSpec = COMMANDS[name];
  return [
    `supervise ${usage}`,
    '',
    `  ${help}`,
    '',
    ...(more.length > 0 ? [...more.map((line) => `  ${line}`), ''] : []),
    ...(options.length > 0 ? [...optionTable(options), ''] : []),
  ].join('\n');
}

function optionTable(names: readonly OptionName[]): string[] {
  const rows = names.map((name) => {
    const spec: OptionSpec = OPTIONS[name];
    const flag = flagOf(name);
    const shown = spec.value === undefined ? `--${flag}, --no-${flag}` : `--${flag} ${spec.value}`;
    return [shown, envName(name), spec.default, spec.help];
  });
  return columns([['OPTION', 'ENVIRONMENT', 'DEFAULT', ''], ...rows], WIDE);
}
