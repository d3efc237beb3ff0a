import type { Complaint } from './complaint.ts';
import { checkEntries } from './entries.ts';
import { type Circumstances, type Facts, gather } from './facts.ts';
import { checkHooks } from './hooks.ts';
import { checkOrdering } from './order.ts';
import { checkPermissions } from './permissions.ts';
import { checkPrograms } from './programs.ts';
import { checkServices } from './services.ts';
import { checkSettings } from './settings.ts';
import { checkTemplates } from './templates.ts';
import { checkValues } from './values.ts';

/** All that lint found. */
export interface Findings {
  /** Absolute path of the scandir. */
  scandir: string;
  /** How many services it has, the built-in templater not counted. */
  services: number;
  complaints: Complaint[];
}

const CHECKS: readonly ((facts: Facts) => Complaint[] | Promise<Complaint[]>)[] = [
  checkServices,
  checkPrograms,
  checkSettings,
  checkEntries,
  checkHooks,
  checkOrdering,
  checkTemplates,
  checkValues,
  checkPermissions,
];

/**
 * Reads a scandir as the tree and its templater would, and complains about everything at once. Starts nothing, writes
 * nothing.
 * @param path absolute
 * @throws UserError where the scandir cannot be read
 */
export async function lint(path: string, circumstances: Circumstances): Promise<Findings> {
  const facts = gather(path, circumstances);
  const complaints: Complaint[] = [];
  for (const check of CHECKS) complaints.push(...(await check(facts)));
  return { scandir: path, services: facts.directories.length, complaints: inOrder(complaints) };
}

/** By file, as they are mended; for one file as they were found, each said once. */
function inOrder(complaints: readonly Complaint[]): Complaint[] {
  const said = new Map(complaints.map((each) => [`${each.file}\0${each.problem}`, each]));
  return [...said.values()].sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
}
