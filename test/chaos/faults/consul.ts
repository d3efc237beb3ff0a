/** Consul goes wrong, and new values come. */
import { FAULTS } from '../../fault-proxy.ts';
import type { Fault } from '../world.ts';

export const CONSUL_FAULTS: readonly Fault[] = [
  {
    name: 'a new generation of values',
    weight: 6,
    act({ consul }) {
      void consul.put().catch(() => {});
      return `${consul.generation + 1}`;
    },
  },
  {
    name: 'Consul breaks',
    weight: 5,
    holds: 'consul',
    act({ consul, held }, random) {
      const [fault, ms] = [random.pick(FAULTS), random.from(50, 3000)];
      consul.fault(fault);
      held.hold('consul', ms, () => consul.fault({ type: 'none' }));
      return `${JSON.stringify(fault)} for ${ms} ms`;
    },
  },
  {
    name: 'Consul is restarted, with nothing in it',
    weight: 0.4,
    holds: 'agent',
    act({ consul, held }) {
      const done = consul.restart();
      held.hold('agent', 0x7fff_ffff, () => done);
      void done.then(() => held.release('agent'));
      return 'killed, and started again';
    },
  },
];
