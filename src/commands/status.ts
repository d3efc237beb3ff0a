import { isatty } from 'node:tty';
import type { Invocation } from '../cli.ts';
import { ask } from '../control/client.ts';
import type { ServiceStatus, Status } from '../control/protocol.ts';
import { deathName } from '../control/state.ts';
import { columns } from '../core/columns.ts';
import { formatDuration } from '../core/duration.ts';
import { packageTitle } from '../core/package.ts';
import { printable, printableLines } from '../core/printable.ts';
import { EXIT } from '../errors.ts';
import type { Print } from './control.ts';

/** `supervise status`: a table, or all that is known of those named; `--watch` goes on. Returns the exit code. */
export async function status(invocation: Invocation, print: Print): Promise<number> {
  const { words, options } = invocation;
  if (options.statusWatch) return watch(invocation, print);
  const data = (await ask({ do: 'status', services: words }, options.socket)) as Status;
  if (options.json) print(`${printableLines(JSON.stringify(data, null, 2))}\n`);
  else print(words.length === 0 ? statusText(data) : detailsText(data));
  return EXIT.yes;
}

/** One table after the other, or, on a terminal, one in the place of the other, whose times go on. */
async function watch({ words, options }: Invocation, print: Print): Promise<number> {
  const screen = !options.json && isatty(1) ? process.stdout : undefined;
  let last: Status | undefined;
  const show = (): boolean => {
    if (!last) return true;
    if (options.json) return print(`${printable(JSON.stringify(last))}\n`);
    const text = statusText(last);
    return print(screen ? inPlace(text, screen) : `${text}\n`);
  };
  const refresh = screen && setInterval(show, 1000);
  screen?.on('resize', show);
  try {
    await ask({ do: 'status', services: words, follow: true }, options.socket, (data) => {
      // What is asked for is asked again with each change; the last line of all is without a table.
      last = data as Status;
      return show();
    });
    return EXIT.yes;
  } finally {
    clearInterval(refresh);
  }
}

const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

/** Over what stood there before, and no more than fits: a line that wraps would shift all below it. */
function inPlace(text: string, size: { columns: number; rows: number }): string {
  // A terminal that does not know its size says 0.
  const width = size.columns || Number.POSITIVE_INFINITY;
  const rows = size.rows || Number.POSITIVE_INFINITY;
  const lines = text.trimEnd().split('\n');
  const shown =
    lines.length < rows ? lines : [...lines.slice(0, rows - 2), `… ${lines.length - rows + 2} more`];
  return `${HOME}${shown.map((line) => `${line.slice(0, width)}${CLEAR_LINE}\n`).join('')}${CLEAR_BELOW}`;
}

/** The table of `supervise status`. */
export function statusText(status: Status, now: number = Date.now()): string {
  const rows = status.services.map((service) => [
    service.name,
    service.is,
    service.wanted,
    ago(service.since, now),
    service.pid === null ? '-' : String(service.pid),
    String(service.crashes),
    notes(service, now),
  ]);
  const lines = columns([['SERVICE', 'IS', 'WANTED', 'SINCE', 'PID', 'CRASHES', ''], ...rows]);
  return `${[...lines, ...treeLines(status, now)].join('\n')}\n`;
}

/** All that is known of each service, and why it is as it is. */
export function detailsText(status: Status, now: number = Date.now()): string {
  const parts = status.services.map((service) =>
    [printable(service.name), ...details(service, now)].join('\n'),
  );
  return `${[...parts, ...treeLines(status, now)].join('\n\n')}\n`;
}

