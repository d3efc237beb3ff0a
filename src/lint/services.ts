import { MAIN_COMMAND, parseServiceDir } from '../core/servicedir.ts';
import { type Complaint, complain } from './complaint.ts';
import type { Facts } from './facts.ts';

/** What boot would refuse of each service, in its words. */
export function checkServices({ scandir, services }: Facts): Complaint[] {
  // Boot passes over a directory of this name; nobody means that.
  const passedOver = scandir.services
    .filter(({ name }) => name === MAIN_COMMAND)
    .map((raw) => parseServiceDir(raw));
  return [...services, ...passedOver].flatMap(({ config, problems }) =>
    problems.map((problem) =>
      complain('error', config.name, problem.file ?? config.path ?? scandir.path, problem),
    ),
  );
}
