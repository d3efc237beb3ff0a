import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { printable } from '../core/printable.ts';
import type { Account } from '../core/servicedir.ts';
import { causeOf, EXIT } from '../errors.ts';

/** A hidden verb that main.ts knows; not among the commands. */
export const EXEC_AS = '--exec-as';

/**
 * The arguments between the program and the command that has it run as an account with supplementary groups, where the addon
 * does not do it. Of descriptors, such a process gets the first three.
 */
export function execAsArgs({ uid, gid, groups }: Account): string[] {
  return [EXEC_AS, [uid, gid, ...groups].join(',')];
}

/** What a service has beside our environment; null takes a variable away. */
export type OwnEnvironment = Readonly<Record<string, string | null>>;

/** Ours, with it. */
export function withOwn(own: OwnEnvironment, env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  if (Object.keys(own).length === 0) return env;
  const all = { ...env };
  for (const [variable, value] of Object.entries(own)) {
    if (value === null) delete all[variable];
    else all[variable] = value;
  }
  return all;
}

/** In front of a variable's name. Its value has a "=" in front; none takes the variable away. */
const VEIL = 'SUPERVISE_EXEC_';

/**
 * The same for the command behind `execAsArgs`, under names that mean nothing until it is executed: what stands in front of it
 * still has our rights, and LD_PRELOAD or NODE_OPTIONS may name files that are the user's to write.
 */
export function withOwnVeiled(own: OwnEnvironment): NodeJS.ProcessEnv {
  const veiled = Object.entries(own).map(([name, value]) => [
    `${VEIL}${name}`,
    value === null ? '' : `=${value}`,
  ]);
  return { ...process.env, ...Object.fromEntries(veiled) };
}

function unveiled(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const own: Record<string, string | null> = {};
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(VEIL)) continue;
    own[name] = null;
    own[name.slice(VEIL.length)] = value ? value.slice(1) : null;
  }
  return withOwn(own, env);
}

/**
 * What must happen in the child, between fork and exec, and what nobody but the child can do: Node has no hook there. So the
 * child is first this process, which then puts the command in its own place, so that the pid is the command's.
 * @param argv what `execAsArgs` made, and the command
 * @returns an exit code, only where it could not be done
 */
export function execAs([, ids = '', ...command]: readonly string[]): number {
  try {
    becomeAccount(ids);
    return execute(command, unveiled(process.env));
  } catch (error) {
    process.stderr.write(`supervise: ${printable(`cannot execute ${command[0]}: ${causeOf(error)}`)}\n`);
    return EXIT.system;
  }
}

/** libuv can set a user and a group, and takes all supplementary groups away. */
function becomeAccount(ids: string): void {
  const [uid = 0, gid = 0, ...groups] = ids.split(',').map(Number);
  process.setgroups?.([gid, ...groups]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

function execute(argv: readonly string[], env: NodeJS.ProcessEnv): number {
  const [name = ''] = argv;
  const path = find(name, env['PATH']);
  if (typeof path === 'number') return path;
  // Node ignores SIGPIPE, and what is ignored stays so across execve; what is caught becomes the default again.
  process.on('SIGPIPE', () => {});
  process.execve?.(path, [...argv], env as Record<string, string>);
  return 126;
}

/** The files that a program may be, in the order in which execvp tries them. */
export function programFiles(name: string, path = '/usr/local/bin:/usr/bin:/bin'): readonly string[] {
  if (name.includes('/')) return [name];
  return path.split(delimiter).map((directory) => join(directory || '.', name));
}

/** Looks a program up as execvp does; answers with a shell's exit code where there is none to execute. */
function find(name: string, path: string | undefined): string | number {
  let code = 127;
  for (const candidate of programFiles(name, path)) {
    try {
      if (statSync(candidate).isDirectory()) {
        code = 126;
        continue;
      }
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') code = 126;
    }
  }
  process.stderr.write(
    `supervise: ${printable(`cannot execute ${name}: ${code === 127 ? 'not found' : 'permission denied'}`)}\n`,
  );
  return code;
}
