import { formatDuration } from '../core/duration.ts';
import { type Descent, longestDescents, orderProblems } from '../core/order.ts';
import type { ServiceConfig } from '../core/servicedir.ts';
import { capOf, reserve, stopTime } from '../core/stop-budget.ts';
import { findHook } from '../os/scandir.ts';
import { type Complaint, complain } from './complaint.ts';
import type { Facts } from './facts.ts';

/** Who waits for whom: what cannot be ordered, who waits for ever, and who cannot be given the time to stop. */
export function checkOrdering(facts: Facts): Complaint[] {
  const { scandir, services } = facts;
  const dependencies = new Map(services.map(({ config }) => [config.name, config.dependencies]));
  const file = (name: string, other: string): string => `${scandir.path}/${name}/dependencies.d/${other}`;
  const refused = orderProblems(dependencies).map((problem) =>
    complain('error', problem.name, file(problem.name, problem.other), problem),
  );
  const configs = new Map(services.map(({ config }) => [config.name, config]));
  const stranded = services.flatMap(({ config: { name, down, dependencies: needed } }) =>
    needed.flatMap((other) => {
      // For one that is disabled nobody waits.
      if (down || !configs.get(other)?.down || facts.disabled.has(other)) return [];
      return complain('warning', name, file(name, other), {
        message: `cannot start "${name}" at boot: it waits for "${other}", which has a file "down"`,
        hint: `rm ${scandir.path}/${other}/down, or: supervise up ${other}`,
      });
    }),
  );
  const hasCycle = refused.length > 0;
  return [...refused, ...stranded, ...(hasCycle ? [] : impatience(facts, configs))];
}

/**
 * Who asks for more time to stop than the budget has. A time that nobody wrote is nobody's wish: the plan shortens it, and
 * so it does the time of those that have no limit.
 */
function impatience(
  { scandir, directories, stopTimeout }: Facts,
  configs: ReadonlyMap<string, ServiceConfig>,
): Complaint[] {
  const dependencies = new Map([...configs].map(([name, config]) => [name, config.dependencies]));
  const descents = longestDescents(dependencies, (name) => {
    const config = configs.get(name);
    // What is done has no process to be stopped.
    return config?.type === 'longrun' ? stopTime(config, stopTimeout) : 0;
  });
  const hasHook = findHook(scandir.path, scandir.hooks, 'finish') !== undefined;
  const left = stopTimeout - reserve(stopTimeout, hasHook);
  const wishes = new Map(
    directories.flatMap(({ raw, config }) =>
      raw.texts.has('timeout-kill') && config.timeoutKill !== undefined
        ? [[config.name, { ...config, file: `${raw.path}/timeout-kill`, wish: config.timeoutKill }] as const]
        : [],
    ),
  );
  const complaints = new Map<string, Complaint>();
  for (const [, descent] of [...descents].sort(([, a], [, b]) => b.sum - a.sum)) {
    if (descent.sum <= left) break;
    const chain = chainOf(descent);
    const cap = capOf(descent, left);
    for (const { name, own } of chain) {
      const asked = wishes.get(name);
      if (!asked || own <= cap || complaints.has(name)) continue;
      const sum = chain.length === 1 ? '' : `${steps(chain)} make ${formatDuration(descent.sum)}, and `;
      complaints.set(
        name,
        complain('warning', name, asked.file, {
          message: `cannot give "${name}" the ${formatDuration(asked.wish)} of ${asked.file}: ${sum}--stop-timeout ${formatDuration(stopTimeout)} leaves ${formatDuration(left)}`,
          hint: 'lower it, or raise --stop-timeout and the grace period of the container',
        }),
      );
    }
  }
  return [...complaints.values()];
}

/** The ends of a chain that is too long for a line. */
const MOST_STEPS = 8;

function steps(chain: readonly Descent[]): string {
  const words = chain.map(({ name, own }) => `${name} ${formatDuration(own)}`);
  const more = words.length - MOST_STEPS;
  if (more > 1) words.splice(MOST_STEPS / 2, more, `${more} more`);
  return words.join(' → ');
}

function chainOf(descent: Descent): Descent[] {
  const chain: Descent[] = [];
  for (let at: Descent | undefined = descent; at; at = at.below) chain.push(at);
  return chain;
}
