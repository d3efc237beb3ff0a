/** The pages of `supervise help`, drawn from the data that the code itself goes by wherever there are such. */
import { envName, OPTIONS, type OptionName } from '../cli.ts';
import { protocolSchema } from '../control/schema.ts';
import { columns, folded, WIDE } from '../core/columns.ts';
import { VARIABLES } from '../core/environment.ts';
import { HOOKS } from '../core/hook-docs.ts';
import { SERVICE_FILES } from '../core/servicedir.ts';
import { EXIT, EXIT_MEANINGS } from '../errors.ts';
import { socketCandidates } from '../os/runtime-dir.ts';
import { PASSED_ON, SIGNALS } from '../os/signals.ts';

interface Topic {
  /** A line of the overview. */
  about: string;
  text(): readonly string[] | Promise<readonly string[]>;
}

export const TOPICS: Readonly<Record<string, Topic>> = {
  servicedir: {
    about: 'what a service directory may hold',
    text: () => [
      'Each subdirectory of the services directory that is not a dot-name is a service, by its name. Its files:',
      '',
      ...columns(
        [
          ['FILE', 'DEFAULT', 'A CHANGE COUNTS', ''],
          ...Object.entries(SERVICE_FILES).map(([name, file]) => [
            name,
            file.default,
            file.takes,
            plain(file.help),
          ]),
        ],
        WIDE,
      ),
      '',
      'Times: 500ms, 5s, 1m; a bare number is milliseconds, as in s6.',
      'One setting is one small file. up, once and restart read the directory of their service again, rescan all of them.',
      'What concerns the whole tree is in .supervise/, or .s6-svscan/: supervise help hooks.',
    ],
  },
  hooks: {
    about: 'crash, finish and SIG* in .supervise/',
    text: () => [
      'Executables in .supervise/ (or .s6-svscan/) of the services directory, run there. One that is missing is fine; one that is',
      'slow (--hook-timeout) or fails is one warning, and delays no restart.',
      ...Object.entries(HOOKS).flatMap(([name, { when, args, env }]) => [
        '',
        ...folded(`${name}: ${when}`),
        '',
        ...columns(
          [
            ...args.map((meaning, i) => [`$${i + 1}`, meaning]),
            ...Object.entries(env).map(([variable, meaning]) => [variable, meaning]),
          ],
          WIDE,
        ),
      ]),
    ],
  },
  signals: {
    about: 'what each signal does to supervise',
    text: () => [
      ...columns(
        [['SIGNAL', ''], ...Object.entries(SIGNALS).map(([names, meaning]) => [names, meaning])],
        WIDE,
      ),
      '',
      ...folded(`Others: ${PASSED_ON.join(', ')}.`),
      '',
      'A hook of the signal’s name runs instead (supervise help hooks); --rewrite TERM:QUIT takes one for another.',
      'To one service: supervise signal USR1 web, supervise reload web (its reload-signal).',
    ],
  },
  'exit-codes': {
    about: 'of the tree, and of the verbs',
    text: () => [
      'Running the tree:',
      '',
      ...columns(
        [
          ['its code, or 128 + signal', 'the main command ended, or was stopped'],
          ['its code, or 128 + signal', 'an essential service is over for good'],
          ['0', 'services only, stopped by a signal or supervise stop'],
          ['137', 'the same, but something had to be killed'],
          [String(EXIT.usage), 'refused at start: bad usage or configuration'],
          [String(EXIT.system), 'the system refused'],
        ],
        WIDE,
      ),
      '',
      'The finish hook’s non-zero code replaces these; --exit-map 143=0 changes one into another.',
      '',
      'The verbs that ask or tell a running tree:',
      '',
      ...columns(
        Object.entries(EXIT_MEANINGS).map(([name, meaning]) => [
          String(EXIT[name as keyof typeof EXIT]),
          meaning,
        ]),
        WIDE,
      ),
    ],
  },
  environment: {
    about: 'variables that are read, and those that are set',
    text: () => [
      'Each option has a variable; the flag wins, and an empty variable is none:',
      '',
      ...columns(
        (Object.keys(OPTIONS) as OptionName[]).map((name) => [envName(name), OPTIONS[name].help]),
        WIDE,
      ),
      '',
      'Others:',
      '',
      ...columns(Object.entries(VARIABLES), WIDE),
      '',
      'Services get our environment. Hooks get more: supervise help hooks.',
    ],
  },
  templates: {
    about: 'settings and helpers of templates',
    async text() {
      const { describeTemplates } = await import('../templater/reference.ts');
      const { TEMPLATE_SETTINGS } = await import('../templater/settings.ts');
      return [
        'Handlebars templates, templates/*.hbs of a service; the first comment of each holds its settings:',
        '',
        '  {{!--',
        '  dest: /etc/app/config.json',
        '  --}}',
        '',
        ...columns(Object.entries(TEMPLATE_SETTINGS), WIDE),
        '',
        'A part that several templates share is a partial: {{> head}} includes templates/partials/head.hbs.',
        'Helpers of your own, in JavaScript: --helpers FILE (SUPERVISE_HELPERS).',
        '',
        'New content goes to its dest when check finds nothing wrong with it; then on-change is done. The service must then be well',
        'for --settle (5s): else its previous files are put back, it is started on them, and status says which config was bad.',
        '',
        ...describeTemplates().trimEnd().split('\n'),
      ];
    },
  },
  control: {
    about: 'the control socket: where it is, and what it speaks',
    text: () => [
      'The control socket is the first of these that can be made; --socket PATH (SUPERVISE_SOCKET) names another:',
      '',
      ...socketPlaces().map((place) => `  ${place}`),
      '',
      'It has mode 0600. It speaks lines of JSON: one request a connection, and its answer. Times are ISO 8601, lengths are ms.',
      '',
      '  {"v":1,"do":"status","services":[]}                                 → {"v":1,"ok":true,"data":{…}}',
      '  {"v":1,"do":"up","services":["web"],"until":"ready","timeoutMs":5000} → {"v":1,"ok":true,"more":true,"data":{…}}',
      '                                                                      → {"v":1,"ok":true,"data":{…}}',
      '  {"v":1,"do":"down","services":["wbe"]}                              → {"v":1,"ok":false,"exit":100,"error":"cannot find …"}',
      '',
      'A line with "more" has others after it; the last has none. A client that ends its side has gone.',
      'What every line holds: supervise help protocol, as JSON Schema. Within version 1 fields may be added.',
    ],
  },
  protocol: {
    about: 'the JSON of the control socket and of --json, as JSON Schema',
    text: () => [JSON.stringify(protocolSchema(), null, 2)],
  },
};

/** Without the marks of the README's table. */
function plain(text: string): string {
  return text.replaceAll(/[`*]/g, '');
}

/** As the code looks for them, with names in the place of values. */
function socketPlaces(): string[] {
  const [own = ''] = socketCandidates({ SUPERVISE_RUNTIME_DIR: '$SUPERVISE_RUNTIME_DIR' });
  const others = socketCandidates({ XDG_RUNTIME_DIR: '$XDG_RUNTIME_DIR' });
  return [own, ...others.slice(0, -1), '<temp directory>/supervise-<uid>/control'];
}
