import type { Invocation } from '../cli.ts';
import { ask } from '../control/client.ts';
import type { EventRecord } from '../control/protocol.ts';
import { printable } from '../core/printable.ts';
import { EXIT } from '../errors.ts';
import { textLine } from '../log.ts';
import type { Print } from './control.ts';

/** `supervise events`: what happened, newest last; with `--follow` on, until the tree ends. Returns the exit code. */
export async function events({ words, options }: Invocation, print: Print): Promise<number> {
  const tell = (data: unknown): boolean => {
    const records = data as readonly EventRecord[] | null;
    return print((records ?? []).map(options.json ? jsonLine : eventText).join(''));
  };
  tell(await ask({ do: 'events', services: words, follow: options.follow }, options.socket, tell));
  return EXIT.yes;
}

function jsonLine(record: EventRecord): string {
  return `${printable(JSON.stringify(record))}\n`;
}

/** As the log has it on a terminal. */
function eventText({ level, time, service, event, fields }: EventRecord): string {
  return textLine(level, Date.parse(time), event, { ...(service === null ? {} : { service }), ...fields });
}
