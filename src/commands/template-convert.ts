import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeDirectories } from '../directories.ts';
import { causeOf, describe, EXIT, errno, UserError } from '../errors.ts';
import { type Converted, convert as convertText } from '../templater/convert/convert.ts';
import type { Delimiters } from '../templater/convert/lex.ts';
import { type LoneTemplate, parseLoneTemplate } from '../templater/lone-templates.ts';

export const HELP = `supervise template convert: turns Go templates, as consul-template has them, into Handlebars

usage: supervise template convert [options] FILE.ctmpl …
       supervise template convert [options] -template IN:OUT[:CMD] …

  -o, --output DIR         write to DIR/NAME.hbs; else beside each file
  --stdout                 print, and write nothing
  --force                  replace files that are there
  --template IN:OUT[:CMD]  a template with its destination and command, which go into its settings
  --default-left-delimiter TEXT, --default-right-delimiter TEXT     where actions begin and end, if not {{ and }}

What comes out renders the same bytes. {{define}}d templates become partials, in partials/ beside the template.
What cannot be turned is named by file, line and column; in its place stands the helper "by-hand", which does not exist,
so that the template is refused until somebody has written it. Where no destination is known it is a variable to be set.

Exit: 0 all turned, 1 something was left, 100 wrong usage, 111 the system refused.
`;

const FLAGS = {
  output: { type: 'string', short: 'o' },
  stdout: { type: 'boolean' },
  force: { type: 'boolean' },
  template: { type: 'string', multiple: true },
  'default-left-delimiter': { type: 'string' },
  'default-right-delimiter': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** A file to be written. */
interface Output {
  path: string;
  text: string;
  /** What it was made from. */
  from: string;
}

/**
 * `supervise template convert`.
 * @returns 0, or 1 when something could not be turned
 * @throws UserError for a wrong command line, a file that cannot be read or written, and one that would be replaced
 */
export async function convert(
  argv: readonly string[],
  io: { stdout: (text: string) => void; stderr: (text: string) => void },
): Promise<number> {
  const { values, positionals } = readFlags(argv);
  if (values.help) {
    io.stdout(HELP);
    return EXIT.yes;
  }
  const inputs: LoneTemplate[] = [
    ...(values.template ?? []).map(parseLoneTemplate),
    ...positionals.map((file) => ({ file, dest: undefined, command: undefined })),
  ];
  if (inputs.length === 0) refuse('expected a template to convert, got none');
  if (values.stdout && values.output !== undefined) refuse('--stdout and --output exclude each other');
  const delimiters = readDelimiters(values['default-left-delimiter'], values['default-right-delimiter']);

  const outputs: Output[] = [];
  let left = 0;
  for (const input of inputs) {
    const converted = convertText(read(input.file), { settings: settingsOf(input), delimiters });
    left += converted.problems.length;
    for (const { line, column, what, hint } of converted.problems)
      io.stderr(`${describe(new UserError(`${input.file}:${line}:${column}: ${what}`, { hint }))}\n`);
    outputs.push(...filesOf(input, converted, values.output ?? dirname(input.file)));
  }
  const unique = refuseTwice(outputs);
  if (values.stdout) {
    const [only] = unique;
    io.stdout(
      unique.length === 1 && only ? only.text : unique.map(({ path, text }) => `> ${path}\n${text}`).join(''),
    );
  } else writeAll(unique, values.force ?? false, io.stdout);
  return left === 0 ? EXIT.yes : EXIT.no;
}

function readFlags(argv: readonly string[]) {
  const args = argv.map((arg) => (/^-[a-z]{2}/.test(arg) ? `-${arg}` : arg));
  try {
    return parseArgs({ args, options: FLAGS, allowPositionals: true });
  } catch (error) {
    return refuse((error as Error).message.split(/\. |\n/, 1)[0] ?? '');
  }
}

function readDelimiters(left = '{{', right = '}}'): Delimiters {
  return left !== '' && right !== '' ? { left, right } : refuse('expected delimiters that are not empty');
}

function read(file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(file));
  } catch (error) {
    const cause = error instanceof TypeError ? 'it is not text (invalid UTF-8)' : causeOf(error);
    throw new UserError(`cannot read ${file}: ${cause}`, { exitCode: EXIT.system, cause: error });
  }
}

/** The first comment: without a destination the template would be refused, so it names a variable that can be set. */
function settingsOf({ file, dest, command }: LoneTemplate): string[] {
  const variable = basename(stem(file))
    .toUpperCase()
    .replace(/\W+/g, '_')
    .replace(/^(?=\d)/, '_');
  return [
    `dest: ${dest ?? `\${${variable}}`}`,
    ...(command === undefined ? [] : [`on-change: run ${command.replace(/\s*\n\s*/g, ' ')}`]),
  ];
}

/** Without the endings that consul-template's users give their templates. */
function stem(file: string): string {
  return file.replace(/\.(ctmpl|tmpl|tpl|gotmpl|ctpl)$/, '');
}

function filesOf({ file }: LoneTemplate, { text, partials }: Converted, directory: string): Output[] {
  if (text === undefined) return [];
  return [
    { path: join(directory, `${basename(stem(file))}.hbs`), text, from: file },
    ...[...partials].map(([name, partial]) => ({
      path: join(directory, 'partials', `${name}.hbs`),
      text: partial,
      from: file,
    })),
  ];
}

/** Two templates may well define the same partial; but not under one name two that differ. */
function refuseTwice(outputs: readonly Output[]): Output[] {
  const byPath = new Map<string, Output>();
  for (const output of outputs) {
    const before = byPath.get(output.path);
    if (before && before.text !== output.text)
      refuse(
        `${before.from} and ${output.from} would both be written to ${output.path}`,
        'convert one of them into another directory (--output DIR), or rename what it defines',
      );
    byPath.set(output.path, output);
  }
  return [...byPath.values()];
}

/** Nothing is written unless all can be. */
function writeAll(outputs: readonly Output[], force: boolean, print: (text: string) => void): void {
  const changed = outputs.filter(({ path, text }) => {
    const old = readOld(path);
    if (old !== undefined && old !== text && !force)
      refuse(`${path} is there already`, 'replace it with --force, or write elsewhere with --output DIR');
    return old !== text;
  });
  for (const { path, text, from } of changed) {
    try {
      makeDirectories(dirname(path), 0o777);
      writeFileSync(path, text);
    } catch (error) {
      throw new UserError(`cannot write ${path}: ${causeOf(error)}`, { exitCode: EXIT.system, cause: error });
    }
    print(`${from} → ${path}\n`);
  }
}

function readOld(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') return undefined;
    throw new UserError(`cannot read ${path}: ${causeOf(error)}`, { exitCode: EXIT.system, cause: error });
  }
}

function refuse(cause: string, hint = 'supervise template convert --help'): never {
  throw new UserError(`cannot convert: ${cause}`, { hint });
}
