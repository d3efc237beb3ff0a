import type { Invocation } from '../cli.ts';
import { ask } from '../control/client.ts';
import type { Rescanned, ServiceStatus, Status, Verb } from '../control/protocol.ts';
import { formatDuration } from '../core/duration.ts';
import { EXIT } from '../errors.ts';

/** The verbs that ask a running supervisor. Prints what it answers; returns the exit code. */
export async function control(
  { command, words, options }: Invocation,
  print: (text: string) => void,
): Promise<number> {
  const data = await ask({ do: command as Verb, services: words }, options.socket, command === 'stop');
  if (command === 'status')
    print(options.json ? `${JSON.stringify(data, null, 2)}\n` : statusText(data as Status));
  if (command === 'rescan') print(rescanText(data as Rescanned));
  if (command === 'check') {
    const unwell = data as string[];
    for (const line of unwell) print(`${line}\n`);
    return unwell.length === 0 ? EXIT.yes : EXIT.no;
  }
  return EXIT.yes;
}

/** The table of `supervise status`. */
export function statusText(status: Status, now: number = Date.now()): string {
  const rows = status.services.map((service) => [
    service.name,
    service.is,
    service.wanted,
    formatDuration(Math.max(0, now - Date.parse(service.since))),
    service.pid === null ? '-' : String(service.pid),
    String(service.crashes),
    notes(service, now),
  ]);
  const table = [['SERVICE', 'IS', 'WANTED', 'SINCE', 'PID', 'CRASHES', ''], ...rows];
  const widths = (table[0] ?? []).map((_, i) => Math.max(...table.map((row) => row[i]?.length ?? 0)));
  const lines = table.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  if (status.stopping) lines.push('the tree is stopping');
  if (status.source?.awaySince) {
    const away = formatDuration(now - Date.parse(status.source.awaySince));
    lines.push(
      `${status.source.name} has been away for ${away} (${status.source.cause ?? 'no answer'}): files stay as they are`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function notes(service: ServiceStatus, now: number): string {
  const { lastDeath: death } = service;
  return [
    service.problem,
    service.complaint,
    service.waitsFor.length > 0 ? `waits for ${service.waitsFor.join(', ')}` : undefined,
    service.heldBack.length > 0 ? `config held back: ${service.heldBack.join(', ')}` : undefined,
    service.nextStart === null
      ? undefined
      : `starts in ${formatDuration(Math.max(0, Date.parse(service.nextStart) - now))}`,
    death
      ? `last end: ${death.reason ?? death.signal ?? `exit ${death.code}`} after ${formatDuration(death.ranMs)}`
      : undefined,
  ]
    .filter((note) => note)
    .join('; ');
}

/** `changed: app (run at the next start, timeout-kill at once)` */
function rescanText({ added, removed, changed, files }: Rescanned): string {
  const detailed = changed.map((name) => {
    const details = (files[name] ?? []).map(({ file, takes }) => `${file} ${takes}`);
    return details.length > 0 ? `${name} (${details.join(', ')})` : name;
  });
  const lines = Object.entries({ added, removed, changed: detailed }).flatMap(([what, names]) =>
    names.length > 0 ? [`${what}: ${names.join(', ')}`] : [],
  );
  return lines.length > 0 ? `${lines.join('\n')}\n` : 'nothing changed\n';
}
