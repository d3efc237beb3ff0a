/** Values as formats read them back, whatever is in them: each against a reader of that format. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import YAML from 'yaml';
import { ESCAPES } from '../../src/templater/helpers/escape.ts';
import { FORMATS } from '../../src/templater/helpers/formats.ts';
import type { Helper, Pass } from '../../src/templater/helpers/helper.ts';

const NO_PASS = {} as Pass;

function write(helper: Helper, value: unknown, options: Record<string, unknown> = {}): string {
  return String(helper.run(NO_PASS, [value], options));
}

/** Text of all kinds, and much of what formats take for something. */
const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc
    .array(
      fc.constantFrom(
        ...[
          '\n',
          '\r\n',
          '\r',
          '\t',
          '"',
          "'",
          '\\',
          '\\n',
          '$',
          '$(id)',
          '`id`',
          '${HOME}',
          '#',
          ';',
          '-',
          '--x',
        ],
        ...[
          '{',
          '}',
          '[',
          ']',
          ':',
          ': ',
          ' ',
          ',',
          '=',
          '&',
          '*',
          '!',
          '|',
          '>',
          '%',
          '@',
          '<',
          ']]>',
          '{{',
          '~',
        ],
        ...[
          '\u007f',
          '\u0085',
          '\u2028',
          '\u00a0',
          '\ufeff',
          '\u001b',
          '\b',
          'é',
          '😀',
          'a',
          '0',
          'null',
          'yes',
          '1e3',
        ],
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join('')),
);
const noNul = nasty.filter((text) => !text.includes('\0'));
const json = fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' });
/** JSON has no -0, and so no reader gives it back. */
const value = json.map((each) => JSON.parse(JSON.stringify(each)) as unknown);

test('sh: one word each, for a real shell', () => {
  const words = fc.sample(noNul, 3000);
  words.push('', '-n', '--help', "'", "''", '\n', 'a\n', '$(touch x)', '*', '~', '!!', '\\', 'é😀');
  const script = `printf '%s\\0' ${words.map((each) => write(ESCAPES.sh, each)).join(' ')}`;
  const read = execFileSync('sh', { input: script, maxBuffer: 64 << 20 });
  assert.deepEqual(read.toString().split('\0').slice(0, -1), words);
  assert.equal(write(ESCAPES.sh, ['a b', 'c']), "'a b' 'c'");
  assert.equal(write(ESCAPES.sh, 5), "'5'");
  assert.throws(() => write(ESCAPES.sh, 'a\0b'), /a shell has no way to write a NUL/);
});

test('json and toJSON: what was read comes back', () => {
  fc.assert(
    fc.property(value, (each) => {
      for (const helper of [ESCAPES.json, FORMATS.toJSON, FORMATS.toJSONPretty, FORMATS.toUnescapedJSON])
        assert.deepEqual(JSON.parse(write(helper, each)), each);
      assert.doesNotMatch(write(FORMATS.toJSON, each), /[<>&\u2028\u2029]/);
    }),
  );
});

test('yaml: a value in one line, for readers of YAML 1.2 and 1.1, at any place', () => {
  fc.assert(
    fc.property(fc.oneof(nasty, value), (each) => {
      const text = write(ESCAPES.yaml, each);
      assert.doesNotMatch(text, /[\r\n\u0085\u2028]/);
      for (const version of ['1.2', '1.1'] as const) {
        const around = YAML.parse(`a: ${text}\nb:\n  - ${text}\n  - [${text}, {k: ${text}}]\n`, { version });
        assert.deepEqual(plain(around), { a: each, b: [each, [each, { k: each }]] }, text);
      }
    }),
  );
});

test('toYAML: what was read comes back, by readers of YAML 1.2 and 1.1', () => {
  fc.assert(
    fc.property(fc.oneof(nasty, value), (each) => {
      const text = write(FORMATS.toYAML, each);
      for (const version of ['1.2', '1.1'] as const)
        assert.deepEqual(plain(YAML.parse(text, { version })), each, text);
    }),
  );
});

test('ini: one line, as git, MySQL and systemd read it', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: INI has no way to write these
  const writable = nasty.filter((text) => !/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/.test(text));
  fc.assert(
    fc.property(writable, writable, (a, b) => {
      const file = `[s]\na = ${write(ESCAPES.ini, a)}\nb = ${write(ESCAPES.ini, b)} ; comment\n`;
      assert.deepEqual(readIni(file), { a, b });
    }),
  );
  assert.throws(() => write(ESCAPES.ini, '\x1b'), /INI has no way to write the control character U\+001B/);
});

test('nginx: one word, whatever stands around it', () => {
  fc.assert(
    fc.property(noNul, (text) => {
      const word = write(ESCAPES.nginx, text, { variables: true });
      assert.deepEqual(readNginx(`set ${word};\nlocation ${word} { return 200 ${word}; }`), [
        ...['set', { text }, ';', 'location', { text }, '{', 'return', '200', { text }, ';', '}'],
      ]);
    }),
  );
  assert.throws(() => write(ESCAPES.nginx, 'a$b'), /nginx would read "\$" as the start of a variable/);
});

