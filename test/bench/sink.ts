/**
 * Reads its stdin away, and writes a line to descriptor 3 when a line has come through that holds the last argument: whoever
 * reads much says when all of it was there, to the millisecond.
 */
import { readSync, writeSync } from 'node:fs';

const last = Buffer.from(process.argv.at(-1) ?? '');
/** The longest that is put around a line. */
const AROUND = 512;
const buffer = Buffer.allocUnsafe(1 << 20);
let kept = Buffer.alloc(0);

for (;;) {
  const length = readSync(0, buffer);
  if (length === 0) break;
  // Its line may come in two parts.
  const tail = Buffer.concat([kept, buffer.subarray(Math.max(0, length - AROUND), length)]);
  if (tail.includes(last)) {
    writeSync(3, 'end\n');
    break;
  }
  kept = Buffer.from(tail.subarray(-last.length));
}
