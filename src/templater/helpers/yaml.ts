import { scalar } from './json.ts';
import { inOrder, isDict, orderedEntries } from './value.ts';

/**
 * A value as a YAML document without the line break at its end. Written so that readers of YAML 1.1, which most are,
 * and of 1.2 take the same from it.
 */
export function toYaml(value: unknown): string {
  return block(inOrder(value ?? null)).join('\n');
}

/** A value in one line. */
export function toFlowYaml(value: unknown): string {
  return flow(inOrder(value ?? null));
}

function block(value: unknown): string[] {
  if (Array.isArray(value) && value.length > 0)
    return value.flatMap((each) => block(each).map((line, i) => (i === 0 ? `- ${line}` : `  ${line}`)));
  if (!isDict(value) || Object.keys(value).length === 0)
    return [typeof value === 'string' ? plain(value) : flow(value)];
  return orderedEntries(value).flatMap(([key, each]) => {
    const lines = block(each);
    const name = `${plain(asKey(key))}:`;
    return isNested(each) ? [name, ...lines.map((line) => `  ${line}`)] : [`${name} ${lines[0]}`];
  });
}

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (isDict(value))
    return `{${orderedEntries(value)
      .map(([key, each]) => `${quoted(asKey(key))}: ${flow(each)}`)
      .join(', ')}}`;
  if (typeof value === 'string') return quoted(value);
  // A number with an exponent is text in YAML 1.1 unless it has a point.
  return scalar(value).replace(/^(-?\d+)e/, '$1.0e');
}

function isNested(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : isDict(value) && Object.keys(value).length > 0;
}

function asKey(key: string): string {
  if (key.length > 1000) throw new Error('a key in it is longer than YAML allows');
  return key;
}

/** Words that are more than text, in one version of YAML or the other. */
const RESERVED = /^(?:y|n|yes|no|on|off|true|false|null)$/i;

/** Text without quotes where nobody could take it for anything else. */
function plain(text: string): string {
  return /^[A-Za-z_/](?:[\w ./-]*[\w./-])?$/.test(text) && !RESERVED.test(text) ? text : quoted(text);
}

/** JSON's text is YAML's, but for signs that YAML wants to be escaped. */
function quoted(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(
    /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
