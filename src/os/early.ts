/**
 * The kernel drops a signal that PID 1 does not listen to, and a stop must not be lost because it came while the rest of
 * this program was being loaded. So main.ts imports this first, and whoever runs the tree takes over what came.
 */
const STOPS = ['SIGTERM', 'SIGINT'] as const;

const came: NodeJS.Signals[] = [];
const note = (name: NodeJS.Signals): void => void came.push(name);

// Nobody's signal opens Node's debugger, which any user of the machine could connect to: not in a templater or a client either.
process.on('SIGUSR1', () => {});
if (process.pid === 1) for (const name of STOPS) process.on(name, note);

/** The stops that came so far, in order. From here on they are the caller's to listen to. */
export function takeEarlySignals(): readonly NodeJS.Signals[] {
  for (const name of STOPS) process.off(name, note);
  return came.splice(0);
}
