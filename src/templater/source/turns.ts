import type { Ms } from '../../core/duration.ts';

/** Connections that wait for news: few, whoever wants them, first come, first served. */
export interface Turns {
  /**
   * Waits for a turn.
   * @param held how long Consul may hold the request, at most
   * @throws the signal's reason when it is aborted before
   */
  take(held: Ms, signal: AbortSignal): Promise<Turn>;
}

export interface Turn {
  /** @param cut the request was given up by us: Consul counts it on, until it would have been answered */
  end(cut: boolean): void;
}

/**
 * @param most turns at once
 * @param mostCounted the same and those that were cut and are still counted by Consul
 */
export function createTurns(most: number, mostCounted: number): Turns {
  const waiting = new Set<() => void>();
  /** When each request that was cut is forgotten. */
  let cut: Ms[] = [];
  let taken = 0;
  let timer: NodeJS.Timeout | undefined;

  const serve = (): void => {
    clearTimeout(timer);
    const now = performance.now();
    cut = cut.filter((until) => until > now);
    for (const next of waiting) {
      if (taken >= most) return;
      if (taken + cut.length >= mostCounted) {
        timer = setTimeout(serve, Math.min(...cut) - now + 1);
        return;
      }
      waiting.delete(next);
      taken++;
      next();
    }
  };

  return {
    async take(held, signal) {
      signal.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const next = (): void => {
          signal.removeEventListener('abort', leave);
          resolve();
        };
        const leave = (): void => {
          if (waiting.delete(next)) reject(signal.reason);
        };
        signal.addEventListener('abort', leave, { once: true });
        waiting.add(next);
        serve();
      });
      const until = performance.now() + held;
      let ended = false;
      return {
        end(wasCut) {
          if (ended) return;
          ended = true;
          taken--;
          if (wasCut) cut.push(until);
          serve();
        },
      };
    },
  };
}
