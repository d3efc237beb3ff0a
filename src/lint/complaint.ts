import type { Problem } from '../core/servicedir.ts';

/** What lint has to say of one file. The names are those of `lint --json`. */
export interface Complaint {
  /**
   * `error`: it is refused, or fails at run time; `warning`: it works, but not as it was meant; `note`: it means nothing here,
   * and looks like nothing that would.
   */
  severity: 'error' | 'warning' | 'note';
  /** The service whose file it is; null for what concerns the whole tree. */
  service: string | null;
  /** Absolute path of the file to mend, or of the directory in which one is missing. */
  file: string;
  /** `cannot <verb> <object>: <cause>` */
  problem: string;
  /** How to mend it. */
  fix: string | null;
}

/** A complaint about one of a service's files; `file` where the problem does not name one. */
export function complain(
  severity: Complaint['severity'],
  service: string | null,
  file: string,
  { message, hint }: Problem,
): Complaint {
  return { severity, service, file, problem: message, fix: hint ?? null };
}

/** What describe() puts between an error and its hint. */
const HINT = '\n  hint: ';

/** Takes apart what describe() put together. */
export function undescribe(text: string): Problem {
  const [message = '', ...hints] = text.split(HINT);
  return hints.length === 0 ? { message } : { message, hint: hints.join('; ') };
}
