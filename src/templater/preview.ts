import { lstatSync, type Stats, statSync } from 'node:fs';
import { printable } from '../core/printable.ts';
import { describe } from '../errors.ts';
import { digestOf, ifThere, readPlainFile } from './disk.ts';
import { fail, type Job, mend } from './job.ts';
import { lookUpOwner } from './owner.ts';
import { followLinks } from './place.ts';
import type { Settings } from './settings.ts';
import type { Preview } from './templater.ts';
import { unifiedDiff } from './unified-diff.ts';

/** `--dry`: prints each file, and again when it has changed, under a line `> destination`. */
export function printContents(print: (text: string) => void): Preview {
  return async (rendered, log) => {
    for (const [job, bytes] of rendered) {
      const digest = digestOf(bytes);
      if (job.placed?.digest !== digest) {
        const text = Buffer.from(bytes).toString('utf8');
        print(
          `> ${printable(String(job.template.settings?.dest))}\n${text}${text === '' || text.endsWith('\n') ? '' : '\n'}`,
        );
      }
      settle(job, digest);
      mend(job, log);
    }
  };
}

/**
 * `--diff`: prints what would change in the files on disk, content, mode and owner.
 * @param colour whether a terminal shows it
 * @param differs told for each file that would change
 */
export function printDifferences(
  print: (text: string) => void,
  colour: boolean,
  differs: () => void,
): Preview {
  return async (rendered, log) => {
    for (const [job, bytes] of rendered) {
      const { settings, file } = job.template;
      if (!settings) continue;
      try {
        const lines = differences(settings, file, Buffer.from(bytes));
        if (lines.length > 0) {
          differs();
          const shown = lines.map((line) => line.split('\t').map(printable).join('\t'));
          print(`${shown.map((line) => (colour ? paint(line) : line)).join('\n')}\n`);
        }
        settle(job, digestOf(bytes));
        mend(job, log);
      } catch (error) {
        job.failedWrites++;
        fail(job, log, 'could not compare', describe(error));
      }
    }
  };
}

/** `--explain`: nothing at all. */
export const showNothing: Preview = async (rendered, log) => {
  for (const [job, bytes] of rendered) {
    settle(job, digestOf(bytes));
    mend(job, log);
  }
};

function settle(job: Job, digest: string): void {
  const { settings } = job.template;
  if (settings) job.placed = { dest: settings.dest, digest, onChange: settings.onChange };
}

function differences(settings: Settings, template: string, after: Buffer): string[] {
  const { dest } = settings;
  const path = followLinks(dest);
  const old = ifThere(() => lstatSync(path));
  const before = old ? readPlainFile(path) : Buffer.alloc(0);
  const changes = old ? changedDress(settings, statSync(path)) : [];
  const header = [`--- ${old ? dest : '/dev/null'}`, `+++ ${dest}\t${template}`];
  if (before.equals(after)) {
    const isNew = !old && after.length === 0;
    return changes.length > 0 || isNew ? [...header, ...changes] : [];
  }
  const [from, to] = [asText(before), asText(after)];
  const hunks = from === undefined || to === undefined ? ['Binary files differ'] : unifiedDiff(from, to);
  return [...header, ...changes, ...hunks];
}

/** Mode and owner are repaired too, where the template names them. */
function changedDress({ mode, owner }: Settings, old: Stats): string[] {
  const octal = (bits: number): string => (bits & 0o7777).toString(8).padStart(4, '0');
  const ids = owner && lookUpOwner(owner);
  const [uid, gid] = [ids?.uid ?? old.uid, ids?.gid ?? old.gid];
  return [
    ...(mode === undefined || (old.mode & 0o7777) === mode
      ? []
      : [`old mode ${octal(old.mode)}`, `new mode ${octal(mode)}`]),
    ...(uid === old.uid && gid === old.gid
      ? []
      : [`old owner ${old.uid}:${old.gid}`, `new owner ${uid}:${gid}`]),
  ];
}

function asText(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8');
  return bytes.includes(0) || text.includes('\uFFFD') ? undefined : text;
}

/** As git does it. */
function paint(line: string): string {
  const code = /^(---|\+\+\+|(old|new) (mode|owner))/.test(line)
    ? 1
    : { '@': 36, '-': 31, '+': 32 }[line.charAt(0)];
  return code === undefined ? line : `\x1b[${code}m${line}\x1b[m`;
}
