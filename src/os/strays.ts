import { readdirSync, readFileSync } from 'node:fs';

/**
 * All living processes that descend from one, by /proc; itself not among them. A zombie is dead and does not count.
 * What forks while we look can be missed: whoever ends them looks again until there are none.
 */
export function descendantsOf(root: number): number[] {
  const children = new Map<number, number[]>();
  const zombies = new Set<number>();
  for (const name of listProc()) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = statOf(pid);
    if (!stat) continue;
    if (stat.state === 'Z' || stat.state === 'X') zombies.add(pid);
    const siblings = children.get(stat.ppid);
    if (siblings) siblings.push(pid);
    else children.set(stat.ppid, [pid]);
  }
  const found: number[] = [];
  const todo = [...(children.get(root) ?? [])];
  for (let pid = todo.pop(); pid !== undefined; pid = todo.pop()) {
    if (!zombies.has(pid)) found.push(pid);
    todo.push(...(children.get(pid) ?? []));
  }
  return found;
}

function listProc(): string[] {
  try {
    return readdirSync('/proc');
  } catch {
    return []; // No /proc, no strays to be seen; PID 1's exit ends them all the same.
  }
}

/** State and parent from /proc/PID/stat; the name before them is in parentheses and may hold anything (proc(5)). */
function statOf(pid: number): { state: string; ppid: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state = '', ppid] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state, ppid: Number(ppid) };
  } catch {
    return undefined;
  }
}
