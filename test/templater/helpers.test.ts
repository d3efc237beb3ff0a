/** What helpers do beyond their examples, and what they refuse. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { compile } from '../../src/templater/helpers/regex.ts';
import { sockaddr } from '../../src/templater/helpers/sockaddr.ts';
import { formatTime } from '../../src/templater/helpers/time.ts';
import { compileTemplate } from '../../src/templater/render.ts';
import { error, run, text, worldOf } from './world.ts';

/** The text that an expression comes to, on these keys. */
function value(expression: string, kv: Record<string, unknown> = {}): string {
  return text(`{{${expression}}}`, worldOf({ kv }));
}

function complaint(expression: string, kv: Record<string, unknown> = {}): string {
  return error(`{{${expression}}}`, worldOf({ kv }));
}

before(() => compileTemplate('{{parseYAML 1}}').load());

describe('numbers', () => {
  test('whole ones keep every digit, through reading, reckoning and writing', () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 200n), 2n ** 200n), fc.bigInt(-(2n ** 70n), 2n ** 70n), (a, b) => {
        const kv = { a: String(a), b: String(b), json: `{"n":[${a}]}`, yaml: `n: [${a}]` };
        assert.equal(value('add (key "a") (key "b")', kv), String(a + b));
        assert.equal(value('multiply (key "a") (key "b")', kv), String(a * b));
        if (b !== 0n) assert.equal(value('divide (key "a") (key "b")', kv), String(a / b));
        assert.equal(value('toJSON (parseJSON (key "json"))', kv), kv.json);
        assert.equal(value('index (parseYAML (key "yaml")) "n" 0', kv), String(a));
        assert.equal(value('toYAML (index (parseJSON (key "json")) "n" 0)', kv), String(a));
        assert.equal(value('lt (parseJSON (key "a")) (parseJSON (key "b"))', kv), String(a < b));
      }),
      { numRuns: 50 },
    );
  });

  test('are read to their last character, within 64 bits', () => {
    assert.equal(value('parseInt "-9223372036854775808"'), '-9223372036854775808');
    assert.equal(
      complaint('parseInt "9223372036854775808"').slice(0, 34),
      'parseInt: expected a number from -',
    );
    assert.equal(complaint('parseUint "-1"').slice(0, 36), 'parseUint: expected a number from 0 ');
    for (const bad of ['12a', '1.5', '0x10', '1_000', ' 1', '1e3'])
      assert.equal(complaint(`parseInt "${bad}"`), 'parseInt: expected a whole number, got other text', bad);
    assert.equal(value('parseFloat "-1.5e3"'), '-1500');
    assert.equal(complaint('parseFloat "Inf"'), 'parseFloat: expected a number, got other text');
    assert.equal(complaint('add "a" 1'), 'add: expected a number, got other text');
    assert.equal(complaint('divide 1 0'), 'divide: expected a divisor other than 0');
    assert.equal(complaint('modulo 1 0'), 'modulo: expected a divisor other than 0');
    assert.equal(value('add 0.5 "1.25"'), '1.75');
  });

  test('nothing is no number, no JSON and no YAML: a key that is there and empty is a mistake', () => {
    for (const name of ['parseInt', 'parseUint', 'parseFloat', 'parseBool', 'parseJSON', 'parseYAML'])
      assert.match(
        complaint(`${name} (key "e")`, { e: '' }),
        new RegExp(`^${name}: expected .*, got nothing$`),
      );
  });
});

describe('comparing', () => {
  test('text goes by the alphabet, numbers by value, and the two are never mixed', () => {
    assert.equal(value('lt "10" "9"'), 'true');
    assert.equal(value('lt 10 9'), 'false');
    assert.equal(value('eq 1 1.0'), 'true');
    assert.equal(
      complaint('eq (key "n") 5', { n: '5' }),
      'eq: cannot compare text with a number (parseInt and parseFloat make a number of text)',
    );
    assert.equal(complaint('lt true 1').slice(0, 45), 'lt: cannot compare true or false with a numbe');
    assert.equal(complaint('eq (ls "a") "a"'), 'eq: expected simple values, got a list');
  });

  test('empty is what Go takes for empty, in conditions and in #if, #unless and #with', () => {
    const kv = { empty: '', zero: '0', json: '{"o":{},"l":[],"z":0,"n":null,"f":false,"t":"0"}' };
    const falsy = ['o', 'l', 'z', 'n', 'f', 'none'];
    for (const name of [...falsy, 't']) {
      const expected = falsy.includes(name) ? 'no' : 'yes';
      const source = `{{#with (parseJSON (key "json"))}}{{#if ${name}}}yes{{else}}no{{/if}} {{#unless ${name}}}no{{else}}yes{{/unless}} {{#with ${name}}}yes{{else}}no{{/with}} {{#if (not ${name})}}no{{else}}yes{{/if}}{{/with}}`;
      assert.equal(text(source, worldOf({ kv })), Array(4).fill(expected).join(' '), name);
    }
    assert.equal(value('or (key "empty") (key "zero") "x"', kv), '0');
    assert.equal(value('and (key "zero") (key "empty") "x"', kv), '');
    assert.equal(value('and 1 2 3'), '3');
  });
});

