import { join } from 'node:path';
import type { Account, Problem } from '../core/servicedir.ts';
import { isOurs } from '../os/account.ts';
import { type Complaint, complain } from './complaint.ts';
import type { Facts } from './facts.ts';
import { firstClosed } from './permissions.ts';
import { checkScript, interpreterName, readScript, type Script } from './script.ts';
import { type Ending, endings } from './shell.ts';

const PROGRAMS = ['run', 'finish', 'check', 'health'] as const;
const SHELLS = ['sh', 'bash', 'dash', 'ash', 'ksh', 'mksh'];
/** Programs that take the shell's name as their argument: busybox, and s6-overlay's way to the container's environment. */
const BEFORE_SHELL = /(^|\/)(busybox|with-contenv)$/;

/** The services' programs that boot lets pass, and that fail or mislead when they run. */
export function checkPrograms({ directories, env }: Facts): Complaint[] {
  return directories.flatMap(({ raw, config }) => {
    const { name, type, account } = config;
    // A variable that is taken away is as good as none.
    const own = {
      ...env,
      ...Object.fromEntries(Object.entries(config.env).map(([key, value]) => [key, value ?? undefined])),
    };
    return PROGRAMS.flatMap((file) => {
      if (raw[file].is !== 'ok') return [];
      const complaints = account && !isOurs(account) ? checkAccess(raw.path, file, name, account) : [];
      const script = readScript(name, raw.path, file);
      if (!script) return complaints;
      const ending = file === 'run' && type === 'longrun' ? checkEnding(script, name) : [];
      return [...complaints, ...checkScript(script, own), ...ending];
    });
  });
}

/** What is ours to execute need not be the user's. */
function checkAccess(directory: string, file: string, service: string, account: Account): Complaint[] {
  const path = join(directory, file);
  const closed = firstClosed(path, account);
  if (closed === undefined) return [];
  const cause = closed === path ? 'may not execute it' : `may not enter ${closed}`;
  return [
    complain('error', service, closed, {
      message: `cannot execute ./${file}: the user of "${service}" (uid ${account.uid}) ${cause}`,
      hint: closed === path ? `chmod a+rx ${path}` : `chmod a+x ${closed}`,
    }),
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

function problemOf({ how, better, program, line, piped }: Ending, name: string): Problem {
  const shown = better.length > MOST_SHOWN ? `${better.slice(0, MOST_SHOWN)}…` : better;
  if (how === 'leaves')
    return {
      message: `cannot keep "${name}" up: line ${line} of ./run, its last command, goes to the background, so that run ends at once`,
      hint: `write exec before ${program}, and no & behind it: ${shown}`,
    };
  return {
    message: `cannot stop "${name}" gently: line ${line} of ./run has no exec, so that signals end the shell and not what it runs`,
    hint: piped
      ? 'exec the program itself, and hand its output on by other means than a pipe in run'
      : `write exec before ${program}: ${shown}`,
  };
}
