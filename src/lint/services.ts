import { MAIN_COMMAND, parseServiceDir } from '../core/servicedir.ts';
import { didYouMean } from '../errors.ts';
import { type Complaint, complain } from './complaint.ts';
import type { Facts } from './facts.ts';

/** What boot would refuse of each service, in its words, and the switches that find none. */
export function checkServices({ scandir, services, disabled, enabled }: Facts): Complaint[] {
  // Boot passes over a directory of this name; nobody means that.
  const passedOver = scandir.services
    .filter(({ name }) => name === MAIN_COMMAND)
    .map((raw) => parseServiceDir(raw));
  const names = services.map(({ config }) => config.name);
  const idle = Object.entries({ disable: disabled, enable: enabled }).flatMap(([what, switched]) =>
    [...switched]
      .filter((name) => !names.includes(name))
      .map((name) => {
        const near = didYouMean(name, names);
        const message = `cannot ${what} "${name}": no such service`;
        return complain(
          'warning',
          null,
          scandir.path,
          near ? { message, hint: `did you mean "${near}"?` } : { message },
        );
      }),
  );
  const refused = [...services, ...passedOver].flatMap(({ config, problems }) =>
    problems.map((problem) =>
      complain('error', config.name, problem.file ?? config.path ?? scandir.path, problem),
    ),
  );
  return [...idle, ...refused];
}
