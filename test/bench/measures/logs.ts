import type { StdioOptions } from 'node:child_process';
import { spawnSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NODE } from '../../tree.ts';
import { Bell } from '../bell.ts';
import type { Bench } from '../context.ts';
import { onPath } from '../path.ts';
import { ours, oursWith } from '../peers/ours.ts';
import type { Command, Peer } from '../peers/peer.ts';
import { pm2 } from '../peers/pm2.ts';
import { supervisord, supervisordWith } from '../peers/supervisord.ts';
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

function ways({ peers, floor, results }: Bench): Way[] {
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
  const filters: [string, Sink, (directory: string) => Command][] = [
    ['cat', 'pipe', () => ({ argv: ['cat'] })],
    ['s6-log', 'pipe', () => ({ argv: ['s6-log', 'p[app] ', '1'] })],
    ['s6-log', 'directory', (directory) => ({ argv: ['s6-log', 'p[app] ', 'n10', 's1000000', directory] })],
    [
      'svlogd',
      'directory',
      (directory) => {
        writeFileSync(join(directory, 'config'), 's1000000\nn10\np[app] \n');
        return { argv: ['svlogd', directory] };
      },
    ],
  ];
  for (const [name, sink, filter] of filters)
    if (onPath(name)) found.push({ name, sink, filter });
    else results.say(`${name} was not run: it is not on PATH`);
  if (isHere(supervisord)) {
    found.push({ name: supervisord.name, sink: 'pipe', supervisor: supervisord });
    const rotated = { stdout_logfile: '%(here)s/app.log', stdout_logfile_maxbytes: '1000000' };
    found.push({ name: supervisord.name, sink: 'directory', supervisor: supervisordWith(rotated) });
  }
  if (isHere(pm2)) found.push({ name: pm2.name, sink: 'pipe', supervisor: pm2 });
  return found;
}

async function transport(bench: Bench, way: Way, writer: string): Promise<{ seconds: number; cpu: number }> {
  const { stage } = bench;
  const directory = stage.place();
  const bell = new Bell(join(directory, 'bell'));
  const start = (command: Command, [stdin, stdout]: [number | 'ignore', number | 'ignore']): number =>
    stage.spawn(command, { directory, bell, stdio: [stdin, stdout, 'ignore', bell.fd] as StdioOptions })
      .pid ?? 0;
  const outward = new Pipe(join(directory, 'out'));
  const inward = new Pipe(join(directory, 'in'));
  try {
    spawnSync('mkfifo', [join(directory, 'go')]);
    if (way.sink === 'pipe') start({ argv: [NODE, SINK, LAST] }, [outward.read, 'ignore']);
    const run = `#!/bin/sh
exec 9>"$BELL"
read go <"${directory}/go"
${writer}
echo written >&9
exec sleep 100000 >/dev/null 2>&1
`;
    const scriptFile = join(directory, 'writer');
    writeFileSync(scriptFile, run.replace('read go', 'echo $$ >&9\nread go'), { mode: 0o755 });
    let between: number | undefined;
    if (way.supervisor) {
      const services = [{ name: 'app', run: `#!/bin/sh\nexec "${scriptFile}"\n` }];
      between = start(way.supervisor.lay(directory, services, NODE), ['ignore', outward.write]);
    } else {
      if (way.filter) {
        const logs = join(directory, 'logs');
        mkdirSync(logs);
        between = start(way.filter(logs), [inward.read, outward.write]);
      }
      start({ argv: [scriptFile] }, ['ignore', way.filter ? inward.write : outward.write]);
    }
    const [ready] = await bell.rings(1, LIMIT_MS);
    const pids = between === undefined ? [] : supervising(between, [Number(ready?.line)]);
    const before = cpuOf(pids);
    const started = performance.now();
    await writeFile(join(directory, 'go'), 'go\n');
    const rings = await bell.rings(way.sink === 'pipe' ? 2 : 1, LIMIT_MS);
    const cpu = cpuOf(pids) - before;
    const ended =
      rings.find(({ line }) => line === (way.sink === 'pipe' ? 'end' : 'written'))?.at ?? Number.NaN;
    return { seconds: (ended - started) / 1000, cpu };
  } finally {
    bell.close();
    outward.close();
    inward.close();
    stage.discard(directory);
  }
}

const SINK = join(import.meta.dirname, '../sink.ts');

/** Both ends of a pipe that has a name, each for a process to inherit. */
class Pipe {
  readonly read: number;
  readonly write: number;

  constructor(path: string) {
    spawnSync('mkfifo', [path]);
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