describe('JSON and YAML', () => {
  test('objects are shown by their keys in order, numbers among them', () => {
    const kv = { j: '{"10":"c","9":"d","b":"e","2":"a","__proto__":"p","B":"f"}' };
    const each = '{{#each (parseJSON (key "j"))}}{{@key}}={{this}} {{/each}}';
    assert.equal(text(each, worldOf({ kv })), '10=c 2=a 9=d B=f __proto__=p b=e ');
    assert.equal(
      value('json (parseJSON (key "j"))', kv),
      '{"10":"c","2":"a","9":"d","B":"f","__proto__":"p","b":"e"}',
    );
  });

  test('what cannot be read is told by its line, and never shown', () => {
    assert.equal(
      complaint('parseJSON (key "j")', { j: '{\n"secret": hunter2}' }),
      'parseJSON: expected JSON, but line 2 of it is none',
    );
    assert.equal(
      complaint('parseYAML (key "y")', { y: 'a: 1\nb: [hunter2' }).replace(/line \d/, 'line N'),
      'parseYAML: expected YAML, but line N of it is none',
    );
    assert.equal(complaint('parseJSON "1e999"'), 'parseJSON: a number in it is too large');
    assert.equal(complaint('parseJSON (key "j")', { j: `${'['.repeat(200_000)}` }).length < 80, true);
  });

  test('YAML that would grow without end is refused', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (const [i, name] of ['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].entries())
      bomb.push(`${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`);
    assert.match(complaint('toYAML (parseYAML (key "y"))', { y: bomb.join('\n') }), /^parseYAML: /);
  });
});

describe('text', () => {
  test('trim takes a set of characters, split an empty text to no parts', () => {
    assert.equal(value('trim "xyabcyx" "xy"'), 'abc');
    assert.equal(value('len (split "" ",")'), '0');
    assert.equal(value('len (split "  a,b " ",")'), '2');
    assert.equal(value('join (split "héé" "") "-"'), 'h-é-é');
    assert.equal(value('replaceAll "aaa" "a" "$&"'), '$&$&$&');
    assert.equal(value('indent "a\n\nb" 2'), '  a\n\n  b');
    assert.equal(value('toTitle "it\'s a web-01 étage"'), "It'S A Web-01 Étage");
    assert.equal(value('trimSuffix "aa" ""'), 'aa');
  });

  test('printf does as Go does, and refuses what does not fit', () => {
    const cases: [string, string][] = [
      ['"%d%%" 5', '5%'],
      ['"%5d|%-5d|%05d|%+d" 42 42 -42 42', '   42|42   |-0042|+42'],
      ['"%s %q %v" "a" "b\nc" true', 'a "b\\nc" true'],
      ['"%.3s|%8.3f|%.0f" "abcdef" 3.14159 2.6', 'abc|   3.142|3'],
      ['"%x %X %o %b %c %U" 255 255 8 5 233 233', 'ff FF 10 101 é U+00E9'],
      ['"%x" "hi"', '6869'],
      ['"%e %g %t" 123456.789 0.5 false', '1.234568e+05 0.5 false'],
      [
        '"%g %g %.3g %.2G %v" 1234567.5 0.00001 1234.5 "1e-7" 0.00001',
        '1.2345675e+06 1e-05 1.23e+03 1E-07 1e-05',
      ],
      ['"%.3d|%6.3d|%06.3d|%-6.2x|" 7 7 7 10', '007|   007|   007|0a    |'],
      ['"%v" (parseJSON \'{"b":1,"a":[2]}\')', '{"a":[2],"b":1}'],
    ];
    for (const [values, expected] of cases) assert.equal(value(`printf ${values}`), expected, values);
    assert.equal(complaint('printf "%s"'), 'printf: expected a value for %s, got none');
    assert.equal(complaint('printf "a" 1'), 'printf: expected 0 values for the format, got 1');
    assert.match(complaint('printf "%y" 1'), /^printf: no verb of printf is written %y/);
    assert.match(complaint('printf "%d" "x"'), /^printf: expected a number, got other text/);
    assert.match(complaint('printf "%999999999d" 1'), /^printf: expected a smaller width/);
    for (const number of ['-1', '55296', '1114112', '99999999999999999999'])
      assert.equal(value(`printf "%c" "${number}"`), '\ufffd', number);
  });

  test('a regular expression of Go’s means here what it means there', () => {
    const cases: [string, string, boolean][] = [
      ['(?i)^web', 'WEB1', true],
      ['(?s)a.b', 'a\nb', true],
      ['a.b', 'a\nb', false],
      ['(?m)^b$', 'a\nb', true],
      ['(?m)^b$', 'a\rb', false],
      ['^a.b$', 'a\u2028b', true],
      ['\\Aa\\z', 'a\n', false],
      ['^a$', 'a\n', false],
      ['^[[:alpha:]_]+$', 'ab_', true],
      ['^[[:digit:][:space:]]+$', '1 2', true],
      ['^\\Qa.b*\\E$', 'a.b*', true],
      ['^\\pL+$', 'é', true],
      ['^\\p{Lu}\\p{Greek}$', 'Éα', true],
      ['^\\x{1F600}$', '😀', true],
      ['^.$', '😀', true],
      ['^a\\-b\\_c\\/d\\"e\\:f$', 'a-b_c/d"e:f', true],
      ['^[]a]+$', ']a', true],
      ['^[^]]+$', 'a', true],
      ['^[a\\]b]+$', 'a]b', true],
      ['(?P<year>\\d{4})', 'in 2026', true],
      ['\\s', '\u00a0', false],
      ['^[\\w.-]+@[\\w-]+$', 'a.b-c@d', true],
      ['^[[]$', '[', true],
      ['^[[]a{,2}[^]]b$', '[a{,2}xb', true],
      ['^\\d{2,}$', '12', true],
      ['^{a}{,2}{{$', '{a}{,2}{{', true],
      ['^[\\S]$', '\u00a0', true],
    ];
    for (const [expression, subject, expected] of cases) {
      assert.equal(
        compile(expression).test(subject),
        expected,
        `${expression} on ${JSON.stringify(subject)}`,
      );
    }
    assert.match(complaint('regexMatch "a" "("'), /^regexMatch: cannot read the expression: /);
    assert.match(complaint('regexMatch "a" "[[:nope:]]"'), /cannot read \[:nope:\] in the expression/);
    assert.match(
      complaint('regexMatch "a" "(a)\\1"'),
      /cannot read \\1 in the expression: nothing can refer back/,
    );
    assert.match(complaint('regexMatch "a" "a(?i)b"'), /only \(\?i\), \(\?m\) and \(\?s\) at its start/);
    assert.equal(value('regexReplaceAll "ab" "a*" "x"'), 'xbx');
    assert.equal(value('regexReplaceAll "😀" "\\z" "x"'), '😀x');
    assert.equal(value('regexReplaceAll "k=v" "(\\w)=(\\w)" "$2=${1} $$ $1x|$9"'), 'v=k $ |');
  });
});

test('timestamps in layouts of Go’s', () => {
  const at = new Date('2026-03-07T13:04:05.067Z');
  const cases: [string, string][] = [
    ['2006-01-02T15:04:05Z07:00', '2026-03-07T13:04:05Z'],
    ['Mon, 02 Jan 2006 15:04:05 MST', 'Sat, 07 Mar 2026 13:04:05 UTC'],
    ['Monday, January _2 06 3:04PM', 'Saturday, March  7 26 1:04PM'],
    ['02/1/2 03:4:5 pm -0700 -07:00', '07/3/7 01:4:5 pm +0000 +00:00'],
    ['15:04:05.000 .999 .000000 ,999', '13:04:05.067 .067 .067000 ,067'],
    ['002 __2 20060102150405', '066  66 20260307130405'],
    ['2006_01_02', '2026_03_07'],
    ['-070000 Z070000 Z07:00:00 -07:00:00', '+000000 Z Z +00:00:00'],
  ];
  for (const [layout, expected] of cases) assert.equal(formatTime(at, layout), expected, layout);
  assert.equal(formatTime(new Date('2026-03-07T00:04:05Z'), '03PM .999'), '12AM ');
});

test('addresses of this machine', () => {
  const address = (address: string, family: 'IPv4' | 'IPv6', internal = false) =>
    ({ address, family, internal, netmask: '', mac: '', cidr: null, scopeid: 0 }) as never;
  const interfaces = {
    lo: [address('127.0.0.1', 'IPv4', true), address('::1', 'IPv6', true)],
    eth0: [address('fd00::5', 'IPv6'), address('10.1.2.3', 'IPv4'), address('fe80::1', 'IPv6')],
    eth1: [address('203.0.113.9', 'IPv4'), address('172.31.0.1', 'IPv4')],
  };
  const cases: [string, string][] = [
    ['GetPrivateIP', '10.1.2.3'],
    ['GetPrivateIPs', '10.1.2.3 172.31.0.1 fd00::5'],
    ['GetPublicIP', '203.0.113.9'],
    ['GetInterfaceIP "eth1"', '203.0.113.9'],
    ["GetInterfaceIPs 'eth0'", '10.1.2.3 fd00::5 fe80::1'],
    ['GetInterfaceIP `none`', ''],
  ];
  for (const [expression, expected] of cases)
    assert.equal(sockaddr(expression, interfaces), expected, expression);
  for (const bad of ['GetAllInterfaces | include "flags" "up"', 'GetInterfaceIP', 'GetPrivateIP "eth0"', 'x'])
    assert.throws(() => sockaddr(bad, interfaces), /pipes and filters are not supported/);
});

describe('lists and objects', () => {
  const kv = { t: { 'a/b': '1', 'a/c': '2', d: '3' }, bad: { a: '1', 'a/b': '2' } };

  test('explode puts keys into each other, and says where that cannot be', () => {
    assert.equal(value('json (explode (tree "t"))', kv), '{"a":{"b":"1","c":"2"},"d":"3"}');
    assert.match(
      complaint('json (explode (tree "bad"))', kv),
      /^explode: "a\/b" cannot be below "a", which has a value/,
    );
    assert.equal(
      value('json (explodeMap (parseJSON \'{"a":{"x":1},"b/c":2}\'))'),
      '{"a":{"x":1},"b":{"c":2}}',
    );
    assert.equal(value('json (explode (tree "none"))', kv), '{}');
  });

  test('merging goes to every depth, and changes neither', () => {
    const json = { a: '{"x":{"p":1,"q":[1]},"y":1}', b: '{"x":{"p":2,"r":3},"z":4}' };
    const both = '(parseJSON (key "a")) (parseJSON (key "b"))';
    assert.equal(value(`json (mergeMap ${both})`, json), '{"x":{"p":1,"q":[1],"r":3},"y":1,"z":4}');
    assert.equal(
      value(`json (mergeMapWithOverride ${both})`, json),
      '{"x":{"p":2,"q":[1],"r":3},"y":1,"z":4}',
    );
  });

  test('groups refuse what they cannot group', () => {
    assert.equal(complaint('byTag (key "a")', { a: 'x' }), 'byTag: expected a list, got text');
    assert.match(
      complaint('byTag (ls "t")', kv),
      /^byTag: expected a list with Tags, got one without "Tags"$/,
    );
    assert.match(
      complaint('byKey (split "a,b" ",")'),
      /^byKey: expected a list of keys, got one without "Key"$/,
    );
  });

  test('byKey leaves the value of a key to who reads it, byMeta puts numbers in order', () => {
    const world = worldOf({
      services: {
        web: [
          { Address: '1', Node: 'a', Meta: { v: '10', env: 'x', odd: 'a/b' } },
          { Address: '2', Node: 'b', Meta: { v: '9' } },
        ],
      },
    });
    assert.equal(
      text('{{#each (byMeta (service "web") "v|int,env")}}{{@key}} {{/each}}', world),
      '00009__no_env_ 00010_x ',
    );
    assert.match(
      error('{{#each (byMeta (service "web") "v|x")}}{{/each}}', world),
      /expected "\|int" behind "v"/,
    );
  });

  test('a place that is not there is an error, a key that is not there is nothing', () => {
    assert.equal(complaint('index (split "a,b" ",") 2'), 'index: expected a place below 2, got 2');
    assert.equal(
      complaint('index (parseJSON "{}") (parseJSON "{}")'),
      'index: expected a key of the object, got an object',
    );
    for (const call of ['key "app/none"', 'env "NONE"', 'file "none"'])
      assert.match(
        complaint(`${call} default=(parseJSON "{}")`),
        /^\w+: expected default= to be text, got an object$/,
      );
    assert.equal(value('index (parseJSON \'{"a":1}\') "b"'), '');
    assert.match(
      error('{{index (index (service "web") 0) "Adress"}}'),
      /has no field "Adress" \(did you mean "Address"\?\)/,
    );
    assert.equal(complaint('slice "abc" 2 5'), 'slice: expected a part of 3 entries, got 2 to 5');
  });

  test('#each shows lists and objects, and refuses text', () => {
    assert.match(
      error('{{#each (key "app/hosts")}}{{/each}}'),
      /^#each: expected a list or an object, got text$/,
    );
    assert.equal(
      text('{{#each (loop 2)}}{{#each (loop 2)}}{{@../index}}{{@index}} {{/each}}{{/each}}'),
      '00 01 10 11 ',
    );
    assert.equal(
      text("{{#each (parseJSON '[[1],[]]')}}{{#each this}}{{this}}{{else}}-{{/each}}{{/each}}"),
      '1-',
    );
    assert.equal(
      text('{{#each (loop 3)}}{{#if @first}}<{{/if}}{{@key}}{{#if @last}}>{{/if}}{{/each}}'),
      '<012>',
    );
  });
});

test('a field is a field, whatever helpers are called', () => {
  const world = worldOf({ kv: { j: '{"key":"k","index":1,"len":2,"services":"s","key2":"x"}' } });
  const source =
    '{{#with (parseJSON (key "j"))}}{{key}} {{index}} {{len}} {{this.services}} {{json key}}{{/with}}';
  assert.equal(text(source, world), 'k 1 2 s "k"');
  assert.equal(
    text('{{#each (parseJSON (key "j"))}}{{@index}}{{@key}} {{/each}}', world),
    '0index 1key 2key2 3len 4services ',
  );
});

test('what was put aside is there for one run only', () => {
  const compiled = compileTemplate('{{get "n" default="none"}}{{set "n" 1}}{{get "n"}}');
  assert.equal(compiled(worldOf({})).text, 'none1');
  assert.equal(compiled(worldOf({})).text, 'none1');
  assert.match(error('{{get "m"}}'), /^get: nothing was set under the name "m"/);
});

test('stand-ins of what is missing stop no helper: all that is missing is found', () => {
  const outcome = run(
    '{{add (key "x") 1}}{{parseJSON (key "y")}}{{#each (parseYAML (key "z"))}}{{/each}}{{key "v"}}',
  );
  assert.deepEqual(outcome.missing, ['key "x"', 'key "y"', 'key "z"', 'key "v"']);
  assert.equal(outcome.error, undefined);
});

test('what there is one of is waited for, and kept when it goes; file and node too', () => {
  assert.deepEqual(run('{{#with (node "none")}}{{/with}}{{file "/none"}}').missing, [
    'node "none"',
    'file "/none"',
  ]);
  assert.equal(
    text('{{#with (node "none" required=false)}}{{else}}none{{/with}}{{file "/none" default="-"}}'),
    'none-',
  );
  assert.deepEqual(run('{{#each (safeLs "none")}}{{/each}}').missing, [
    'keys under "none/": 0 of at least 1',
  ]);
});

test('queries in consul-template’s short form and by options are the same', () => {
  const words = (source: string): string[] => [...run(`{{len (${source})}}`).used.keys()];
  assert.deepEqual(words('services "@eu"'), ['services (dc=eu)']);
  assert.deepEqual(words('services dc="eu"'), words('services "@eu"'));
  assert.deepEqual(words('nodes "@eu~_agent"'), ['nodes (dc=eu, near=_agent)']);
  assert.deepEqual(words('nodes dc="eu" near="_agent"'), words('nodes "@eu~_agent"'));
  assert.deepEqual(words('node "n1@eu"'), ['node "n1" (dc=eu)']);
  assert.deepEqual(words('node'), ['node']);
  assert.deepEqual(words('connect "v1.web|any"'), ['connect "web" (tag=v1, status=any)']);
  assert.match(error('{{len (nodes "eu west")}}'), /^nodes: expected a datacenter such as "@eu"/);
});
