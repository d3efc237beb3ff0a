/**
 * Figures, not tests: ours and every supervisor that is on PATH, side by side in one run.
 *
 *     npm run bench [measure…] -- [--quick] [--rounds N] [--only peer,peer] [--json FILE]
 *
 * Measures: start stop memory crash idle orphans logs templater size; without one, all of them, in half an hour.
 *
 * --quick    a minute in all: one round of less, no figures, enough to see that all runs
 * --rounds   so many instead of each measure's own number (idle is one minute, always)
 * --only     these peers, by their names in the tables; `floor` is a Node that does nothing
 * --json     where all samples go; else a new file in the temp directory, which is named in the end
 *
 * The peers, on Debian: `apt-get install s6 runit supervisor tini dumb-init catatonit`; `npm i pm2` anywhere, its
 * node_modules/.bin on PATH; consul-template on PATH; `npm run build:binary` and then `node test/bench/bench.ts` for the executable
 * (`npm run bench` builds dist/ anew). A Consul agent is found or fetched as for the tests. What is not there is left out,
 * and that is said. SUPERVISE_BUNDLE and SUPERVISE_NODE name another build of ours and the Node that runs it. Files are laid
 * out in memory (/dev/shm) unless TMPDIR says where.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Bench } from './context.ts';
import { crash } from './measures/crash.ts';
import { idle } from './measures/idle.ts';
import { logs } from './measures/logs.ts';
import { memory } from './measures/memory.ts';
import { orphans } from './measures/orphans.ts';
import { size } from './measures/size.ts';
import { start } from './measures/start.ts';
import { stop } from './measures/stop.ts';
import { templater } from './measures/templater.ts';
import type { Peer } from './peers/peer.ts';
import { absence, PEERS } from './peers/peers.ts';
import { barTable, measureTables, report } from './report.ts';
import { FLOOR, Results } from './results.ts';
import { Stage } from './stage.ts';

const MEASURES: Record<string, (bench: Bench) => Promise<void>> = {
  start,
  stop,
  memory,
  crash,
  idle,
  orphans,
  logs,
  templater,
  size,
};
const QUICK_ROUNDS = 1;
const WRONG_USAGE = 100;

try {
  const asked = options();
  process.exitCode = await main(asked);
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exitCode = WRONG_USAGE;
}

interface Asked {
  measures: readonly string[];
  quick: boolean;
  rounds: number | undefined;
  only: readonly string[] | undefined;
  json: string | undefined;
}

async function main({ measures, quick, rounds, only, json }: Asked): Promise<number> {
  const isAsked = (name: string): boolean => only === undefined || only.includes(name);
  const results = new Results([FLOOR, ...PEERS.map(({ name }) => name)]);
  const stage = new Stage();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => {
      stage.close();
      process.exit(130);
    });
  try {
    const bench: Bench = {
      stage,
      results,
      peers: PEERS.filter((peer) => isAsked(peer.name) && isHere(peer, results)),
      floor: isAsked(FLOOR),
      quick,
      rounds: (usual) => rounds ?? (quick ? QUICK_ROUNDS : usual),
      shareMs: quick ? 4000 : 75_000,
      progress,
    };
    for (const name of measures) {
      await MEASURES[name]?.(bench);
      progress('');
      console.log(measureTables(results, name));
    }
  } finally {
    stage.close();
  }
  for (const what of results.unrun) console.log(what);
  console.log(barTable(results, measures));
  const file = resolve(json ?? join(mkdtempSync(join(tmpdir(), 'supervise-figures-')), 'bench.json'));
  writeFileSync(file, `${JSON.stringify(report(results), undefined, 2)}\n`);
  console.log(`all samples: ${file}`);
  return 0;
}

/** @throws Error in words for who mistyped */
function options(): Asked {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0))
    throw new Error(`--rounds ${values.rounds} is no number of rounds`);
  const known = Object.keys(MEASURES);
  const unknown = positionals.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`there is no measure ${unknown}; there are ${known.join(', ')}`);
  const only = values.only?.split(',');
  const names = [FLOOR, ...PEERS.map(({ name }) => name)];
  const stranger = only?.find((name) => !names.includes(name));
  if (stranger !== undefined) throw new Error(`there is no peer ${stranger}; there are ${names.join(', ')}`);
  return {
    measures: positionals.length > 0 ? positionals : known,
    quick: values.quick,
    rounds,
    only,
    json: values.json,
  };
}

function isHere(peer: Peer, results: Results): boolean {
  const why = absence(peer);
  if (why) results.say(`${peer.name} was not run: ${why}`);
  return !why;
}

function progress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what}`);
}
