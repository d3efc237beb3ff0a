import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseSignal, signalName, UNCATCHABLE } from '../core/signals.ts';
import { causeOf, didYouMean } from '../errors.ts';
import { isDirectory } from '../os/files.ts';
import { inspect } from '../os/scandir.ts';
import { CATCHABLE } from '../os/signals.ts';
import { type Complaint, complain } from './complaint.ts';
import { isLeftover } from './entries.ts';
import type { Facts } from './facts.ts';
import { checkScript, readScript } from './script.ts';

const HOOKS: readonly string[] = ['crash', 'finish', ...CATCHABLE];
/** Values for the templates (templater/source/choose.ts), which are no programs. */
const VALUES = ['kv.json', 'kv.yaml', 'kv.yml'];
/** What s6-svscan keeps in its directory. */
const OF_S6 = ['control', 'lock'];

/** `.supervise/` (or `.s6-svscan/`): hooks that cannot be run, and what never will be. */
export function checkHooks({ scandir, env }: Facts): Complaint[] {
  const { hooks } = scandir;
  if (hooks === undefined) return [];
  const directory = join(scandir.path, hooks);
  let names: string[];
  try {
    names = readdirSync(directory).sort();
  } catch (error) {
    const message = `cannot read the hooks in ${directory}: ${causeOf(error)}`;
    return [complain('error', null, directory, { message })];
  }
  return names.flatMap((name) => {
    if (VALUES.includes(name) || name.startsWith('.')) return [];
    if (hooks === '.s6-svscan' && OF_S6.includes(name)) return [];
    return HOOKS.includes(name) ? checkHook(directory, name, env) : strange(directory, name);
  });
}

function checkHook(directory: string, name: string, env: Facts['env']): Complaint[] {
  const program = inspect(directory, name, `cannot run the hook "${name}"`);
  if (program.is === 'broken') return [complain('error', null, join(directory, name), program.problem)];
  const script = readScript(null, directory, name);
  return script ? checkScript(script, env) : [];
}

function strange(directory: string, name: string): Complaint[] {
  const path = join(directory, name);
  const warn = (cause: string, hint: string): Complaint[] => [
    complain('warning', null, path, { message: `cannot use ${path}: ${cause}`, hint }),
  ];
  if (isLeftover(name)) return warn('it looks like an editor’s or a package manager’s backup', `rm ${path}`);
  if (isDirectory(path)) return warn('it is a directory, and hooks are files', `remove it, or move it away`);
  const number = parseSignal(name);
  const signal = number === undefined ? undefined : signalName(number);
  if (number !== undefined && signal !== undefined) {
    if (HOOKS.includes(signal))
      return warn(`a hook for this signal is called ${signal}`, `mv ${path} ${join(directory, signal)}`);
    if (UNCATCHABLE.includes(number))
      return warn(`nobody can catch ${signal}, so that it never runs`, `rm ${path}`);
    return warn(`supervise does not listen to ${signal}, so that it never runs`, `rm ${path}`);
  }
  const near = didYouMean(name, [...HOOKS, ...VALUES]);
  return near
    ? warn(`no hook is called so (did you mean "${near}"?)`, `mv ${path} ${join(directory, near)}`)
    : warn('no hook is called so', 'hooks are crash, finish, and the names of signals such as SIGUSR1');
}
