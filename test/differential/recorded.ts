/** What s6 2.11.3 made of the fixed trees. `npm run differential -- --record && npm run format` makes it anew. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Trace } from './play.ts';

export const RECORDED = join(import.meta.dirname, 'recorded.json');

export function recorded(): Record<string, Trace> {
  return JSON.parse(readFileSync(RECORDED, 'utf8')) as Record<string, Trace>;
}

/** What does not depend on the machine and on who runs it. */
const LASTING = ['argv', 'cwd', 'descriptors', 'umask', 'session', 'group', 'terminal', 'blocked signals'];

export function lasting(trace: Trace): Trace {
  return {
    ...trace,
    services: trace.services.map((service) => ({
      ...service,
      facts: Object.fromEntries(Object.entries(service.facts).filter(([name]) => LASTING.includes(name))),
    })),
  };
}
