/**
 * Figures, not tests: ours and every supervisor that is on PATH, side by side in one run.
 *
 *     npm run bench [measure…] -- [--quick] [--rounds N] [--only peer,peer] [--json FILE]
 *
 * Measures: start, memory, crash, stop. Without one: all.
 * --quick: a minute in all, too few rounds for figures. --rounds N: so many instead of each measure's own.
 * --only: these peers, by the names in the tables; `floor` is a Node that does nothing.
 * --json: where the samples go, a new file in the temp directory otherwise.
 *
 * The peers, on Debian: apt-get install s6 runit supervisor tini dumb-init catatonit; npm i pm2 anywhere, its
 * node_modules/.bin on PATH. Who is not on PATH is left out, and that is said.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
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
import { absence, PEERS } from './peers/peers.ts';
import { FLOOR, Results, share } from './results.ts';
import { Stage } from './stage.ts';
import { quantityTable } from './table.ts';

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

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
});

const results = new Results([FLOOR, ...PEERS.map(({ name }) => name)]);
const stage = new Stage();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    stage.close();
    process.exit(130);
  });
try {
  await main();
} finally {
  progress('');
  stage.close();
}

async function main(): Promise<void> {
  const bench: Bench = {
    stage,
    results,
    peers: present(),
    floor: isAsked(FLOOR),
    quick: values.quick,
    rounds: (usual) => (values.rounds ? Number(values.rounds) : values.quick ? 2 : usual),
    shareMs: values.quick ? 5000 : 120_000,
    progress,
  };
  const asked = positionals.length > 0 ? positionals : Object.keys(MEASURES);
  for (const name of asked) {
    const measure = MEASURES[name];
    if (!measure) throw new Error(`there is no measure ${name}: ${Object.keys(MEASURES).join(', ')}`);
    await measure(bench);
    progress('');
    const seen = new Set<string>();
    for (const series of results.series.filter(({ measure }) => measure === name)) {
      if (seen.has(series.what)) continue;
      seen.add(series.what);
      console.log(`${quantityTable(results, series)}\n`);
    }
  }
  for (const reason of results.unrun) console.log(reason);
  const file = resolve(values.json ?? join(mkdtempSync(join(tmpdir(), 'supervise-figures-')), 'bench.json'));
  writeFileSync(file, `${JSON.stringify(report(), undefined, 2)}\n`);
  console.log(`all samples: ${file}`);
}

function present() {
  return PEERS.filter((peer) => {
    if (!isAsked(peer.name)) return false;
    const why = absence(peer);
    if (why) results.say(`${peer.name} was not run: ${why}`);
    return !why;
  });
}

function isAsked(name: string): boolean {
  return values.only === undefined || values.only.split(',').includes(name);
}

function report() {
  return {
    node: process.version,
    kernel: release(),
    cpus: cpus().length,
    at: new Date().toISOString(),
    unrun: results.unrun,
    series: results.series.map(({ samples, ...series }) => ({
      ...series,
      n: samples.length,
      median: share(samples, 0.5),
      p95: share(samples, 0.95),
      samples,
    })),
  };
}

function progress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what}`);
}
