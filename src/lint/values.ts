import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { causeOf, describe } from '../errors.ts';
import { readPlainFile } from '../templater/disk.ts';
import { chooseSource, EMBEDDED } from '../templater/source/choose.ts';
import { readFileData } from '../templater/source/file-data.ts';
import { parseFileText } from '../templater/source/file-text.ts';
import { type Complaint, complain, undescribe } from './complaint.ts';
import type { Facts } from './facts.ts';

/** Where the templates' values come from: files that do not parse, and settings that name no source. */
export async function checkValues({ scandir, directories, env, source }: Facts): Promise<Complaint[]> {
  const beside = EMBEDDED.map((name) => join(scandir.path, name)).filter((path) => existsSync(path));
  const [first, ...others] = beside;
  const complaints = others.map((path) =>
    complain('warning', null, path, {
      message: `cannot use ${path}: ${first} is read instead`,
      hint: 'keep one of them',
    }),
  );
  const files = new Set(beside);
  const wanted = directories.find(({ raw }) => raw.templates.length > 0);
  if (wanted)
    try {
      const choice = chooseSource({ source, consulAddr: undefined, env, scandirs: [scandir.path] });
      if (choice.kind === 'file') files.add(choice.path);
      if (choice.kind === 'consul') {
        const { readConsulConfig } = await import('../templater/source/consul-config.ts');
        readConsulConfig(env, choice.address);
      }
    } catch (error) {
      complaints.push(complain('error', null, scandir.path, undescribe(describe(error))));
    }
  for (const file of files) {
    const cause = await refusal(file);
    if (cause !== undefined)
      complaints.push(complain('error', null, file, { message: `cannot read ${file}: ${cause}` }));
  }
  return complaints;
}

async function refusal(file: string): Promise<string | undefined> {
  try {
    readFileData(await parseFileText(file, readPlainFile(file).toString('utf8')));
    return undefined;
  } catch (error) {
    return causeOf(error);
  }
}
