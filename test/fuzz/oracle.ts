/** Tells a refusal of ours from a mistake of ours. */

/** What an engine or a library says, to whoever wrote the code and to nobody else. */
const FOREIGN =
  /cannot (read|set) propert|cannot (convert|access|destructure|mix|create property)|is not (a function|iterable|defined|a constructor|extensible|valid JSON)|call stack|invalid (array length|code point|string length|count value|time value|date)|out of range|undefined|\[object |\bNaN\b|unexpected (token '|end of|non-whitespace)|in JSON at position|argument must be|the "\w+" (argument|property)|assert/i;

/** Stands in the data of cases where it must never be told. */
export const SECRET = 'hunter2';

/**
 * @returns the words of a refusal
 * @throws Error where these are no words of ours
 */
export function tellApart(error: unknown): string {
  if (!(error instanceof Error)) throw new Error(`no error was thrown, but ${String(error)}`);
  const isEngines = [TypeError, RangeError, ReferenceError, SyntaxError, EvalError, URIError].some(
    (kind) => error instanceof kind,
  );
  if (isEngines || 'generatedMessage' in error) throw new Error('a mistake', { cause: error });
  return told(error.message);
}

/** The same for words that are told in some other way. @throws Error */
export function told(words: string): string {
  // What is quoted is the case's own.
  if (FOREIGN.test(words.replaceAll(/"(\\.|[^"\\])*"/g, '""')))
    throw new Error(`no words of ours: ${words.slice(0, 500)}`);
  if (words.includes(SECRET)) throw new Error(`a secret is told: ${words.slice(0, 500)}`);
  return words;
}
