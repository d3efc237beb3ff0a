/** Processes that are started within one turn of the loop. */
const MOST = 16;

let room = MOST;
let armed = false;
const waiting: (() => void)[] = [];

/**
 * Does what starts a process: at once, or in a later turn when this one has started enough, in order.
 *
 * To start one takes milliseconds, in which others end; and who is started again when it ends would never let the loop out
 * of its round of those that ended. It would hear of no timer and no socket, and of no signal once the pipe in which libuv
 * keeps signals is full: not even of the one that tells us to stop.
 */
export function inTurn(start: () => void): void {
  arm();
  if (room === 0 || waiting.length > 0) waiting.push(start);
  else {
    room--;
    start();
  }
}

function arm(): void {
  if (!armed) setImmediate(turn);
  armed = true;
}

function turn(): void {
  armed = false;
  room = MOST;
  // Ahead of those that start: a mistake in one must not keep the others.
  if (waiting.length > 0) arm();
  for (; room > 0; room--) {
    const start = waiting.shift();
    if (!start) return;
    start();
  }
}
