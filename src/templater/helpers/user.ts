import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type { Ms } from '../../core/duration.ts';
import { UserError } from '../../errors.ts';
import { runLimited } from '../limit.ts';
import { type Helper, MANY } from './helper.ts';

/** A function of the user's own: the values as they are written, then `{ options }` with those of `name=value`. */
type UserFunction = (...all: unknown[]) => unknown;

const LOAD_TIMEOUT: Ms = 5000;

/**
 * Loads helpers from a JavaScript file of the user's own, CommonJS or an ES module: each function that it exports is
 * one. Node keeps what it has loaded, so a changed file takes effect when the templater starts anew.
 * @param taken names that are used already
 * @param timeout how long it may take to load
 * @throws UserError when it cannot be loaded, or exports something else
 */
export function loadUserHelpers(
  file: string,
  taken: readonly string[],
  timeout: Ms = LOAD_TIMEOUT,
): Readonly<Record<string, Helper>> {
  const path = resolve(file);
  let exported: unknown;
  try {
    exported = runLimited(timeout, () => createRequire(path)(path));
  } catch (error) {
    throw refusal(path, causeOfLoad(error, path));
  }
  const functions = functionsOf(exported, path);
  for (const [name] of functions) {
    if (!/^[A-Za-z_]\w*$/.test(name)) throw refusal(path, `${JSON.stringify(name)} is no name for a helper`);
    if (taken.includes(name)) throw refusal(path, `a helper "${name}" is built in`);
  }
  return Object.fromEntries(functions.map(([name, call]) => [name, userHelper(name, call)]));
}

function userHelper(name: string, call: UserFunction): Helper {
  return {
    usage: `${name} …`,
    meaning: 'a helper of your own',
    examples: [],
    values: [0, MANY],
    options: undefined,
    run: (_, values, options) => call(...values, { options: { ...options } }),
  };
}

/** `module.exports = { … }`, `export function …`, or `export default { … }`. */
function functionsOf(exported: unknown, path: string): [string, UserFunction][] {
  if (typeof exported !== 'object' || exported === null)
    throw refusal(path, `expected it to export an object of functions, got a ${typeof exported}`);
  const own = Object.entries(exported);
  const inner = own.find(([name]) => name === 'default')?.[1] as unknown;
  const entries = own.filter(
    ([name]) => name !== 'default' && name !== '__esModule' && name !== 'module.exports',
  );
  const all = [...(typeof inner === 'object' && inner !== null ? Object.entries(inner) : []), ...entries];
  for (const [name, value] of all) {
    if (typeof value !== 'function')
      throw refusal(
        path,
        `expected a function under the name ${JSON.stringify(name)}, got a ${typeof value}`,
      );
  }
  if (all.length === 0) throw refusal(path, 'expected it to export an object of functions, got none');
  return all as [string, UserFunction][];
}

function refusal(path: string, cause: string): UserError {
  return new UserError(`cannot load the helpers of ${path}: ${cause}`, {
    hint: 'it is to export functions: module.exports = { twice(value) { return value + value; } }',
  });
}

/** The message, and the line where the stack tells it. */
function causeOfLoad(error: unknown, path: string): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ERR_REQUIRE_ASYNC_MODULE') return 'an await outside of a function is not supported';
  const message = error.message.split('\n', 1)[0] ?? '';
  if (code === 'MODULE_NOT_FOUND') return message.includes(path) ? 'no such file' : message;
  const line = String(error.stack)
    .split(path)[1]
    ?.match(/^:(\d+)/)?.[1];
  return line === undefined ? message : `line ${line}: ${message}`;
}
