/** What is done to a running service when files of its config have new content. */
import { parseSignal } from './signals.ts';

/** `signal HUP` and `run nginx -s reload` carry what they send or run. */
export type Action = 'restart' | 'reload' | 'none' | `signal ${string}` | `run ${string}`;

/** Strongest first. */
const STRENGTH = ['restart', 'reload', 'signal', 'run', 'none'] as const;
type Kind = (typeof STRENGTH)[number];

/** Reads an action as templates name it; undefined for what is none. */
export function parseAction(text: string): Action | undefined {
  const [, kind = '', what = ''] = /^(\S+)(?:\s+(.*\S))?/s.exec(text) ?? [];
  if (kind === 'signal' && parseSignal(what) !== undefined) return `signal ${what}`;
  if (kind === 'run' && what !== '' && !what.includes('\0')) return `run ${what}`;
  const bare = what === '' && (kind === 'restart' || kind === 'reload' || kind === 'none');
  return bare ? kind : undefined;
}

/** The strongest of several actions, each once. */
export function strongest(actions: readonly Action[]): readonly Action[] {
  const kind = STRENGTH.find((each) => actions.some((action) => kindOf(action) === each));
  return [...new Set(actions.filter((action) => kindOf(action) === kind))];
}

/** The word that an action begins with. */
export function kindOf(action: Action): Kind {
  return action.split(' ')[0] as Kind;
}
