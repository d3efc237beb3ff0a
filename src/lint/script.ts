import { accessSync, constants, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { errno } from '../errors.ts';
import { readHead } from '../os/files.ts';
import { type Complaint, complain } from './complaint.ts';

/** A program that is text and begins with `#!`. */
export interface Script {
  service: string | null;
  directory: string;
  /** Its name in there. */
  file: string;
  path: string;
  text: string;
  shebang: Shebang;
}

export interface Shebang {
  interpreter: string;
  /** What follows it: the kernel hands it on as one argument. */
  argument: string;
}

/** No script is longer. */
const MOST_BYTES = 1024 * 1024;
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

/** Reads a program; undefined where it is none that an interpreter reads, or not ours to read. */
export function readScript(service: string | null, directory: string, file: string): Script | undefined {
  const path = join(directory, file);
  let text: string;
  try {
    text = readHead(path, 256);
    if (!text.startsWith('#!')) return undefined;
    text = readHead(path, Math.min(statSync(path).size, MOST_BYTES));
  } catch {
    return undefined;
  }
  const [, interpreter = '', argument = ''] = /^#![ \t]*(\S*)[ \t]*(.*)/.exec(text) ?? [];
  return { service, directory, file, path, text, shebang: { interpreter, argument: argument.trim() } };
}

/** What keeps a script from being executed, or breaks it in the middle. */
export function checkScript(script: Script, env: Readonly<Record<string, string | undefined>>): Complaint[] {
  return [...checkInterpreter(script, env), ...checkLineEnds(script)];
}

/** The interpreter's name: what `env` looks up where it is in between. */
export function interpreterName({ shebang }: Script): string {
  return basename(isEnv(shebang) ? (envProgram(shebang) ?? '') : shebang.interpreter);
}

function checkInterpreter(
  { service, directory, file, path, shebang }: Script,
  env: Readonly<Record<string, string | undefined>>,
): Complaint[] {
  const { interpreter, argument } = shebang;
  const what = `cannot execute ./${file}`;
  if (interpreter === '')
    return [
      complain('error', service, path, {
        message: `${what}: its first line names no interpreter`,
        hint: `make #!/bin/sh the first line of ${path}`,
      }),
    ];
  const state = stateOf(resolve(directory, interpreter));
  if (state !== undefined)
    return [
      complain('error', service, path, {
        message: `${what}: its interpreter ${interpreter} ${state}`,
        hint: `install it, or name another in the first line of ${path}`,
      }),
    ];
  if (!isEnv(shebang)) return [];
  if (/^[^-\s]\S*\s/.test(argument) && !argument.includes('='))
    return [
      complain('error', service, path, {
        message: `${what}: ${interpreter} looks for a program called ${JSON.stringify(argument)}`,
        hint: `#!${interpreter} -S ${argument}`,
      }),
    ];
  const program = envProgram(shebang);
  if (program === undefined || program.includes('/')) return [];
  const places = (env['PATH'] ?? DEFAULT_PATH).split(':');
  if (places.some((place) => stateOf(join(place || '.', program)) === undefined)) return [];
  return [
    complain('warning', service, path, {
      message: `${what}: its interpreter ${program} is not in PATH (${places.join(':')})`,
      hint: `install it, name its whole path in the first line of ${path}, or set PATH`,
    }),
  ];
}

function isEnv({ interpreter }: Shebang): boolean {
  return basename(interpreter) === 'env';
}

/** The program that `env` is to look up, behind its options and variables. */
function envProgram({ argument }: Shebang): string | undefined {
  return argument.split(/\s+/).find((word) => word !== '' && !word.startsWith('-') && !word.includes('='));
}

/** What is wrong with a program's file; undefined for nothing. */
function stateOf(path: string): string | undefined {
  try {
    if (!statSync(path).isFile()) return 'is not a file';
    accessSync(path, constants.X_OK);
    return undefined;
  } catch (error) {
    return errno(error) === 'EACCES' ? 'is not executable' : 'does not exist';
  }
}

/** In the first line boot sees it itself. */
function checkLineEnds({ service, file, path, text }: Script): Complaint[] {
  const at = text.indexOf('\r\n');
  if (at < 0) return [];
  const line = text.slice(0, at).split('\n').length;
  return [
    complain('error', service, path, {
      message: `cannot execute ./${file}: line ${line} has a Windows line end (CRLF)`,
      hint: `sed -i 's/\\r$//' ${path}`,
    }),
  ];
}
