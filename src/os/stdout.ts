import { writeSync } from 'node:fs';

/**
 * Writes to stdout: all of it, whoever reads it how slowly; process.exit would cut off what a stream still holds.
 * @returns whether somebody reads it
 */
export function print(text: string | Buffer): boolean {
  let rest = typeof text === 'string' ? Buffer.from(text) : text;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      // EAGAIN: somebody made the pipe non-blocking, and its reader is slow. Anything else: nobody reads.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return false;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
  return true;
}
