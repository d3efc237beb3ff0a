import type { Invocation } from '../cli.ts';
import { ask } from '../control/client.ts';
import { type Ordered, type Request, type Rescanned, readSignal, type Verb } from '../control/protocol.ts';
import { printable } from '../core/printable.ts';
import { describe, EXIT, UserError } from '../errors.ts';

/** Prints to stdout. Returns whether somebody still reads it. */
export type Print = (text: string | Buffer) => boolean;

/** The verbs that tell a running supervisor to do something, or wait for it. Returns the exit code. */
export async function control({ command, words, options }: Invocation, print: Print): Promise<number> {
  const verb = command as Verb;
  const request: Omit<Request, 'v'> = { do: verb, services: words };
  if (verb === 'signal') {
    const [signal = '', ...services] = words;
    readSignal(signal);
    Object.assign(request, { signal, services });
  }
  const until = verb === 'wait' ? options.for : options.waitUntil;
  if (verb === 'wait' && until === undefined)
    throw new UserError('cannot wait: expected --for ready, --for up or --for down', {
      hint: 'supervise wait web --for ready --timeout 30s',
    });
  if (until !== undefined) request.until = until;
  if (until !== undefined && options.timeout !== undefined) request.timeoutMs = options.timeout;

  // Of an order that is waited for, what it waits for itself is told at once.
  let isTold = false;
  const tell = (data: unknown): boolean => {
    isTold = true;
    return print(orderedText(data as Ordered | null));
  };
  const data = await ask(request, options.socket, tell);
  if (verb === 'rescan') {
    const rescanned = data as Rescanned;
    print(rescanText(rescanned));
    return rescanned.problems.length === 0 ? EXIT.yes : EXIT.no;
  }
  if (verb === 'check') {
    const unwell = data as string[];
    for (const line of unwell) print(`${printable(line)}\n`);
    return unwell.length === 0 ? EXIT.yes : EXIT.no;
  } else if (!isTold) print(orderedText(data as Ordered | null));
  return EXIT.yes;
}

/** Nothing where all is done; else who waits, and for what. */
function orderedText(ordered: Ordered | null): string {
  return (ordered?.services ?? [])
    .filter(({ waitsFor }) => waitsFor.length > 0)
    .map(({ name, waitsFor }) => `${printable(`${name} waits for ${waitsFor.join(', ')}`)}\n`)
    .join('');
}

/** `changed: app (run at the next start, timeout-kill at once)` */
function rescanText({ added, removed, changed, files, problems }: Rescanned): string {
  const detailed = changed.map((name) => {
    const details = (files[name] ?? []).map(({ file, takes }) => `${file} ${takes}`);
    return details.length > 0 ? `${name} (${details.join(', ')})` : name;
  });
  const lines = Object.entries({ added, removed, changed: detailed }).flatMap(([what, names]) =>
    names.length > 0 ? [printable(`${what}: ${names.join(', ')}`)] : [],
  );
  const told = problems.map(({ message, hint }) =>
    describe(new UserError(message, { hint: hint ?? undefined })),
  );
  return `${[...(lines.length > 0 ? lines : ['nothing changed']), ...told].join('\n')}\n`;
}
