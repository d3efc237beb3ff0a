import type { UserError } from '../../errors.ts';
import type { Source } from './source.ts';

/**
 * Stands in where no source is named: templates that ask for no values (only `env`, say) need none.
 * @param asked told once, when one does ask; returns whether there is a point in going on
 */
export function createNoSource(error: UserError, asked: (error: UserError) => boolean): Source {
  let goesOn: boolean | undefined;
  let stopped = false;
  return {
    name: 'none',
    subscribe(_query, sink) {
      queueMicrotask(() => {
        if (stopped) return;
        goesOn ??= asked(error);
        if (goesOn) sink.problem(error.message);
      });
      return () => {};
    },
    async stop() {
      stopped = true;
    },
  };
}
