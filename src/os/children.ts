/** Takes the end of a process. `code` is meaningless when `signal` is not 0. */
export type Ended = (code: number, signal: number) => void;

const children = new Map<number, Ended>();

/** Whether a process is a child that we started and that nobody has waited for yet. */
export function isChild(pid: number): boolean {
  return children.has(pid);
}

/** A process was started; its end will be told by `tellEnd`. */
export function awaitEnd(pid: number, ended: Ended): void {
  children.set(pid, ended);
}

/** A child was waited for: from here on its pid may be anybody's. Undefined for an orphan, which nobody started. */
export function takeEnd(pid: number): Ended | undefined {
  const ended = children.get(pid);
  children.delete(pid);
  return ended;
}
