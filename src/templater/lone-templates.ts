import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../errors.ts';
import type { Language } from './render.ts';
import { PARTIALS, readTemplate, refuseSharedDest, type Templates, type Translated } from './templates.ts';

/** A template named on the command line: `in:out[:command]`. */
export interface LoneTemplate {
  file: string;
  /** Undefined: its settings name it. */
  dest: string | undefined;
  /** Run by the shell after the file has changed. */
  command: string | undefined;
}

/**
 * Reads `in:out[:command]`; the command may have colons of its own.
 * @throws UserError that says what was expected
 */
export function parseLoneTemplate(text: string): LoneTemplate {
  const [file = '', dest, ...rest] = text.split(':');
  const command = rest.join(':').trim();
  if (file.trim() === '' || dest?.trim() === '')
    throw new UserError(
      `cannot run "template": expected --template to be IN:OUT or IN:OUT:COMMAND, got ${JSON.stringify(text)}`,
    );
  return { file: file.trim(), dest: dest?.trim(), command: command === '' ? undefined : command };
}

/**
 * Reads the templates of the command line, each on its own: none waits for another, as with consul-template. Paths are
 * relative to the directory that we were started in.
 */
export async function readLoneTemplates(
  list: readonly LoneTemplate[],
  env: Readonly<Record<string, string | undefined>>,
  language: Language,
): Promise<Templates> {
  const owners = new Map<string, string>();
  const templates: Templates['templates'] = [];
  for (const { file, dest } of list) {
    const context = {
      serviceDir: process.cwd(),
      env,
      language,
      dest: dest === undefined ? undefined : resolve(dest),
      translate: file.endsWith('.ctmpl') ? fromGo : undefined,
    };
    const template = await readTemplate(file, file, context);
    templates.push(refuseSharedDest({ ...template, id: `${file}:${dest ?? ''}` }, owners));
  }
  const names = new Set(list.map(({ file }) => basename(file)));
  return {
    services: [],
    directories: [...new Set(list.map(({ file }) => resolve(dirname(file))))].flatMap((directory) => [
      directory,
      join(directory, PARTIALS),
    ]),
    isTemplate: (name) => names.has(name) || name === PARTIALS || name.endsWith('.hbs'),
    templates,
  };
}

/** consul-template's own templates are turned as they are read, so that nobody has to convert anything to begin with. */
async function fromGo(file: string, source: string): Promise<Translated> {
  const { convert } = await import('./convert/convert.ts');
  const { text, partials, problems } = convert(source);
  const [first, ...more] = problems;
  if (first) {
    const others = more.length === 0 ? '' : `, and ${more.length} more`;
    throw new UserError(`line ${first.line}, column ${first.column}: ${first.what}${others}`, {
      hint: first.hint ?? `supervise template convert ${file}`,
    });
  }
  return { text: text ?? '', partials };
}
