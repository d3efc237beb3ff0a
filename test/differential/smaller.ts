/** The smallest tree that still shows something. */
import type { ServicePlan, TreePlan } from './plan.ts';

const ROUNDS = 20;
const MOST_AT_ONCE = 12;

/**
 * Leaves out one thing after the other for as long as it is still shown.
 */
export async function smaller(
  plan: TreePlan,
  shows: (plan: TreePlan) => Promise<boolean>,
): Promise<{ plan: TreePlan; tried: number }> {
  let [least, tried] = [plan, 0];
  for (let round = 0; round < ROUNDS; round++) {
    const candidates = without(least);
    let found: TreePlan | undefined;
    // More at once would make each other late.
    for (let from = 0; from < candidates.length && !found; from += MOST_AT_ONCE) {
      const some = candidates.slice(from, from + MOST_AT_ONCE);
      const answers = await Promise.all(some.map(shows));
      tried += some.length;
      found = some[answers.indexOf(true)];
    }
    if (!found) break;
    least = found;
  }
  return { plan: least, tried };
}

/** The greatest steps first. */
function without(plan: TreePlan): TreePlan[] {
  const { services, hooks, signals } = plan;
  const one = services.length > 1 ? services.map((service) => ({ ...plan, services: [service] })) : [];
  return [
    ...one,
    ...(Object.keys(hooks).length > 0 ? [{ ...plan, hooks: {} }] : []),
    ...(signals.length > 0 ? [{ ...plan, signals: [] }] : []),
    ...services.flatMap((service, i) =>
      lesser(service).map((each) => ({ ...plan, services: services.with(i, each) })),
    ),
    ...Object.keys(hooks).map((name) => ({ ...plan, hooks: omit(hooks, name) })),
    ...signals.map((_, i) => ({ ...plan, signals: signals.toSpliced(i, 1) })),
    ...(plan.inherits ? [{ ...plan, inherits: false }] : []),
  ];
}

function lesser(service: ServicePlan): ServicePlan[] {
  const { steps, answers, settings, first, finish } = service;
  const half = Math.ceil(steps.length / 2);
  const found: ServicePlan[] = [];
  if (steps.length > 1)
    found.push({ ...service, steps: steps.slice(0, half) }, { ...service, steps: steps.slice(half) });
  for (const i of steps.keys()) found.push({ ...service, steps: steps.toSpliced(i, 1) });
  if (finish) found.push({ ...service, finish: undefined });
  if (finish && finish.does.length > 0)
    found.push({ ...service, finish: { ...finish, does: finish.does.slice(0, -1) } });
  if (service.logger) found.push({ ...service, logger: undefined });
  for (const name of Object.keys(answers)) found.push({ ...service, answers: omit(answers, name) });
  for (const name of Object.keys(settings)) found.push({ ...service, settings: omit(settings, name) });
  for (const i of first.keys()) found.push({ ...service, first: first.toSpliced(i, 1) });
  if (service.form !== 'directory') found.push({ ...service, form: 'directory' });
  return found;
}

function omit<T>(record: Record<string, T>, name: string): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => key !== name));
}
