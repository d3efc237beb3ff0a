import { COMMANDS, type CommandName, type CommandSpec, envName, OPTIONS, type OptionName } from '../cli.ts';
import { SETTINGS } from '../core/servicedir.ts';
import { didYouMean, UserError } from '../errors.ts';

/** `supervise help [topic]`. Returns the text. */
export async function help(topic: string | undefined): Promise<string> {
  if (topic === undefined) return overview();
  if (Object.hasOwn(COMMANDS, topic)) return commandHelp(topic as CommandName);
  const page = TOPICS[topic];
  if (page) return page();
  const near = didYouMean(topic, [...Object.keys(COMMANDS), ...Object.keys(TOPICS)]);
  throw new UserError(
    `cannot help with "${topic}": no such topic${near ? ` (did you mean "${near}"?)` : ''}`,
    {
      hint: `topics: ${[...Object.keys(COMMANDS), ...Object.keys(TOPICS)].join(', ')}`,
    },
  );
}

function overview(): string {
  const commands = Object.entries(COMMANDS).map(
    ([, { usage, help }]) => [`supervise ${usage}`, help] as const,
  );
  return [
    'supervise keeps the processes of one container alive, and their config in step with Consul.',
    '',
    ...columns(commands),
    '',
    'The services directory: the one named, else $SUPERVISE_SCANDIR, else ./services.d, else /etc/services.d.',
    'Times are milliseconds, or a number with a unit: 500ms, 5s, 1m.',
    '',
    ...optionTable(COMMANDS.run.options),
    '',
    'Topics: supervise help services | control | exit-codes | <verb>',
    '',
  ].join('\n');
}

function commandHelp(name: CommandName): string {
  const { usage, help, options }: CommandSpec = COMMANDS[name];
  return [
    `supervise ${usage}`,
    '',
    `  ${help}`,
    '',
    ...(options.length > 0 ? optionTable(options) : []),
    '',
  ].join('\n');
}

function optionTable(names: readonly OptionName[]): string[] {
  const rows = names.map((name) => {
    const spec = OPTIONS[name];
    const flag = 'value' in spec ? `--${name} ${spec.value}` : `--${name}, --no-${name}`;
    return [flag, envName(name), spec.default, spec.help] as const;
  });
  return columns([['OPTION', 'ENVIRONMENT', 'DEFAULT', ''], ...rows]);
}

const TOPICS: Record<string, () => string> = {
  services: () =>
    [
      'Each subdirectory of the services directory is a service, by its name. Its files:',
      '',
      ...columns([
        ['run', 'executable: the service; ./run NAME, in its directory, in a session of its own'],
        [
          'finish',
          'executable, after each death: code (256 if signalled), signal, name, process group; exit 125: do not restart',
        ],
        ['dependencies.d/NAME', 'start only when NAME is ready'],
        ['templates/*.hbs', 'rendered before the service first starts'],
        ...Object.entries(SETTINGS).map(([name, { expected }]) => [name, expected] as const),
      ]),
      '',
      'Hooks of the whole tree are executables in .supervise/ (or .s6-svscan/):',
      '',
      ...columns([
        ['crash', 'after a crash: service, code or 256, signal or 0, crashes in a row'],
        ['finish', 'once, last: why, exit code so far, service; its non-zero code replaces ours'],
        ['SIGHUP, SIGUSR1 …', 'run instead of what the signal does'],
      ]),
      '',
    ].join('\n'),
  control: () =>
    [
      'The control socket is the first of these that can be made; --socket PATH (SUPERVISE_SOCKET) names another:',
      '',
      '  $SUPERVISE_RUNTIME_DIR/control',
      '  /run/supervise/control',
      '  $XDG_RUNTIME_DIR/supervise/control',
      '  <temp directory>/supervise-<uid>/control',
      '',
      'It speaks lines of JSON: {"v":1,"do":"status","services":[]} → {"v":1,"ok":true,"data":…}',
      '',
    ].join('\n'),
  'exit-codes': () =>
    [
      'Running the tree:',
      '',
      ...columns([
        ['the main command’s', 'where there is one: its code, or 128 + signal'],
        ['the essential service’s', 'when one is over for good: its code, or 128 + signal'],
        ['0', 'services only, stopped by a signal or supervise stop'],
        ['137', 'the same, but something had to be killed'],
        ['100', 'refused at start: bad usage or configuration'],
        ['111', 'the system refused'],
      ]),
      '',
      'The finish hook’s non-zero code replaces these; --exit-map 143=0 changes one into another.',
      'Other verbs: 0 yes or done, 1 no, 99 timed out, 100 wrong usage or configuration, 111 the system refused.',
      '',
    ].join('\n'),
};

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows.map((row) =>
    `  ${row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  ')}`.trimEnd(),
  );
}
