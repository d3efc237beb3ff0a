/** What cannot be turned is named by line and column, with what to do; and the template is refused as long as it is there. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { convert } from '../../../src/templater/convert/convert.ts';
import { compileTemplate } from '../../../src/templater/render.ts';

/** `line:column what (hint)`. */
function problems(source: string): string[] {
  return convert(source).problems.map(
    ({ line, column, what, hint }) => `${line}:${column} ${what}${hint === undefined ? '' : ` (${hint})`}`,
  );
}

const HELPER = 'write a helper of your own for it (--helpers FILE)';
const VAULT = 'secrets of Vault are not read: leave that file to Vault Agent';

describe('what is not carried over', () => {
  const cases: readonly (readonly [source: string, ...found: string[]])[] = [
    ['a\n  {{ secret "x" }}', `2:6 secret is not carried over (${VAULT})`],
    ['{{ with secret "x" }}{{ .Data.a }}{{ end }}', `1:9 secret is not carried over (${VAULT})`],
    ['{{ nomadVar "x" }}', '1:4 nomadVar is not carried over (Nomad is not read: leave that file to Nomad)'],
    ['{{ "x" | plugin "p" }}', `1:10 plugin is not carried over (${HELPER})`],
    ['{{ "x" | sprig_upper }}', `1:10 sprig_upper is not carried over (${HELPER})`],
    [
      '{{ "x" | writeToFile "/a" "" "" "0644" }}',
      '1:10 writeToFile is not carried over (a template writes one file: make that one a template of its own)',
    ],
    ['{{ spew_dump 1 }}', '1:4 spew_dump is not carried over (write {{toJSONPretty …}} to look at a value)'],
    [
      '{{ range ls "a" }}\n{{ break }}{{ end }}',
      '2:1 {{break}} has no counterpart (put the rest of the loop into an {{if}})',
    ],
    ['{{ kye "x" }}', '1:4 no function of consul-template is called kye (did you mean key?)'],
    ['{{ key }}', '1:4 key takes 1 argument, got 0'],
    ['{{ join "," }}', '1:4 join takes 2 arguments, got 1'],
    [
      '{{ range service "a" }}{{ .Tags.Contains "x" }}{{ end }}',
      `1:27 arguments are given to a field or a variable: Go calls a method (${HELPER})`,
    ],
    ['{{ .Key }}', '1:4 a dot outside of range and with (there are no data at the top of a template)'],
    ['{{ $.Key }}', '1:4 a $ at the top of a template (there are no data at the top of a template)'],
    ['{{ $x }}', '1:4 the variable $x is not declared here'],
    [
      '{{ template "x" }}',
      '1:1 the template "x" is not defined in this file (convert the file that defines it with it)',
    ],
    [
      '{{ split "," "a" }}',
      "1:4 split is printed as a whole, in Go's own notation (print it with join, or range over it)",
    ],
    [
      '{{ explode (tree "a") }}',
      "1:4 explode is printed as a whole, in Go's own notation (print it with toJSON, or range over it)",
    ],
    ['{{ 1e6 }}', '1:4 the number 1e6 (write it as a plain decimal number)'],
    [
      '{{ if or (keyExists "a") (key "b") }}{{ end }}',
      '1:27 key behind "or": here it is evaluated whatever stands before it (write one {{if}} inside of the other)',
    ],
    [
      '{{ define "t" }}{{ $n := 1 }}{{ template "t" }}{{ end }}{{ template "t" }}',
      '1:1 the template "t" calls itself and has variables (a variable here is one for all calls: pass values on as arguments)',
    ],
    [
      '{{ scratch.MapSet "a" "b" 1 }}',
      '1:4 scratch.MapSet is not carried over (set each entry under a name of its own)',
    ],
    [
      '{{ secret "a" }}\n\n{{ secret "b" }}',
      `1:4 secret is not carried over (${VAULT})`,
      `3:4 secret is not carried over (${VAULT})`,
    ],
  ];
  for (const [source, ...found] of cases)
    test(source.replaceAll('\n', '⏎'), () => {
      assert.deepEqual(problems(source), found);
      const { text = '', partials } = convert(source, { settings: ['dest: x'] });
      assert.throws(() => compileTemplate(text, { partials }), /by-hand|partial/, text);
    });
});

describe('what Go does not read either', () => {
  const cases: readonly (readonly [source: string, found: string])[] = [
    ['a {{ key "x"', '1:3 an action that has no end'],
    ['{{ key "x }}', '1:8 a string that has no end'],
    ['{{ key `x }}', '1:8 a raw string that has no end'],
    ['{{/* x }}', '1:3 a comment that has no end'],
    ['{{ if true }}x', '1:1 an {{if}} that has no {{end}}'],
    ['x{{ end }}', '1:2 an {{end}} that ends nothing'],
    ['{{ range ls "a" }}{{ else }}{{ else }}{{ end }}', '1:29 an {{range}} that has no {{end}}'],
    ['{{ }}', '1:4 an empty {{}}'],
    ['{{ ("a" }}', '1:4 a "(" that is not closed'],
    ['{{ key "a" ] }}', '1:12 a character that cannot stand there: "]"'],
    ['{{ if true }}{{ define "x" }}{{ end }}{{ end }}', '1:14 a {{define}} inside of a block'],
    ['{{ "a" | "b" }}', '1:10 a value piped into what is no function'],
    ['{{ 1x }}', '1:4 a number that cannot be read'],
    ['{{ "\\q" }}', '1:5 an escape in a string that does not exist'],
  ];
  for (const [source, found] of cases)
    test(source, () => {
      assert.deepEqual(problems(source), [`${found} (Go does not read this either)`]);
      assert.equal(convert(source).text, undefined);
    });
});

test('a long or hostile template is read in a moment', () => {
  const started = performance.now();
  convert(`${'{{ if true }}'.repeat(1000)}${'{{ end }}'.repeat(1000)}`);
  convert('{{ '.repeat(20_000));
  convert(`{{ ${'('.repeat(2000)}1${')'.repeat(2000)} }}`);
  convert('a\n'.repeat(200_000));
  assert.ok(performance.now() - started < 5000);
});

test('other delimiters', () => {
  const delimiters = { left: '[[', right: ']]' };
  assert.equal(
    convert('{{ mine }} [[ key "a" -]] \nb', { delimiters }).text,
    '{{print "{{"}} mine }} {{key "a"}}b',
  );
});
