import type { Log } from '../../src/log.ts';

const nothing = (): void => {};

/** A log that nobody reads. */
export const SILENT: Log = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => SILENT,
};
