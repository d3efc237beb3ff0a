/**
 * An adversary against a whole tree: `npm run chaos -- --minutes N --seed S [--services 30] [--steps]`.
 *
 * It runs a tree of that many services as PID 1 of a namespace and torments it, step after step, as the seed says: signals,
 * orphans, a full disk, no descriptors, no processes, readers of its output that stall and go, a scandir and a runtime directory that
 * change and vanish, a clock that jumps, clients that send garbage, a Consul that breaks, and stops of the whole tree at any
 * moment. All the while it looks whether what is promised holds. What is not as it must be ends it: exit 1, with the steps
 * that led there, and the directory is kept. The same seed makes the same steps; what comes of each is the kernel's to say.
 *
 * Linux with unshare, prlimit and mount (util-linux); as root also a cgroup for pids (v1). Needs the built bundle, and a Consul agent as the
 * tests do. `SUPERVISE_BUNDLE` and `SUPERVISE_NODE` name others. Any number may run side by side.
 */
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { closeArena, makeArena } from './arena.ts';
import { Campaign } from './campaign.ts';
import { startConsulSide } from './consul-side.ts';
import { report, reportViolation } from './report.ts';
import { company } from './services.ts';
import { Verdicts } from './verdicts.ts';

const INSIDE = 'SUPERVISE_CHAOS_INSIDE';
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
    services: { type: 'string', default: '30' },
    steps: { type: 'boolean', default: false },
  },
});

if (process.env[INSIDE]) process.exit(await inside());
else goInside();

/** Namespaces of its own: its mounts and its processes are gone with it, however it ends. */
function goInside(): void {
  const user = process.getuid?.() === 0 ? [] : ['-r'];
  const argv = [...user, '-m', '-pf', '--kill-child', '--mount-proc', process.execPath, ...process.execArgv];
  const child = spawn('unshare', [...argv, import.meta.filename, ...process.argv.slice(2)], {
    stdio: ['pipe', 'inherit', 'inherit'],
    // Both must have the same. A session of its own: a terminal's Ctrl-C is told as it is told of any other end.
    env: { ...process.env, [INSIDE]: values.seed },
    detached: true,
  });
  // The end of its stdin is the end of the run, however we end.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.stdin?.end());
  child.once('exit', (code) => process.exit(code ?? 1));
}

async function inside(): Promise<number> {
  const seed = Number(process.env[INSIDE]);
  const isRoot = /^\s*0\s+0\s+4294967295/.test(await mapOfUsers());
  const { files, natures } = company(Number(values.services), seed, isRoot);
  const arena = makeArena(seed, files);
  const verdicts = new Verdicts();
  const log = (line: string): void => {
    appendFileSync(join(arena.directory, 'steps'), `${line}\n`);
    if (values.steps) console.log(line);
  };
  console.log(
    `seed ${seed}, ${natures.size} services, ${values.minutes} minutes; steps in ${arena.directory}/steps`,
  );
  for (const lack of arena.lacks) console.log(`here ${lack}`);
  const consul = await startConsulSide();
  const ms = Number(values.minutes) * 60_000;
  const campaign = new Campaign({ arena, company: { files, natures }, consul, verdicts, seed, ms, log });
  process.stdin.resume().on('end', () => campaign.interrupt());
  await campaign.run();
  await campaign.close();
  await consul.close();
  process.stdin.destroy();
  console.log(report(verdicts, { ...campaign.figures, slowestAnswer: campaign.slowestAnswer }));
  const { violation } = verdicts;
  if (violation)
    console.log(reportViolation(seed, violation, verdicts.steps, campaign.lastEvents, arena.directory));
  closeArena(arena, violation !== undefined);
  return violation ? 1 : 0;
}

async function mapOfUsers(): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  return readFile('/proc/self/uid_map', 'utf8');
}
