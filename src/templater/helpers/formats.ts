import { type Helper, inShort } from './helper.ts';
import { toJson, toPrettyJson } from './json.ts';
import { toToml } from './toml.ts';
import { asText, dict, inOrder, isDict, type Whole, whole } from './value.ts';
import { toYaml } from './yaml.ts';

type Yaml = typeof import('yaml');
let yaml: Yaml | undefined;

/** Loaded for templates that use it. */
async function loadYaml(): Promise<void> {
  yaml ??= await import('yaml');
}

/** Values read from text, and written as it. */
export const FORMATS = {
  parseJSON: {
    usage: 'parseJSON (key "app/json")',
    meaning: 'what the JSON text holds; whole numbers keep all their digits',
    examples: [
      ['{{#with (parseJSON (key "app/json"))}}{{name}} {{big}}{{/with}}', 'web 12345678901234567890'],
    ],
    values: [1, 1],
    options: [],
    run: (_, [value]) => parseJson(asText(value)),
  },
  parseYAML: {
    usage: 'parseYAML (key "app/yaml")',
    meaning: 'what the YAML text holds; whole numbers keep all their digits',
    examples: [
      ['{{#each (parseYAML (key "app/yaml"))}}{{@key}}={{this}} {{/each}}', 'debug=false name=web '],
    ],
    values: [1, 1],
    options: [],
    load: loadYaml,
    run: (_, [value]) => parseYaml(asText(value), loaded()),
  },
  toJSON: {
    usage: 'toJSON (explode (tree "app"))',
    meaning: 'JSON, keys in order; <, > and & are written as \\u003c and so on, as Go does',
    examples: [['{{toJSON (parseJSON \'{"b":1,"a":"<"}\')}}', '{"a":"\\u003c","b":1}']],
    values: [1, 1],
    options: [],
    run: (_, [value]) => escapeHtml(toJson(value)),
  },
  toJSONPretty: {
    usage: 'toJSONPretty (explode (tree "app"))',
    meaning: 'the same on several lines',
    examples: [['{{toJSONPretty (parseJSON \'{"a":[1]}\')}}', '{\n  "a": [\n    1\n  ]\n}']],
    values: [1, 1],
    options: [],
    run: (_, [value]) => escapeHtml(toPrettyJson(value)),
  },
  toUnescapedJSON: {
    usage: 'toUnescapedJSON (explode (tree "app"))',
    meaning: 'JSON with <, > and & as they are; the same as json',
    examples: [['{{toUnescapedJSON (parseJSON \'{"b":1,"a":"<"}\')}}', '{"a":"<","b":1}']],
    values: [1, 1],
    options: [],
    run: (_, [value]) => toJson(value),
  },
  toUnescapedJSONPretty: {
    usage: 'toUnescapedJSONPretty (explode (tree "app"))',
    meaning: 'the same on several lines',
    examples: [['{{toUnescapedJSONPretty (parseJSON \'["&"]\')}}', '[\n  "&"\n]']],
    values: [1, 1],
    options: [],
    run: (_, [value]) => toPrettyJson(value),
  },
  toYAML: {
    usage: 'toYAML (explode (tree "app"))',
    meaning: 'YAML, keys in order, without a line break at the end',
    examples: [['{{toYAML (parseJSON \'{"b":[1,"2"],"a":null}\')}}', 'a: null\nb:\n  - 1\n  - "2"']],
    values: [1, 1],
    options: [],
    run: (_, [value]) => toYaml(value),
  },
  toTOML: {
    usage: 'toTOML (explode (tree "app"))',
    meaning: 'TOML, keys in order, without a line break at the end',
    examples: [['{{toTOML (parseJSON \'{"b":{"c":"x"},"a":1}\')}}', 'a = 1\n\n[b]\nc = "x"']],
    values: [1, 1],
    options: [],
    run: (_, [value]) => toToml(value),
  },
} satisfies Record<string, Helper>;

/** @throws Error without an excerpt of the text, which may be secret */
function parseJson(text: string): unknown {
  if (text.trim() === '') throw new Error('expected JSON, got nothing');
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''), exactNumbers);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const [, at] = /position (\d+)/.exec(error.message) ?? [];
    const line = at === undefined ? text.split('\n').length : text.slice(0, Number(at)).split('\n').length;
    throw new Error(`expected JSON, but line ${line} of it is none`, { cause: error });
  }
  return inOrder(value);
}

/** The third argument is what JSON.parse gives a reviver since V8 11.4; TypeScript's library does not know it yet. */
function exactNumbers(this: unknown, _name: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value;
  if (!Number.isFinite(value)) throw new Error('a number in it is too large');
  return Number.isSafeInteger(value) || !/^-?\d+$/.test(context.source) ? value : exact(context.source);
}

function exact(digits: string): Whole {
  if (digits.length > 400) throw new Error('a number in it is too large');
  return whole(BigInt(digits));
}

function parseYaml(text: string, { parseDocument, visit }: Yaml): unknown {
  if (text.trim() === '') throw new Error('expected YAML, got nothing');
  // 1.1 as well as 1.2 is about: `yes` stays text, `<<` merges.
  const document = parseDocument(text, { intAsBigInt: true, merge: true, prettyErrors: true });
  const [error] = document.errors;
  if (error) throw new Error(`expected YAML, but line ${error.linePos?.[0].line ?? '?'} of it is none`);
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'bigint') node.value = exact(String(node.value));
    },
  });
  return inOrder(withTextKeys(document.toJS({ maxAliasCount: 100, mapAsMap: true })));
}

/** Keys of YAML can be anything; those of templates are text. */
function withTextKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withTextKeys);
  if (value instanceof Date) return value.toISOString();
  if (!(value instanceof Map)) return isDict(value) ? inShort(value) : value;
  return dict([...value].map(([key, each]) => [asText(key, 'keys that are text'), withTextKeys(each)]));
}

function loaded(): Yaml {
  if (!yaml) throw new Error('its reader is not loaded');
  return yaml;
}

function escapeHtml(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
