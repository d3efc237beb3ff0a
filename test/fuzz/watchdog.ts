import { Worker } from 'node:worker_threads';

/** A case that takes this long has no end. */
const LIMIT_MS = 20_000;

export interface Watchdog {
  /** Something begins. */
  feed(what: string): void;
  /** Nothing is expected for now. */
  rest(): void;
  close(): Promise<unknown>;
}

/** Ends this process, with a word, when something in it never ends: a loop cannot be left any other way. */
export function startWatchdog(): Watchdog {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     let timer;
     parentPort.on('message', (what) => {
       clearTimeout(timer);
       if (what === undefined) return;
       timer = setTimeout(() => {
         require('node:fs').writeSync(2, 'it never ended: ' + what + '\\n');
         process.kill(process.pid, 'SIGKILL');
       }, ${LIMIT_MS});
     });`,
    { eval: true },
  );
  worker.unref();
  return {
    feed: (what) => worker.postMessage(what),
    rest: () => worker.postMessage(undefined),
    close: () => worker.terminate(),
  };
}