test('xml: text and attributes', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML has no way to write these
  const writable = nasty.filter((text) => !/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(text));
  fc.assert(
    fc.property(writable, (text) => {
      const written = write(ESCAPES.xml, text);
      assert.doesNotMatch(written, /[<>"'\r\n\t]|&(?!(amp|lt|gt|quot|#\d+);)/);
      const names: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"' };
      const read = written.replace(/&(?:#(\d+)|(\w+));/g, (_, code, name: string) =>
        code === undefined ? (names[name] ?? '') : String.fromCharCode(Number(code)),
      );
      assert.equal(read, text);
    }),
  );
  assert.throws(() => write(ESCAPES.xml, '\x01'), /XML has no way to write the character U\+0001/);
});

test('toml: strings, and documents in an order that keeps each value in its table', () => {
  fc.assert(
    fc.property(nasty, (text) => {
      const written = write(ESCAPES.toml, text);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: TOML asks for these to be escaped
      assert.doesNotMatch(written, /[\x00-\x1f\x7f]/);
      assert.equal(JSON.parse(written), text);
    }),
  );
  const document = {
    z: 1,
    a: { y: [1, 2.5], x: { w: true } },
    list: [{ n: 1, deep: { m: 2 } }, { n: 2 }],
    'a b': 'x',
  };
  assert.equal(
    write(FORMATS.toTOML, document),
    [
      '"a b" = "x"\nz = 1\n',
      '[a]\ny = [1, 2.5]\n',
      '[a.x]\nw = true\n',
      '[[list]]\nn = 1\n',
      '[list.deep]\nm = 2\n',
      '[[list]]\nn = 2',
    ].join('\n'),
  );
  assert.throws(() => write(FORMATS.toTOML, [1]), /expected an object/);
  assert.throws(() => write(ESCAPES.toml, [null]), /TOML has no null/);
});

test('what has no text is refused by all that want one', () => {
  for (const name of ['sh', 'ini', 'nginx', 'xml'] as const)
    assert.throws(() => write(ESCAPES[name], { a: 1 }), /expected text, got an object/, name);
  for (const name of ['json', 'yaml', 'toml'] as const)
    assert.throws(() => write(ESCAPES[name], Number.NaN), /not finite/, name);
});

/** YAML's own objects as JSON has them. */
function plain(read: unknown): unknown {
  return JSON.parse(JSON.stringify(read, (_, each) => (Object.is(each, -0) ? 0 : each)));
}

/** A reader of INI files: `;` and `#` begin a comment, a value is bare or quoted with backslashes. */
function readIni(file: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of file.split('\n')) {
    if (line === '' || /^\s*[[;#]/.test(line)) continue;
    const [, name = '', value = ''] =
      /^\s*(\w+)\s*=\s*(.*)$/s.exec(line) ?? assert.fail(JSON.stringify(line));
    const quoted = /^"((?:[^"\\]|\\[\s\S])*)"\s*(?:[;#].*)?$/s.exec(value);
    if (value.startsWith('"')) assert.ok(quoted, value);
    const signs: Record<string, string> = { n: '\n', r: '\r', t: '\t' };
    found[name] = quoted
      ? (quoted[1] ?? '').replace(/\\([\s\S])/g, (_, sign: string) => signs[sign] ?? sign)
      : value.replace(/\s*[;#].*$/s, '').trim();
  }
  return found;
}

/** nginx's reader of words: quotes end where they began, a backslash takes away the meaning of a quote and of itself. */
function readNginx(file: string): (string | { text: string })[] {
  const words: (string | { text: string })[] = [];
  for (let i = 0; i < file.length; ) {
    const sign = file.charAt(i);
    if (/\s/.test(sign)) i++;
    else if (/[;{}]/.test(sign)) {
      words.push(sign);
      i++;
    } else if (sign === '"') {
      let text = '';
      for (i++; file.charAt(i) !== '"'; i++) {
        assert.ok(i < file.length, 'a quote has no end');
        const next = file.charAt(i + 1);
        if (file.charAt(i) !== '\\') text += file.charAt(i);
        else if (/["'\\]/.test(next)) text += file.charAt(++i);
        else if (/[trn]/.test(next)) text += { t: '\t', r: '\r', n: '\n' }[file.charAt(++i)];
        else text += '\\';
      }
      i++;
      assert.match(file.charAt(i), /[\s;{)]/);
      words.push({ text });
    } else {
      const [word] = /^[^\s;{}"]+/.exec(file.slice(i)) ?? assert.fail(file);
      words.push(word);
      i += word.length;
    }
  }
  return words;
}
