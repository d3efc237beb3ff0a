import type { Program } from '../core/servicedir.ts';
import { type Complaint, complain } from './complaint.ts';
import type { Directory, Facts } from './facts.ts';
import { checkScript, interpreterName, readScript, type Script } from './script.ts';
import { type Ending, endings } from './shell.ts';

const SHELLS = ['sh', 'bash', 'dash', 'ash', 'ksh', 'mksh'];
/** s6-overlay's way to a shell with the container's environment. */
const BEFORE_SHELL = /(^|\/)with-contenv$/;

/** The services' programs that boot lets pass, and that fail or mislead when they run. */
export function checkPrograms({ directories, env }: Facts): Complaint[] {
  return directories.flatMap((directory) =>
    programsOf(directory).flatMap(([file, program]) => {
      const { raw, config } = directory;
      const script = program.is === 'ok' && readScript(config.name, raw.path, file);
      if (!script) return [];
      const complaints = checkScript(script, env);
      return file === 'run' ? [...complaints, ...checkEnding(script, config.name)] : complaints;
    }),
  );
}

function programsOf({ raw }: Directory): [file: string, program: Program][] {
  return [
    ['run', raw.run],
    ['finish', raw.finish],
  ];
}

/** Signals go to `run` alone: a shell that waits for the service dies of them, and the service does not hear them. */
function checkEnding(script: Script, name: string): Complaint[] {
  if (!isShell(script)) return [];
  return endings(script.text).map((ending) =>
    complain('warning', name, script.path, problemOf(ending, name)),
  );
}

function isShell({ shebang, ...script }: Script): boolean {
  const { interpreter, argument } = shebang;
  if (BEFORE_SHELL.test(interpreter)) return SHELLS.includes(argument.split(/[\s/]/).at(-1) ?? '');
  return SHELLS.includes(interpreterName({ shebang, ...script }));
}

const MOST_SHOWN = 60;

function problemOf({ how, command, line, piped }: Ending, name: string): { message: string; hint: string } {
  const shown = command.length > MOST_SHOWN ? `${command.slice(0, MOST_SHOWN)}…` : command;
  if (how === 'leaves')
    return {
      message: `cannot keep "${name}" up: line ${line} of ./run, its last command, goes to the background, so that run ends at once`,
      hint: `exec ${shown} in the foreground: without the &`,
    };
  const message = `cannot stop "${name}" gently: line ${line} of ./run has no exec, so that signals end the shell and not what it runs`;
  return {
    message,
    hint: piped
      ? 'exec the program itself, and hand its output on by other means than a pipe in run'
      : `exec ${shown}`,
  };
}