function details(service: ServiceStatus, now: number): string[] {
  const { lastDeath: death, crashes, nextStart, problem, hint, path } = service;
  const settings = Object.entries(service.settings).map(([file, value]) => `${file} ${value}`);
  const rows: [string, string | undefined][] = [
    ['is', `${service.is}, since ${service.since} (${ago(service.since, now)} ago)`],
    ['wanted', `${service.wanted}${service.disabled ? ' (disabled)' : ''}`],
    ['pid', service.pid === null ? undefined : String(service.pid)],
    ['problem', problem ?? undefined],
    ['hint', hint ?? undefined],
    ['waits for', listed(service.waitsFor)],
    ['depends on', listed(service.dependencies.map(({ name, is }) => `${name} (${is})`))],
    ['complaint', service.complaint ?? undefined],
    ['config held back', heldBackWords(service)],
    ['values kept', keptWords(service)],
    ['config', rolloutWords(service)],
    ['crashes', crashes === 0 ? undefined : `${crashes} in a row`],
    ['last end', death ? `${endWords(death)}, at ${death.at} (${ago(death.at, now)} ago)` : undefined],
    ['next start', nextStart === null ? undefined : `in ${left(nextStart, now)}`],
    ['directory', path ?? undefined],
    ['has', listed(service.has)],
    ['settings', settings.length > 0 ? settings.join(', ') : undefined],
  ];
  return columns(
    rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    { indent: '  ' },
  );
}

/** What concerns the whole tree. */
function treeLines(status: Status, now: number): string[] {
  const lines: string[] = [];
  if (status.package) {
    const { name, version, services } = status.package;
    lines.push(`package ${packageTitle(name, version, new Map(Object.entries(services)))}`);
  }
  if (status.stopping) lines.push('the tree is stopping');
  if (status.source?.awaySince) {
    const { name, awaySince, cause } = status.source;
    lines.push(
      `${name} has been away for ${ago(awaySince, now)} (${cause ?? 'no answer'}): files stay as they are`,
    );
  }
  return lines.map(printable);
}

function notes(service: ServiceStatus, now: number): string {
  const { lastDeath: death, nextStart } = service;
  const waitsFor = listed(service.waitsFor);
  const heldBack = heldBackWords(service);
  return [
    service.disabled ? 'disabled' : undefined,
    service.problem,
    service.complaint,
    waitsFor && `waits for ${waitsFor}`,
    heldBack && `config held back: ${heldBack}`,
    keptWords(service),
    rolloutNote(service),
    nextStart === null ? undefined : `starts in ${left(nextStart, now)}`,
    death ? `last end: ${endWords(death)}` : undefined,
  ]
    .filter((note) => note)
    .join('; ');
}

function rolloutNote({ rollout }: ServiceStatus): string | undefined {
  if (rollout?.bad) return `config ${rollout.bad.generation} was bad: ${rollout.bad.cause}`;
  return rollout?.state === 'settling' ? 'new config is settling' : undefined;
}

function rolloutWords(service: ServiceStatus): string | undefined {
  const { rollout } = service;
  if (!rollout) return undefined;
  const now = `generation ${rollout.generation ?? 'without a name'}: ${rollout.state}, since ${rollout.since}`;
  return rollout.bad ? `${now}; ${rollout.bad.generation} was bad: ${rollout.bad.cause}` : now;
}

/** A value that nobody has put there is a wait; all else is a reason. */
function heldBackWords({ heldBack }: ServiceStatus): string | undefined {
  return listed(
    heldBack.map((each) => (/^(key|keys under|service) "/.test(each) ? `waits for ${each}` : each)),
  );
}

/** Somebody took them away, and the config still has them. */
function keptWords({ kept }: ServiceStatus): string | undefined {
  // A supervisor that was started before an upgrade says nothing of them.
  const words = listed((kept as string[] | undefined) ?? []);
  return words && `${words} (gone, last value kept)`;
}

/** What was never executed ran for no time. */
function endWords(death: NonNullable<ServiceStatus['lastDeath']>): string {
  const name = deathName(death);
  return name.startsWith('cannot ') ? name : `${name} after ${formatDuration(death.ranMs)}`;
}

function listed(words: readonly string[]): string | undefined {
  return words.length > 0 ? words.join(', ') : undefined;
}

function ago(time: string, now: number): string {
  return formatDuration(Math.max(0, now - Date.parse(time)));
}

function left(time: string, now: number): string {
  return formatDuration(Math.max(0, Date.parse(time) - now));
}
