import type { Ms } from '../core/duration.ts';

/**
 * Waits for some work, but no longer than this after the signal: undefined then. Each wait has its own end and takes it away
 * again: a race against one promise that outlives them all would keep something of every one.
 */
export async function untilStopped<T>(
  work: Promise<T>,
  signal: AbortSignal,
  grace: Ms = 0,
): Promise<T | undefined> {
  const over = Promise.withResolvers<undefined>();
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    timer = setTimeout(over.resolve, grace, undefined);
  };
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([work, over.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
