import { relative } from 'node:path';
import type { Invocation } from '../cli.ts';
import { printable, printableLines } from '../core/printable.ts';
import { EXIT } from '../errors.ts';
import type { Complaint } from '../lint/complaint.ts';
import { type Findings, lint } from '../lint/lint.ts';
import { findScandir } from './scandir.ts';

/** The version of what `--json` prints; it changes when a field goes or means something else. */
const JSON_VERSION = 1;
const SEVERITIES = ['error', 'warning', 'note'] as const;

/**
 * `supervise lint [scandir]`: prints every complaint.
 * @returns 1 where there are errors or warnings; notes alone are 0
 * @throws UserError where the scandir cannot be read
 */
export async function lintVerb(
  { words, options }: Invocation,
  print: (text: string) => void,
): Promise<number> {
  const findings = await lint(findScandir(words[0]), {
    env: process.env,
    stopTimeout: options.stopTimeout,
    source: options.source,
    helpers: options.helpers,
    uid: process.geteuid?.() ?? 0,
    disabled: new Set(options.disable),
    enabled: new Set(options.enable),
  });
  print(options.json ? json(findings) : text(findings));
  return findings.complaints.every(({ severity }) => severity === 'note') ? EXIT.yes : EXIT.no;
}

function json({ scandir, services, complaints }: Findings): string {
  const [errors, warnings, notes] = count(complaints);
  const found = { v: JSON_VERSION, scandir, services, errors, warnings, notes, complaints };
  return `${printableLines(JSON.stringify(found, null, 2))}\n`;
}

function text({ services, complaints }: Findings): string {
  const found = several(services, 'service');
  if (complaints.length === 0) return `ok: ${found}\n`;
  const sums = count(complaints).flatMap((n, at) => (n > 0 ? [several(n, SEVERITIES[at] ?? '')] : []));
  return `${complaints.map(lines).join('')}${new Intl.ListFormat('en').format(sums)} in ${found}\n`;
}

/** As compilers do it, so that editors find the file. */
function lines({ severity, file, problem, fix }: Complaint): string {
  const near = relative(process.cwd(), file);
  const shown = near !== '' && !near.startsWith('..') ? near : file;
  const hint = fix === null ? '' : `  hint: ${printable(fix)}\n`;
  return `${printable(shown)}: ${severity}: ${printable(problem)}\n${hint}`;
}

/** How many of each severity, in their order. */
function count(complaints: readonly Complaint[]): number[] {
  return SEVERITIES.map((each) => complaints.filter(({ severity }) => severity === each).length);
}

function several(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
