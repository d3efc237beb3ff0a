import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Ms } from '../core/duration.ts';
import { LINK_ENV } from '../core/link.ts';
import { endName } from '../core/signals.ts';
import { causeOf } from '../errors.ts';
import { shellWord } from './helpers/escape.ts';

/** What a check has before it is killed, with all that it started. */
export const CHECK_TIMEOUT: Ms = 10_000;
/** What it printed is waited for no longer than this after its end. */
const LAST_WORDS: Ms = 500;
/** So much of the beginning and of the end of what it printed is told: what is wrong comes first, what follows from it last. */
const MOST_OUTPUT = 2048;
const FIRST_LINES = 2;
const LAST_LINES = 3;

/**
 * `$1` is the check. Our end of the pipe is descriptor 3: when it closes, because we are gone, the check and what it
 * started go too.
 */
const GUARDED = '(read _ <&3; kill -9 0) >/dev/null 2>&1 & exec 3<&-; eval "$1"';

/** Why content is not put in place. */
export interface Refusal {
  /** In words. */
  cause: string;
  /** Whether the check said so. One that could not be run, or not to its end, says nothing about the content. */
  isVerdict: boolean;
}

/**
 * Asks a template's `check` about staged content, in a session and process group of its own.
 * @param command for the shell; every `{file}` in it is the path of the content, quoted
 * @returns undefined where the content is fine
 */
export function verify(
  command: string,
  file: string,
  directory: string,
  signal: AbortSignal,
  timeout: Ms = CHECK_TIMEOUT,
): Promise<Refusal | undefined> {
  const quoted = shellWord(file);
  let child: ChildProcess;
  try {
    child = spawn('/bin/sh', ['-c', GUARDED, 'check', command.replaceAll('{file}', () => quoted)], {
      cwd: directory,
      // Its descriptor 3 is not the tree's link.
      env: { ...process.env, [LINK_ENV]: undefined },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
  } catch (error) {
    return Promise.resolve({ cause: causeOf(error), isVerdict: false });
  }
  let begin = '';
  let output = '';
  let length = 0;
  const take = (text: string): void => {
    begin += text.slice(0, MOST_OUTPUT - begin.length);
    output = (output + text).slice(-MOST_OUTPUT);
    length += text.length;
  };
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', take);
  const end = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // Nobody is left.
    }
  };
  return new Promise((resolve) => {
    let slow = false;
    let lastWords: NodeJS.Timeout | undefined;
    const timer = setTimeout(() => {
      slow = true;
      end();
    }, timeout);
    signal.addEventListener('abort', end, { once: true });
    const done = (refusal: Refusal | undefined): void => {
      clearTimeout(timer);
      clearTimeout(lastWords);
      signal.removeEventListener('abort', end);
      resolve(refusal);
    };
    child.on('error', (error) => {
      if (child.pid === undefined) done({ cause: causeOf(error), isVerdict: false });
    });
    child.on('exit', (code, name) => {
      // What it left in its group goes with it, the guard first of all; what left the group may hold its output open.
      end();
      lastWords = setTimeout(() => conclude(code, name), LAST_WORDS);
    });
    child.on('close', (code, name) => conclude(code, name));
    const conclude = (code: number | null, name: NodeJS.Signals | null): void => {
      for (const stream of child.stdio) stream?.destroy();
      const words = said(begin, output, length);
      if (slow) done({ cause: `it was killed after ${timeout / 1000} s${words}`, isVerdict: false });
      if (code === 0) done(undefined);
      const status = { code: code ?? 0, signal: name === null ? 0 : constants.signals[name] };
      done({ cause: `${endName(status)}${words}`, isVerdict: name === null });
    };
  });
}

/** @param length of all that it printed: `begin` and `end` may overlap, or leave out what was between them */
function said(begin: string, end: string, length: number): string {
  const whole = begin + end.slice(Math.max(0, begin.length + end.length - length));
  const isWhole = length <= begin.length + end.length;
  const all = linesOf(whole);
  if (isWhole && all.length <= FIRST_LINES + LAST_LINES) return all.length > 0 ? `: ${all.join(' | ')}` : '';
  const first = isWhole ? all : linesOf(begin);
  const last = isWhole ? all : linesOf(end);
  return `: ${[...first.slice(0, FIRST_LINES), '…', ...last.slice(-LAST_LINES)].join(' | ')}`;
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
