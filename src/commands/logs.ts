import type { Invocation } from '../cli.ts';
import { ask } from '../control/client.ts';
import type { OutputRecord, Status } from '../control/protocol.ts';
import { printable } from '../core/printable.ts';
import { loggerOf } from '../core/servicedir.ts';
import { EXIT } from '../errors.ts';
import type { Print } from './control.ts';

const NEWLINE = 0x0a;
/** A line without an end is not waited for beyond this. */
const MOST_BEGUN = 65_536;

/** `supervise logs`: the last output of services; with `--follow` on, until the tree ends. Returns the exit code. */
export async function logs({ words, options }: Invocation, print: Print): Promise<number> {
  await tellOfLoggers(words, options.socket);
  const prefixer = new Set(words).size > 1 && !options.json ? new Prefixer() : undefined;
  const tell = (data: unknown): boolean => {
    const records = (data ?? []) as readonly OutputRecord[];
    return options.json
      ? print(records.map((record) => `${printable(JSON.stringify(record))}\n`).join(''))
      : print(Buffer.concat(records.map((each) => prefixer?.take(each) ?? bytesOf(each))));
  };
  tell(await ask({ do: 'logs', services: words, follow: options.follow }, options.socket, tell));
  if (prefixer) print(prefixer.end());
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
export class Prefixer {
  readonly #begun = new Map<string, Buffer>();
  /** Those whose last line went out in part: it was too long to wait for its rest. */
  readonly #brokenOff = new Set<string>();

  /** What can be shown of it by now. */
  take(record: OutputRecord): Buffer {
    const { service } = record;
    const bytes = Buffer.concat([this.#begun.get(service) ?? Buffer.alloc(0), bytesOf(record)]);
    const pieces: Buffer[] = [];
    let at = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      pieces.push(this.#line(service, bytes.subarray(at, end)));
      this.#brokenOff.delete(service);
      at = end + 1;
    }
    this.#begun.set(service, bytes.subarray(at));
    if (bytes.length - at > MOST_BEGUN) pieces.push(this.#breakOff(service));
    return Buffer.concat(pieces);
  }

  /** Nothing more comes: lines without an end go out as they are. */
  end(): Buffer {
    return Buffer.concat([...this.#begun.keys()].map((service) => this.#breakOff(service)));
  }

  #breakOff(service: string): Buffer {
    const begun = this.#begun.get(service) ?? Buffer.alloc(0);
    this.#begun.delete(service);
    if (begun.length === 0) return begun;
    const line = this.#line(service, begun);
    this.#brokenOff.add(service);
    return line;
  }

  /** As the tree writes it: the rest of a line that was broken off has a mark. */
  #line(service: string, bytes: Buffer): Buffer {
    const mark = this.#brokenOff.has(service) ? '+' : '';
    return Buffer.concat([Buffer.from(`[${printable(service)}]${mark} `), bytes, Buffer.from([NEWLINE])]);
  }
}
