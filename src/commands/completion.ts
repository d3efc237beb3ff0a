import {
  COMMANDS,
  type CommandSpec,
  flagOf,
  OPTIONS,
  type OptionName,
  type OptionSpec,
  SHELLS,
  type Shell,
} from '../cli.ts';
import { ask } from '../control/client.ts';
import { COMMON_SIGNALS, type Status } from '../control/protocol.ts';
import { printable } from '../core/printable.ts';
import { EXIT, UserError } from '../errors.ts';
import type { Print } from './control.ts';
import { topics } from './help.ts';

/** Hidden: the names of the services that run now, for the scripts below; nothing where there are none to ask. */
const NAMES = 'services';

/** `supervise completion SHELL`: a script that teaches a shell to complete. Returns the exit code. */
export async function completion(word: string, print: Print): Promise<number> {
  if (word === NAMES) {
    print((await serviceNames()).map((name) => `${printable(name)}\n`).join(''));
    return EXIT.yes;
  }
  const shell = SHELLS.find((each) => each === word);
  if (!shell) throw new UserError(`cannot complete in "${word}": expected bash, zsh or fish`);
  print(completionScript(shell));
  return EXIT.yes;
}

export function completionScript(shell: Shell): string {
  return { bash, zsh, fish }[shell]();
}

async function serviceNames(): Promise<string[]> {
  try {
    const { services } = (await ask(
      { do: 'status', services: [] },
      process.env['SUPERVISE_SOCKET'],
    )) as Status;
    // The main command has a name that no shell takes without quotes, and is not for these verbs as a rule.
    return services.map(({ name }) => name).filter((name) => !name.startsWith('('));
  } catch {
    return [];
  }
}

interface Verb {
  name: string;
  help: string;
  flags: { flag: string; takesValue: boolean; words: readonly string[]; help: string }[];
  takes: readonly string[];
}

/** The verbs as they are typed; the first, without a name, is `run`. */
function verbs(): Verb[] {
  return Object.entries(COMMANDS).map(([name, spec]: [string, CommandSpec]) => ({
    name: name === 'run' ? '' : name,
    help: spec.help,
    flags: [
      ...spec.options.map((option) => flagSpec(option)),
      { flag: '--help', takesValue: false, words: [], help: 'what the verb does' },
    ],
    takes: spec.takes ?? [],
  }));
}

function flagSpec(name: OptionName): Verb['flags'][number] {
  const spec: OptionSpec = OPTIONS[name];
  return {
    flag: `--${flagOf(name)}`,
    takesValue: spec.value !== undefined,
    words: spec.words ?? [],
    help: spec.help,
  };
}

/** What stands for each kind of word: a list, or what the shell itself must find. */
function wordsFor(kind: string | undefined): readonly string[] {
  switch (kind) {
    case 'signal':
      return COMMON_SIGNALS;
    case 'topic':
      return topics();
    case 'shell':
      return SHELLS;
    default:
      return [];
  }
}

function bash(): string {
  const cases = verbs().map(({ name, flags, takes }) => {
    const all = flags.map(({ flag }) => flag).join(' ');
    const valued = flags.filter(({ takesValue }) => takesValue).map(({ flag }) => flag);
    const kinds = takes.map((kind) =>
      kind === 'service' || kind === 'directory' ? `@${kind}` : wordsFor(kind).join(' '),
    );
    // What can come once comes first only.
    const rest = takes.at(-1) === 'service' ? '@service' : '';
    return `    ${name || "''"}) flags='${all}' valued='${valued.join(' ')}' first='${kinds[0] ?? ''}' rest='${rest}' ;;`;
  });
  const values = verbs().flatMap(({ name, flags }) =>
    flags
      .filter(({ words }) => words.length > 0)
      .map(({ flag, words }) => `    ${name}${flag}) words='${words.join(' ')}' ;;`),
  );
  const names = verbs()
    .map(({ name }) => name)
    .filter(Boolean);
  return `# bash completion for supervise: source <(supervise completion bash)
_supervise() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local verb='' flags='' valued='' first='' rest='' words='' directories='' count=0 i
  COMPREPLY=()
  if (( COMP_CWORD > 1 )); then
    case \${COMP_WORDS[1]} in
      ${names.join(' | ')}) verb=\${COMP_WORDS[1]} ;;
    esac
  fi
  case $verb in
${cases.join('\n')}
  esac
  for (( i = 2; i < COMP_CWORD; i++ )); do
    [[ \${COMP_WORDS[i]} == -- ]] && { compopt -o default; return; }
    [[ \${COMP_WORDS[i]} == -* || " $valued " == *" \${COMP_WORDS[i-1]} "* ]] || (( count++ ))
  done
  case $verb$previous in
${values.join('\n')}
  esac
  if [[ -z $words && " $valued " == *" $previous "* ]]; then
    compopt -o default
    return
  fi
  if [[ -z $words ]]; then
    if [[ $current == -* ]]; then words=$flags
    elif (( COMP_CWORD == 1 )); then words='${names.join(' ')}' directories=1
    elif (( count == 0 )); then words=$first
    else words=$rest
    fi
  fi
  [[ $words == @directory ]] && words='' directories=1
  [[ $words == @service ]] && words=$("\${COMP_WORDS[0]}" completion ${NAMES} 2>/dev/null)
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ -n $directories ]] && COMPREPLY+=($(compgen -d -- "$current"))
}
complete -F _supervise supervise
`;
}

