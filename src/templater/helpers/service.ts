import { type Helper, leastEntries } from './helper.ts';
import { listOf } from './list.ts';
import { SERVICE_OPTIONS, serviceQuery } from './subject.ts';

/** The healthy instances of a service, by node and ID. */
const service: Helper = {
  usage: 'service "web" tag="v1" min=1',
  values: [1, 1],
  options: ['min', 'required', ...SERVICE_OPTIONS],
  run: (pass, [name], options) =>
    listOf(pass, serviceQuery(name, options), leastEntries(options), () => true),
};

export const SERVICE = { service };
