/**
 * Loaded into PID 1 and the templater ahead of themselves: the time of day jumps by what the file `CHAOS_CLOCK` says, in ms. The
 * machine's own clock is everybody's, and no namespace holds it; what Node asks it for is `Date`.
 */
const { readFileSync } = require('node:fs');

const LOOK_MS = 50;
const Real = Date;
let offset = 0;
let looked = Number.NEGATIVE_INFINITY;

function shifted() {
  const now = performance.now();
  if (now - looked > LOOK_MS) {
    looked = now;
    try {
      offset = Number(readFileSync(process.env.CHAOS_CLOCK, 'utf8')) || 0;
    } catch {
      // No descriptor to be had; the offset stays.
    }
  }
  return Real.now() + offset;
}

globalThis.Date = class extends Real {
  constructor(...args) {
    if (args.length === 0) super(shifted());
    else super(...args);
  }

  static now() {
    return shifted();
  }
};
