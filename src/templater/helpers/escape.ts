import { type Helper, readSwitch } from './helper.ts';
import { toJson } from './json.ts';
import { toTomlValue } from './toml.ts';
import { asText, inOrder } from './value.ts';
import { toFlowYaml } from './yaml.ts';

/**
 * Values as a format reads them back, whatever is in them: quotes, line breaks, what begins a comment. What a format has
 * no way to write is an error, and the last good file stays.
 */
export const ESCAPES = {
  json: {
    usage: 'json (key "app/rate")',
    meaning: 'as JSON; a key is text, and so becomes a JSON string (parseInt and parseJSON make more of it)',
    examples: [['{{json (key "app/motd")}} {{json (parseInt (key "app/rate"))}}', '"hello\\nworld" 5']],
    values: [1, 1],
    options: [],
    run: (_, [value]) => toJson(value),
  },
  sh: {
    usage: 'sh (key "app/motd")',
    meaning: 'as one word for a shell; a list as several',
    examples: [['{{sh (key "app/quote")}} {{sh (split "a,b" ",")}}', "'it'\\''s; 100%' 'a' 'b'"]],
    values: [1, 1],
    options: [],
    run: (_, [value]) =>
      Array.isArray(value)
        ? value.map((each) => shellWord(asText(each))).join(' ')
        : shellWord(asText(value)),
  },
  yaml: {
    usage: 'yaml (key "app/motd")',
    meaning: 'as a YAML value in one line; a key is text, and so is quoted',
    examples: [['{{yaml (key "app/motd")}} {{yaml (service "none")}}', '"hello\\nworld" []']],
    values: [1, 1],
    options: [],
    run: (_, [value]) => toFlowYaml(value),
  },
  ini: {
    usage: 'ini (key "app/motd")',
    meaning: 'as the value in an INI file; with quotes and backslashes where it needs them',
    examples: [['{{ini (key "app/rate")}} {{ini (key "app/motd")}}', '5 "hello\\nworld"']],
    values: [1, 1],
    options: [],
    run: (_, [value]) => iniValue(asText(value)),
  },
  nginx: {
    usage: 'nginx (key "app/quote")',
    meaning:
      'as one word of an nginx file; a $ is refused, since nginx cannot quote it, unless variables=true',
    examples: [['{{nginx (key "app/quote")}} {{nginx "$host" variables=true}}', '"it\'s; 100%" "$host"']],
    values: [1, 1],
    options: ['variables'],
    run: (_, [value], { variables }) => nginxWord(asText(value), readSwitch('variables', variables) ?? false),
  },
  toml: {
    usage: 'toml (key "app/motd")',
    meaning: 'as a TOML value in one line',
    examples: [['{{toml (key "app/motd")}} {{toml (split "a,b" ",")}}', '"hello\\nworld" ["a", "b"]']],
    values: [1, 1],
    options: [],
    run: (_, [value]) => toTomlValue(inOrder(value ?? '')),
  },
  xml: {
    usage: 'xml (key "app/quote")',
    meaning: 'as text or the value of an attribute in XML or HTML',
    examples: [['<a b="{{xml "1 < 2 & \'3\'"}}"/>', '<a b="1 &lt; 2 &amp; &#39;3&#39;"/>']],
    values: [1, 1],
    options: [],
    run: (_, [value]) => xmlText(asText(value)),
  },
} satisfies Record<string, Helper>;

/** Any text as one word of a POSIX shell. @throws Error for a NUL */
export function shellWord(text: string): string {
  if (text.includes('\0')) throw new Error('a shell has no way to write a NUL');
  return `'${text.replaceAll("'", "'\\''")}'`;
}

const INI_ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

function iniValue(text: string): string {
  if (/^[\p{L}\p{N}_./:@%+,*-]+$/u.test(text)) return text;
  return `"${text.replace(/[\p{Cc}\\"]/gu, (sign) => {
    const escaped = INI_ESCAPES[sign];
    if (escaped === undefined)
      throw new Error(`INI has no way to write the control character ${codePoint(sign)}`);
    return escaped;
  })}"`;
}

function nginxWord(text: string, variables: boolean): string {
  if (text.includes('\0')) throw new Error('nginx has no way to write a NUL');
  if (text.includes('$') && !variables)
    throw new Error('nginx would read "$" as the start of a variable (write variables=true if it may)');
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

function xmlText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that XML does not allow at all
  const bad = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.exec(text)?.[0];
  if (bad !== undefined) throw new Error(`XML has no way to write the character ${codePoint(bad)}`);
  return text.replace(/[&<>"'\t\n\r\x85\u2028]/g, (sign) => XML_NAMES[sign] ?? `&#${sign.charCodeAt(0)};`);
}

const XML_NAMES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function codePoint(sign: string): string {
  return `U+${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}
