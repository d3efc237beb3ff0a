import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { signalName } from '../core/signals.ts';
import { EXIT } from '../errors.ts';
import { createLog } from '../log.ts';
import type { Native } from '../os/native.ts';
import { onSignals } from '../os/signals.ts';
import { descriptor, lineSink } from '../os/stderr.ts';
import { install as installPackage } from '../package/install.ts';
import { HELP, parseOptions } from '../package/options.ts';

const STOPS: readonly number[] = [
  constants.signals.SIGTERM,
  constants.signals.SIGINT,
  constants.signals.SIGHUP,
];

/**
 * `supervise install`: a package into its directory. SIGTERM and SIGINT end it, with nothing half-installed.
 * @returns the exit code
 * @throws UserError for all that went wrong
 */
export async function install(
  argv: readonly string[],
  print: (text: string) => void,
  native: Native | undefined,
): Promise<number> {
  const options = parseOptions(argv, process.env, isatty(2));
  if (options.help) {
    print(HELP);
    return EXIT.yes;
  }
  const sink = lineSink(descriptor(2, native && ((fd) => native.writable(fd) !== 0)));
  const log = createLog({ format: options.logFormat, level: options.logLevel, write: sink.write });
  const stop = new AbortController();
  let ended = 0;
  onSignals((signal) => {
    if (!STOPS.includes(signal)) return;
    ended ||= signal;
    stop.abort();
  });
  try {
    await log.ready();
    await installPackage(options, log, stop.signal);
    return EXIT.yes;
  } catch (error) {
    if (ended === 0) throw error;
    log.warn('stopped the installation', { signal: signalName(ended) });
    return 128 + ended;
  } finally {
    sink.flush();
  }
}
