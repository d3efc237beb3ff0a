import { didYouMean, UserError } from '../errors.ts';
import type { Ms } from './duration.ts';

/** Who waits for whom: each name with the names that must be ready before it starts. */
export type Dependencies = ReadonlyMap<string, readonly string[]>;

/** What keeps services from being ordered. */
export interface OrderProblem {
  message: string;
  hint: string;
  /** Whose dependency it is, and on whom. */
  name: string;
  other: string;
}

/**
 * Refuses what cannot be ordered, by name.
 * @throws UserError for a cycle, or for a dependency that is no service
 */
export function checkOrder(dependencies: Dependencies): void {
  const [first] = orderProblems(dependencies);
  if (first) throw new UserError(first.message, { hint: first.hint });
}

/** Everything that cannot be ordered: dependencies that are no service, and a cycle for each way back. */
export function orderProblems(dependencies: Dependencies): OrderProblem[] {
  const problems: OrderProblem[] = [];
  for (const [name, needed] of dependencies)
    for (const other of needed) {
      if (dependencies.has(other)) continue;
      const near = didYouMean(other, dependencies.keys());
      problems.push({
        message: `cannot order services: "${name}" depends on "${other}", which is no service`,
        hint: near ? `did you mean "${near}"?` : `add the service, or remove ${name}/dependencies.d/${other}`,
        name,
        other,
      });
    }
  walk(dependencies, {
    met([name = '', other = name, ...more]) {
      problems.push({
        message: `cannot order services: ${[name, other, ...more].join(' → ')}`,
        hint: 'remove one of these from its dependencies.d',
        name,
        other,
      });
    },
  });
  return problems;
}

/** The mirror: each name with those that wait for it, which therefore stop before it. */
export function dependentsOf(dependencies: Dependencies): Map<string, string[]> {
  const dependents = new Map<string, string[]>([...dependencies.keys()].map((name) => [name, []]));
  for (const [name, needed] of dependencies) for (const other of needed) dependents.get(other)?.push(name);
  return dependents;
}

/** A service's place in the longest way down: what its own stop may take, and the next one below. */
export interface Descent {
  name: string;
  own: Ms;
  /** From here to the bottom, this one included. */
  sum: Ms;
  below: Descent | undefined;
}

/**
 * The longest way down from each service through its dependencies, measured in the time that each stop may take.
 * The names must be free of cycles.
 */
export function longestDescents(
  dependencies: Dependencies,
  stopTime: (name: string) => Ms,
): Map<string, Descent> {
  const longest = new Map<string, Descent>();
  for (const name of leavesFirst(dependencies)) {
    let below: Descent | undefined;
    for (const other of dependencies.get(name) ?? []) {
      const candidate = longest.get(other);
      if (candidate && candidate.sum > (below?.sum ?? -1)) below = candidate;
    }
    const own = stopTime(name);
    longest.set(name, { name, own, sum: own + (below?.sum ?? 0), below });
  }
  return longest;
}

/** Every name, each after all that it depends on. */
function leavesFirst(dependencies: Dependencies): string[] {
  const order: string[] = [];
  walk(dependencies, { left: (name) => order.push(name) });
  return order;
}

/** Depth first, without recursion, so that a chain of thousands costs no stack. */
function walk(
  dependencies: Dependencies,
  visit: { left?: (name: string) => void; met?: (cycle: readonly string[]) => void },
): void {
  const done = new Set<string>();
  for (const [root, needed] of dependencies) {
    if (done.has(root)) continue;
    const path = [{ name: root, todo: [...needed] }];
    const onPath = new Set([root]);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const other = top.todo.shift();
      if (other === undefined) {
        path.pop();
        onPath.delete(top.name);
        done.add(top.name);
        visit.left?.(top.name);
      } else if (onPath.has(other)) {
        const names = path.map((step) => step.name);
        visit.met?.([...names.slice(names.indexOf(other)), other]);
      } else if (!done.has(other)) {
        path.push({ name: other, todo: [...(dependencies.get(other) ?? [])] });
        onPath.add(other);
      }
    }
  }
}
