import { causeOf, EXIT, errno, UserError } from '../errors.ts';

const HINTS: Record<string, string> = {
  ENOSPC: 'make room, or name another place with PACKAGE_DIR',
  EDQUOT: 'make room, or name another place with PACKAGE_DIR',
  EROFS: 'mount a volume or a tmpfs there, or name another place with PACKAGE_DIR',
  EACCES: 'let the user that supervise runs as write there, or name another place with PACKAGE_DIR',
  EPERM: 'let the user that supervise runs as write there, or name another place with PACKAGE_DIR',
};

/** What the disk refused, as it is shown. */
export function diskError(path: string, error: unknown): Error {
  const code = errno(error);
  if (error instanceof UserError || code === undefined) return error as Error;
  return new UserError(`cannot write ${path}: ${causeOf(error)}`, {
    hint: HINTS[code],
    exitCode: EXIT.system,
    cause: error,
  });
}
