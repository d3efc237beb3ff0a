/** One kind of work for a tree, as many operations of it as one likes. */
export interface Load {
  /** What the table calls one operation. */
  name: string;
  /**
   * Does so many operations, and returns when all are through.
   * @param took told how long what was done just now took, in ms, and of how many operations that was
   * @throws Error when one of them does not come out as it must
   */
  run(count: number, took: (ms: number, operations: number) => void): Promise<void>;
}

/** No operation takes this long, however busy the machine is. */
const LIMIT_MS = 60_000;

/** Fails instead of waiting for ever. */
export function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`never happened within ${LIMIT_MS} ms: ${what}`)), LIMIT_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
