import { closeSync, constants, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NODE, writeFiles } from '../../tree.ts';
import { Bell, makeFifo } from '../bell.ts';
import type { Bench } from '../context.ts';
import { ours, oursWith } from '../peers/ours.ts';
import type { Command, Peer } from '../peers/peer.ts';
import { pm2 } from '../peers/pm2.ts';
import { runit } from '../peers/runit.ts';
import { s6 } from '../peers/s6.ts';
import { prefixingSupervisord, rotatingSupervisord, supervisord } from '../peers/supervisord.ts';
import { cpuOf, supervising } from '../proc.ts';
import { FLOOR, type Quantity } from '../results.ts';
import { interleave, type Turn } from '../rounds.ts';

const ROUNDS = 20;
const BYTES = 100_000_000;
const LIMIT_MS = 60_000;
const LAST = 'this is the last line of all';

const SINKS = { pipe: 'to a pipe', directory: 'into a directory of rotated files' } as const;
type Sink = keyof typeof SINKS;

export function throughput(sink: Sink): Quantity {
  return { measure: 'logs', what: `logs: throughput ${SINKS[sink]}`, unit: 'MB/s', greater: true };
}

function cost(sink: Sink): Quantity {
  return { measure: 'logs', what: `logs: CPU time ${SINKS[sink]}`, unit: 's/GB' };
}

/** A way from the writer to the sink: nobody, a filter between two pipes, or a supervisor whose service the writer is. */
interface Way {
  name: string;
  sink: Sink;
  filter?: (directory: string) => Command;
  supervisor?: Peer;
}

/**
 * (7) lines of 40 to 180 bytes from one process to one reader, through each that puts a prefix before them or at least reads
 * them. The clock runs from the first line written until the last is read; who only writes files has all when the writer has
 * ended.
 */
export async function logs(bench: Bench): Promise<void> {
  const { stage, quick } = bench;
  const bytes = quick ? BYTES / 10 : BYTES;
  const lines = Array.from(
    { length: 8192 },
    (_, i) => `${String(i).padStart(40 + (i % 140), 'abc ')}\n`,
  ).join('');
  const block = lines.repeat(Math.ceil(bytes / lines.length / 4));
  const input = join(stage.place(), 'lines');
  writeFileSync(input, block);
  const writer = `cat "${input}" "${input}" "${input}" "${input}"; echo ${LAST}`;
  const megabytes = (block.length * 4) / 1e6;
  for (const sink of ['pipe', 'directory'] as const) {
    const turns: Turn[] = ways(bench)
      .filter((way) => way.sink === sink)
      .map((way) => ({
        peer: way.name,
        async begin() {
          const { seconds, cpu } = await transport(bench, way, writer);
          return [
            [throughput(sink), megabytes / seconds],
            ...(way.name === FLOOR ? [] : [[cost(sink), cpu / megabytes] as const]),
          ];
        },
      }));
    await interleave(bench, { what: `logs ${SINKS[sink]}`, rounds: bench.rounds(ROUNDS), turns });
  }
}