function zsh(): string {
  const q = (text: string): string => text.replaceAll(/[[\]:\\]/g, '\\$&').replaceAll("'", "'\\''");
  const option = ({ flag, takesValue, words, help }: Verb['flags'][number]): string => {
    const value = !takesValue ? '' : words.length > 0 ? `:value:(${words.join(' ')})` : ':value:_files';
    return `'${flag}[${q(help)}]${value}'`;
  };
  const action = (kind: string): string =>
    kind === 'service'
      ? '_supervise_services'
      : kind === 'directory'
        ? '_files -/'
        : `(${wordsFor(kind).join(' ')})`;
  const cases = verbs().map(({ name, flags, takes }) => {
    const words = takes.map((kind, i) => {
      const isLast = i === takes.length - 1;
      return `'${isLast && kind === 'service' ? '*' : i + 1}:${kind}:${action(kind)}'`;
    });
    return `    ${name === '' ? '*' : name}) _arguments ${[...flags.map(option), ...words].join(' ')} ;;`;
  });
  // \`run\`, the one without a name, is what remains.
  const ordered = [...cases.slice(1), cases[0]];
  const described = verbs()
    .filter(({ name }) => name !== '')
    .map(({ name, help }) => `    '${name}:${q(help)}'`);
  return `#compdef supervise
# zsh completion for supervise: source <(supervise completion zsh), or save it as _supervise in a directory of $fpath
_supervise_services() {
  local -a names
  names=(\${(f)"$(supervise completion ${NAMES} 2>/dev/null)"})
  compadd -a names
}
_supervise() {
  local -a verbs
  verbs=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )) && [[ $PREFIX != -* ]]; then
    _describe verb verbs
    _files -/
    return
  fi
  local verb=$words[2]
  if (( CURRENT > 2 )) && [[ -n \${(M)verbs:#$verb:*} ]]; then
    shift words
    (( CURRENT-- ))
  else
    verb=''
  fi
  case $verb in
${ordered.join('\n')}
  esac
}
if [[ $funcstack[1] == _supervise ]]; then _supervise "$@"; else compdef _supervise supervise; fi
`;
}

function fish(): string {
  const q = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const all = verbs().filter(({ name }) => name !== '');
  const none = '__supervise_verb ""';
  const lines = all.map(
    ({ name, help }) => `complete -c supervise -n '__fish_is_nth_token 1' -f -a ${name} -d ${q(help)}`,
  );
  for (const { name, flags, takes } of verbs()) {
    const when = name === '' ? none : `__supervise_verb ${name}`;
    for (const { flag, takesValue, words, help } of flags) {
      const value = !takesValue ? '' : words.length > 0 ? ` -x -a ${q(words.join(' '))}` : ' -r';
      lines.push(`complete -c supervise -n ${q(when)} -l ${flag.slice(2)}${value} -d ${q(help)}`);
    }
    for (const kind of new Set(takes)) {
      // fish offers files where nothing forbids it.
      if (kind === 'directory') continue;
      const words =
        kind === 'service' ? '(supervise completion services 2>/dev/null)' : wordsFor(kind).join(' ');
      lines.push(`complete -c supervise -n ${q(when)} -f -a ${q(words)}`);
    }
  }
  return `# fish completion for supervise: supervise completion fish | source
function __supervise_verb
    set -l words (commandline -opc)
    set -l verb ''
    if test (count $words) -gt 1; and contains -- $words[2] ${all.map(({ name }) => name).join(' ')}
        set verb $words[2]
    end
    test "$verb" = "$argv[1]"
end
${lines.join('\n')}
`;
}
