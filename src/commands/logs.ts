import type { Invocation } from '../cli.ts';
import { ask } from '../control/client.ts';
import type { OutputRecord, Status } from '../control/protocol.ts';
import { printable } from '../core/printable.ts';
import { loggerOf } from '../core/servicedir.ts';
import { EXIT } from '../errors.ts';
import type { Print } from './control.ts';

const NEWLINE = 0x0a;

/** `supervise logs`: the last output of services; with `--follow` on, until the tree ends. Returns the exit code. */
export async function logs({ words, options }: Invocation, print: Print): Promise<number> {
  await tellOfLoggers(words, options.socket);
  const dress = new Set(words).size > 1 ? prefixer() : bytesOf;
  const tell = (data: unknown): boolean => {
    const records = (data ?? []) as readonly OutputRecord[];
    return options.json
      ? print(records.map((record) => `${printable(JSON.stringify(record))}\n`).join(''))
      : print(Buffer.concat(records.map(dress)));
  };
  tell(await ask({ do: 'logs', services: words, follow: options.follow }, options.socket, tell));
  return EXIT.yes;
}

/** Where there is a logger, what a service writes to stdout is in the logger's hands. */
async function tellOfLoggers(services: readonly string[], socket: string | undefined): Promise<void> {
  const status = (await ask({ do: 'status', services: [...services] }, socket)) as Status;
  for (const { name, has } of status.services)
    if (has.includes('log'))
      process.stderr.write(`supervise: ${printable(`"${name}": its stdout goes to ${loggerOf(name)}`)}\n`);
}

function bytesOf({ text, base64 }: OutputRecord): Buffer {
  return base64 === undefined ? Buffer.from(text) : Buffer.from(base64, 'base64');
}

/** Of several services, each line says whose it is; what is no whole line yet waits for its rest. */
function prefixer(): (record: OutputRecord) => Buffer {
  const begun = new Map<string, Buffer>();
  return (record) => {
    const { service } = record;
    const bytes = Buffer.concat([begun.get(service) ?? Buffer.alloc(0), bytesOf(record)]);
    const pieces: Buffer[] = [];
    let at = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      pieces.push(Buffer.from(`[${printable(service)}] `), bytes.subarray(at, end + 1));
      at = end + 1;
    }
    begun.set(service, bytes.subarray(at));
    return Buffer.concat(pieces);
  };
}
