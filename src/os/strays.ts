import { readdirSync } from 'node:fs';
import { statFields } from './proc.ts';

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
    const fields = statFields(pid);
    if (!fields) continue;
    const [state, ppid] = [fields[0], Number(fields[1])];
    if (state === 'Z' || state === 'X') zombies.add(pid);
    const siblings = children.get(ppid);
    if (siblings) siblings.push(pid);
    else children.set(ppid, [pid]);
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
