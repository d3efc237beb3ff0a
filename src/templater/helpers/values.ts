import { compare } from '../source/records.ts';
import { type Helper, readRequired, textValue } from './helper.ts';

/** A value as JSON, with the keys of objects in order. A key's value is text, so it becomes a JSON string. */
const json: Helper = {
  usage: 'json (key "app/rate")',
  values: [1, 1],
  options: [],
  run: (_pass, [value]) => JSON.stringify(value ?? null, inOrder),
};

/** An environment variable of the templater; nothing where it is not set. */
const env: Helper = {
  usage: 'env "HOME" default="/root"',
  values: [1, 1],
  options: ['default', 'required'],
  run(pass, [name], options) {
    const variable = textValue(name, 'the name of a variable');
    const value = Object.hasOwn(pass.env, variable) ? pass.env[variable] : undefined;
    if (value !== undefined && value !== '') return value;
    if (options['default'] != null) return String(options['default']);
    if (readRequired(options['required'])) throw new Error(`the environment has no ${variable}`);
    return value ?? '';
  },
};

export const VALUES = { json, env };

function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const ordered: Record<string, unknown> = Object.create(null);
  for (const key of Object.keys(value).sort(compare)) ordered[key] = (value as Record<string, unknown>)[key];
  return ordered;
}
