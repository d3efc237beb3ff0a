import { type Helper, MANY } from './helper.ts';
import { asCount, asList, asText, bounded, dict, MOST_ENTRIES } from './value.ts';

/** What is done with text. */
export const STRINGS = {
  split: {
    usage: 'split "a,b" ","',
    meaning: 'list of the parts; white space around the whole is cut, nothing has no parts',
    examples: [['{{#each (split (key "app/hosts") ",")}}[{{this}}]{{/each}}', '[a][b][c]']],
    values: [2, 2],
    options: [],
    run: (_, [text, separator]) => parts(asText(text).trim(), asText(separator, 'a separator')),
  },
  splitToMap: {
    usage: 'splitToMap "a=1,b=2" "," "="',
    meaning: 'object of the parts',
    examples: [['{{#each (splitToMap "b=2,a=1" "," "=")}}{{@key}}:{{this}} {{/each}}', 'a:1 b:2 ']],
    values: [3, 3],
    options: [],
    run(_, [text, separator, sign]) {
      const between = asText(sign, 'a separator');
      if (between === '') throw new Error('expected a separator between key and value, got nothing');
      return dict(
        parts(asText(text).trim(), asText(separator, 'a separator')).map((part) => {
          const at = part.indexOf(between);
          return at < 0
            ? [part.trim(), '']
            : [part.slice(0, at).trim(), part.slice(at + between.length).trim()];
        }),
      );
    },
  },
  join: {
    usage: 'join (split "a,b" ",") "+"',
    meaning: 'the parts as one text',
    examples: [['{{join (split "a,b" ",") "+"}}', 'a+b']],
    values: [2, 2],
    options: [],
    run(_, [list, separator]) {
      const texts = asList(list).map((each) => asText(each, 'a list of texts'));
      const between = asText(separator);
      const length = texts.reduce((sum, each) => sum + each.length + between.length, 0);
      return bounded(length, () => texts.join(between));
    },
  },
  trim: {
    usage: 'trim "--a--" "-"',
    meaning: 'without these characters at both ends; without white space where none are given',
    examples: [
      ['{{trim "!?a!" "?!"}}', 'a'],
      ['{{trim " a "}}.', 'a.'],
    ],
    values: [1, 2],
    options: [],
    run: (_, [text, cutset]) =>
      cutset === undefined ? asText(text).trim() : trimSet(asText(text), asText(cutset)),
  },
  trimSpace: {
    usage: 'trimSpace " a "',
    meaning: 'without white space at both ends',
    examples: [['[{{trimSpace "  a "}}]', '[a]']],
    values: [1, 1],
    options: [],
    run: (_, [text]) => asText(text).trim(),
  },
  trimPrefix: {
    usage: 'trimPrefix "v1.2" "v"',
    meaning: 'without this beginning',
    examples: [['{{trimPrefix "v1.2" "v"}}', '1.2']],
    values: [2, 2],
    options: [],
    run(_, [text, prefix]) {
      const [whole, start] = [asText(text), asText(prefix)];
      return whole.startsWith(start) ? whole.slice(start.length) : whole;
    },
  },
  trimSuffix: {
    usage: 'trimSuffix "a.conf" ".conf"',
    meaning: 'without this end',
    examples: [['{{trimSuffix "a.conf" ".conf"}}', 'a']],
    values: [2, 2],
    options: [],
    run(_, [text, suffix]) {
      const [whole, end] = [asText(text), asText(suffix)];
      return whole.endsWith(end) ? whole.slice(0, whole.length - end.length) : whole;
    },
  },
  indent: {
    usage: 'indent (key "app/cert") 4',
    meaning: 'with this many blanks before each line that is not empty',
    examples: [['{{indent (key "app/motd") 2}}', '  hello\n  world']],
    values: [2, 2],
    options: [],
    run(_, [value, count]) {
      const [text, blanks] = [asText(value), asCount(count)];
      const lines = text.split('\n');
      return bounded(text.length + lines.length * blanks, () => {
        const space = ' '.repeat(blanks);
        return lines.map((line) => (line === '' ? line : space + line)).join('\n');
      });
    },
  },
  replaceAll: {
    usage: 'replaceAll "a.b" "." "-"',
    meaning: 'with each of these replaced',
    examples: [['{{replaceAll "a.b.c" "." "-"}}', 'a-b-c']],
    values: [3, 3],
    options: [],
    run(_, [value, from, to]) {
      const [text, search, put] = [asText(value), asText(from), asText(to)];
      if (search === '') throw new Error('expected text to look for, got nothing');
      let length = text.length;
      return text.replaceAll(search, () => {
        length += put.length - search.length;
        return bounded(length, () => put);
      });
    },
  },
  toLower: {
    usage: 'toLower "A"',
    meaning: 'in lower case',
    examples: [['{{toLower "Web"}}', 'web']],
    values: [1, 1],
    options: [],
    run: (_, [text]) => asText(text).toLowerCase(),
  },
  toUpper: {
    usage: 'toUpper "a"',
    meaning: 'in upper case',
    examples: [['{{toUpper "Web"}}', 'WEB']],
    values: [1, 1],
    options: [],
    run: (_, [text]) => asText(text).toUpperCase(),
  },
  toTitle: {
    usage: 'toTitle "a b"',
    meaning: 'with the first letter of each word in upper case',
    examples: [['{{toTitle "big web"}}', 'Big Web']],
    values: [1, 1],
    options: [],
    run: (_, [text]) =>
      asText(text).replace(/(?<![A-Za-z0-9_]|[^\p{ASCII}\s])\p{L}/gu, (letter) => letter.toUpperCase()),
  },
  print: {
    usage: 'print "a" 1',
    meaning: 'all of them as one text, with a blank between two that are no text',
    examples: [
      ['{{key (print "app/" "rate")}}', '5'],
      ['{{print 1 2 "a" 3}}', '1 2a3'],
    ],
    values: [0, MANY],
    options: [],
    run: (_, values) =>
      values
        .map((each, i) => {
          const apart = i > 0 && typeof each !== 'string' && typeof values[i - 1] !== 'string';
          return `${apart ? ' ' : ''}${asText(each)}`;
        })
        .join(''),
  },
  urlquery: {
    usage: 'urlquery "a b"',
    meaning: 'as it is written in the query of a URL',
    examples: [['{{urlquery "a b&c"}}', 'a+b%26c']],
    values: [1, 1],
    options: [],
    run: (_, [text]) =>
      encodeURIComponent(asText(text).toWellFormed())
        .replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
        .replaceAll('%20', '+'),
  },
} satisfies Record<string, Helper>;

function parts(text: string, separator: string): string[] {
  if (text === '') return [];
  // One more than allowed, so that too many are seen without making them all.
  const found = separator === '' ? Array.from(text) : text.split(separator, MOST_ENTRIES + 1);
  if (found.length > MOST_ENTRIES) throw new Error(`it has more than ${MOST_ENTRIES} parts`);
  return found;
}

function trimSet(text: string, cutset: string): string {
  const cut = new Set(cutset);
  const letters = Array.from(text);
  let start = 0;
  let end = letters.length;
  while (start < end && cut.has(letters[start] ?? '')) start++;
  while (end > start && cut.has(letters[end - 1] ?? '')) end--;
  return letters.slice(start, end).join('');
}
