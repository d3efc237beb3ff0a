import { closeSync, openSync, readdirSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Invocation } from '../cli.ts';
import { makeDirectories } from '../directories.ts';
import { causeOf, EXIT, errno, UserError } from '../errors.ts';

/** A file of the sample tree. */
export interface SampleFile {
  /** Relative to the services directory. */
  path: string;
  text: string;
  executable: boolean;
}

/** `services.d/` of this project, put in by the build (tsup.config.ts); not there when the sources run. */
declare const SAMPLE: readonly SampleFile[];

/**
 * `supervise init [dir]`: writes a small services directory that works, and says what to do with it.
 * @throws UserError when there is something already, or it cannot be written; nothing is left behind then
 */
export function init({ words }: Invocation, print: (text: string) => void): number {
  const directory = words[0] ?? './services.d';
  refuseWhatIsThere(directory);
  write(directory, SAMPLE);
  print(
    [
      `wrote ${SAMPLE.length} files to ${directory}: one service "app", its template, and the hooks of the tree`,
      '',
      `  supervise ${directory}          run it; Ctrl-C ends it`,
      `  supervise lint ${directory}     after each change: what would go wrong`,
      '',
      'While it runs:',
      '',
      `  edit ${join(directory, '.supervise/kv.json')}: the app is restarted once, with the new greeting`,
      '  supervise status              what is wanted, what is, and why',
      '  supervise help servicedir     every file that a service may have',
      '',
    ].join('\n'),
  );
  return EXIT.yes;
}

function refuseWhatIsThere(directory: string): void {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (errno(error) === 'ENOENT') return;
    throw cannotWrite(directory, error);
  }
  if (names.length > 0)
    throw new UserError(`cannot init ${directory}: it is not empty`, {
      hint: 'name another directory (supervise init DIR); nothing there is ever overwritten',
    });
}

/** All files, or none. The modes are what the umask leaves of them. */
function write(root: string, files: readonly SampleFile[]): void {
  /** What to take away again, the innermost last. */
  const made: string[] = [];
  try {
    for (const { path, text, executable } of files) {
      const full = resolve(root, path);
      makeDirectories(dirname(full), 0o755, made);
      // `wx`: what somebody else puts there in this moment is not ours to overwrite.
      const fd = openSync(full, 'wx', executable ? 0o755 : 0o644);
      made.push(full);
      try {
        writeFileSync(fd, text);
      } finally {
        closeSync(fd);
      }
    }
  } catch (error) {
    for (const path of made.reverse()) remove(path);
    throw cannotWrite(root, error);
  }
}

/** A file, or a directory that nobody else has put anything into. */
function remove(path: string): void {
  try {
    if (statSync(path).isDirectory()) rmdirSync(path);
    else rmSync(path);
  } catch {
    // It is the first error that counts.
  }
}

/** What another directory would mend; all else is the system's refusal. */
const MISPLACED = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'];

function cannotWrite(directory: string, error: unknown): UserError {
  const isMisplaced = MISPLACED.includes(errno(error) ?? '');
  return new UserError(`cannot init ${directory}: ${causeOf(error)}`, {
    ...(isMisplaced ? { hint: 'name a directory that you may write to (supervise init DIR)' } : {}),
    exitCode: isMisplaced ? EXIT.usage : EXIT.system,
    cause: error,
  });
}