function ways({ peers, floor }: Bench): Way[] {
  const found: Way[] = floor ? [{ name: FLOOR, sink: 'pipe' }] : [];
  const isHere = (peer: Peer): boolean => peers.includes(peer);
  if (isHere(ours)) {
    const how = (suffix: string, ...args: string[]): Way => {
      const supervisor = oursWith(suffix, {}, { args });
      return { name: supervisor.name, sink: 'pipe', supervisor };
    };
    // That of the table, against which the others are held, puts the prefix.
    found.push(how('', '--log-prefix'), how(', --capture', '--capture'));
    found.push(how(', JSON lines', '--capture', '--log-format', 'json'), how(', inherited'));
  }
  if (floor) found.push({ name: 'cat', sink: 'pipe', filter: () => ({ argv: ['cat'] }) });
  if (isHere(s6)) {
    const log = (...script: string[]): Command => ({ argv: ['s6-log', 'p[app] ', ...script] });
    found.push({ name: 's6-log', sink: 'pipe', filter: () => log('1') });
    found.push({
      name: 's6-log',
      sink: 'directory',
      filter: (directory) => log('n10', 's1000000', directory),
    });
  }
  if (isHere(runit))
    found.push({
      name: 'svlogd',
      sink: 'directory',
      filter(directory) {
        writeFileSync(join(directory, 'config'), 's1000000\nn10\np[app] \n');
        return { argv: ['svlogd', directory] };
      },
    });
  if (isHere(supervisord)) {
    found.push({ name: supervisord.name, sink: 'pipe', supervisor: supervisord });
    found.push({ name: supervisord.name, sink: 'directory', supervisor: rotatingSupervisord });
    found.push({ name: prefixingSupervisord.name, sink: 'pipe', supervisor: prefixingSupervisord });
  }
  if (isHere(pm2)) found.push({ name: pm2.name, sink: 'pipe', supervisor: pm2 });
  return found;
}

async function transport(bench: Bench, way: Way, writer: string): Promise<{ seconds: number; cpu: number }> {
  const { stage } = bench;
  const directory = stage.place();
  const bell = new Bell(join(directory, 'bell'));
  const outward = new Pipe(join(directory, 'out'));
  const inward = new Pipe(join(directory, 'in'));
  const start = (command: Command, stdin: number | 'ignore', stdout: number | 'ignore'): number =>
    stage.spawn(command, { directory, bell, stdio: [stdin, stdout, 'ignore', bell.fd] }).pid ?? 0;
  try {
    const go = join(directory, 'go');
    makeFifo(go);
    const service = { name: 'app', run: writing(writer, go) };
    if (way.sink === 'pipe') start({ argv: [NODE, SINK, LAST] }, outward.read, 'ignore');
    let between: number | undefined;
    if (way.supervisor) {
      between = start(way.supervisor.lay(directory, [service], NODE), 'ignore', outward.write);
    } else {
      if (way.filter) between = start(way.filter(logDirectory(directory)), inward.read, outward.write);
      writeFiles(directory, { writer: service.run });
      start({ argv: [join(directory, 'writer')] }, 'ignore', way.filter ? inward.write : outward.write);
    }
    const [ready] = await bell.rings(1, LIMIT_MS);
    const pids = between === undefined ? [] : supervising(between, [Number(ready?.line)]);
    const before = cpuOf(pids);
    const started = performance.now();
    await writeFile(go, 'go\n');
    const rings = await bell.rings(way.sink === 'pipe' ? 2 : 1, LIMIT_MS);
    const cpu = cpuOf(pids) - before;
    const last = way.sink === 'pipe' ? 'end' : 'written';
    const ended = rings.find(({ line }) => line === last)?.at ?? Number.NaN;
    return { seconds: (ended - started) / 1000, cpu };
  } finally {
    bell.close();
    outward.close();
    inward.close();
    stage.discard(directory);
  }
}

function logDirectory(directory: string): string {
  const path = join(directory, 'logs');
  mkdirSync(path);
  return path;
}

/** Tells when it is ready, writes once it is told to, tells when it has written, and stays. */
function writing(writer: string, go: string): string {
  return `#!/bin/sh
exec 9>"$BELL"
echo $$ >&9
read line <"${go}"
${writer}
echo written >&9
exec sleep 100000 >/dev/null 2>&1
`;
}

const SINK = join(import.meta.dirname, '../sink.ts');

/** Both ends of a pipe that has a name, each for a process to inherit. */
class Pipe {
  readonly read: number;
  readonly write: number;

  constructor(path: string) {
    makeFifo(path);
    // Neither end can be opened without the other.
    const both = openSync(path, constants.O_RDWR);
    this.read = openSync(path, 'r');
    this.write = openSync(path, 'w');
    closeSync(both);
  }

  close(): void {
    closeSync(this.read);
    closeSync(this.write);
  }
}
