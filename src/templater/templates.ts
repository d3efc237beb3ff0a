import { readdirSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { causeOf, describe, errno, UserError } from '../errors.ts';
import { readPlainFile } from './disk.ts';
import { followLinks } from './place.ts';
import { type Compiled, compileTemplate, LANGUAGE, type Language } from './render.ts';
import { parseSettings, type Settings, type SettingsContext } from './settings.ts';

/** A template file as found on disk. */
export interface Template {
  /** What it is known by from one reading to the next. */
  id: string;
  service: string;
  /** Where its check runs: the service directory, or where we were started. */
  directory: string;
  /** Its path, as messages show it. */
  file: string;
  /** Its text; undefined where it could not be read. */
  source: string | undefined;
  /** What is written where; undefined where the settings are of no use. */
  settings: Settings | undefined;
  compiled: Compiled | undefined;
  /** Why it cannot be rendered at all, hint included. */
  problem: string | undefined;
}

export interface Templates {
  /** Every service that has a `templates/` directory, in order. */
  services: string[];
  /** Directories that hold templates, or would. */
  directories: string[];
  /** Whether a name in one of them is a template's. */
  isTemplate: (name: string) => boolean;
  templates: Template[];
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** Where the partials are that the templates beside it include: `partials/head.hbs` is `{{> head}}`. */
export const PARTIALS = 'partials';

/**
 * Reads `<scandir>/<service>/templates/*.hbs`; of two services of one name, those of the later scandir. What is wrong with a
 * template is told in the template; the others are as they would be without it.
 * @throws UserError where a scandir itself cannot be read
 */
export async function readTemplates(
  scandirs: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  language: Language = LANGUAGE,
): Promise<Templates> {
  const found: Templates = { services: [], directories: [], isTemplate, templates: [] };
  const owners = new Map<string, string>();
  for (const [service, scandir] of list(scandirs)) {
    const serviceDir = resolve(scandir, service);
    const directory = join(scandir, service, 'templates');
    let files: string[];
    try {
      files = readdirSync(directory).filter(isTemplate).sort();
    } catch (error) {
      if (errno(error) !== 'ENOENT' && errno(error) !== 'ENOTDIR')
        found.templates.push(
          broken(service, serviceDir, directory, `cannot read ${directory}: ${causeOf(error)}`),
        );
      continue;
    }
    found.services.push(service);
    found.directories.push(directory, join(directory, PARTIALS));
    for (const file of files) {
      const context = { serviceDir, env, language };
      const template = await readTemplate(service, join(directory, file), context);
      found.templates.push(refuseSharedDest(template, owners));
    }
  }
  return found;
}

/** Whether a file of `templates/` or `partials/` is one; a dot-file is some editor's. */
function isTemplate(name: string): boolean {
  return name.endsWith('.hbs') && !name.startsWith('.');
}

/** Service → the scandir that it is in, in order. */
function list(scandirs: readonly string[]): [string, string][] {
  const found = new Map<string, string>();
  for (const scandir of scandirs)
    for (const name of namesIn(scandir)) if (!name.startsWith('.')) found.set(name, scandir);
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1));
}

function namesIn(scandir: string): string[] {
  try {
    return readdirSync(scandir);
  } catch (error) {
    throw new UserError(`cannot read the services directory ${scandir}: ${causeOf(error)}`, {
      hint: 'name one with --services DIR or SUPERVISE_SCANDIR',
      cause: error,
    });
  }
}

export interface TemplateContext extends Omit<SettingsContext, 'file'> {
  language: Language;
  /** Turns a file in another language into a template, which has its own partials and no settings. */
  translate?: ((file: string, source: string) => Promise<Translated>) | undefined;
}

export interface Translated {
  text: string;
  partials: ReadonlyMap<string, string>;
}

/** Reads one template file. Never throws: what is wrong with it is its `problem`. */
export async function readTemplate(
  service: string,
  file: string,
  { language, translate, ...context }: TemplateContext,
): Promise<Template> {
  let source: string;
  try {
    source = readText(file);
  } catch (error) {
    const problem = new UserError(`cannot read ${file}: ${causeOf(error)}`);
    return broken(service, context.serviceDir, file, describe(problem));
  }
  const template: Template = { ...broken(service, context.serviceDir, file, ''), source, problem: undefined };
  try {
    template.settings = parseSettings(translate ? '' : source, { ...context, file });
  } catch (error) {
    return { ...template, problem: describe(error) };
  }
  try {
    const { text, partials } = translate
      ? await translate(file, source)
      : { text: source, partials: readPartials(join(dirname(file), PARTIALS)) };
    const compiled = compileTemplate(text, { language, partials, directory: context.serviceDir });
    await compiled.load();
    template.compiled = compiled;
  } catch (error) {
    const hint = error instanceof UserError ? error.hint : undefined;
    const problem = new UserError(`cannot read ${file}: ${causeOf(error)}`, { hint });
    return { ...template, problem: describe(problem) };
  }
  return template;
}

/** Texts by name. One that cannot be read harms the templates that include it. */
function readPartials(directory: string): Map<string, string | Error> {
  const partials = new Map<string, string | Error>();
  let files: string[] = [];
  try {
    files = readdirSync(directory).filter(isTemplate);
  } catch (error) {
    if (errno(error) !== 'ENOENT' && errno(error) !== 'ENOTDIR') throw error;
  }
  for (const file of files) {
    let text: string | Error;
    try {
      text = readText(join(directory, file));
    } catch (error) {
      text = new Error(causeOf(error));
    }
    partials.set(basename(file, '.hbs'), text);
  }
  return partials;
}

/** @throws Error where it cannot be read, or is not text */
function readText(file: string): string {
  const bytes = readPlainFile(file);
  try {
    return UTF8.decode(bytes);
  } catch (error) {
    throw new Error('it is not text (invalid UTF-8)', { cause: error });
  }
}

function broken(service: string, directory: string, file: string, problem: string): Template {
  return {
    id: file,
    service,
    directory,
    file,
    source: undefined,
    settings: undefined,
    compiled: undefined,
    problem,
  };
}

/** Two templates that write one file would undo each other for ever; the first keeps it. */
export function refuseSharedDest(template: Template, owners: Map<string, string>): Template {
  const dest = template.settings?.dest;
  if (dest === undefined) return template;
  const path = whereItLeads(dest);
  const owner = owners.get(path);
  if (owner === undefined) owners.set(path, template.file);
  if (owner === undefined || template.problem !== undefined) return template;
  return {
    ...template,
    compiled: undefined,
    problem: `cannot use ${template.file}: ${owner} already writes ${dest}`,
  };
}

function whereItLeads(dest: string): string {
  try {
    return followLinks(dest);
  } catch {
    // The write says why.
    return dest;
  }
}
