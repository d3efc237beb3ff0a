/** The smallest tree that still shows something. */
import type { ServicePlan, TreePlan } from './plan.ts';

const ROUNDS = 12;

/**
 * Leaves out one thing after the other for as long as it is still shown.
 * @param width how many are tried at once
 */
export async function smaller(
  plan: TreePlan,
  width: number,
  shows: (plan: TreePlan) => Promise<boolean>,
): Promise<{ plan: TreePlan; tried: number }> {
  let [least, tried] = [plan, 0];
  for (let round = 0; round < ROUNDS; round++) {
    const candidates = without(least).slice(0, Math.max(width, 30));
    const answers = await Promise.all(candidates.map(shows));
    tried += candidates.length;
    const found = candidates[answers.indexOf(true)];
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
