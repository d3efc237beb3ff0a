import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { type Bench, pause } from '../context.ts';
import type { Life } from '../life.ts';
import { onPath } from '../path.ts';
import type { Peer, Service } from '../peers/peer.ts';
import { below, cpuOf, type Process } from '../proc.ts';
import type { Quantity } from '../results.ts';
import { interleave, type Turn } from '../rounds.ts';

const ROUNDS = 3;
const LIMIT_MS = 30_000;

/** (6) PID 1 of a namespace of its own inherits the dead and waits for them. */
export async function orphans(bench: Bench): Promise<void> {
  const cause = obstacle();
  if (cause) return bench.results.say(`orphans were not measured: ${cause}`);
  for (const { name } of bench.peers.filter(({ reaps }) => !reaps))
    bench.results.say(`orphans: ${name}: left out, it waits for no child but its own`);
  const peers = bench.peers.filter(({ reaps }) => reaps);
  const count = bench.quick ? 500 : 10_000;
  await interleave(bench, {
    what: 'orphans at once',
    rounds: bench.rounds(ROUNDS),
    turns: peers.map((peer) => atOnce(bench, peer, count)),
  });
  await interleave(bench, {
    what: 'orphans one after the other',
    rounds: bench.rounds(ROUNDS),
    turns: peers.map((peer) => oneByOne(bench, peer, count / 10)),
  });
}

/** They are the zombies of a parent that is killed: their new one gets all of them in one moment. */
function atOnce(bench: Bench, peer: Peer, count: number): Turn {
  const quantity = (what: string): Quantity => ({
    measure: 'orphans',
    what: `orphans: ${count.toLocaleString('en')} at once, ${what}`,
    unit: 'ms',
  });
  const script = `for (1..${count}) { my $p = fork; die unless defined $p; _exit(0) unless $p } syswrite B, "made\\n"; sleep`;
  return {
    peer: peer.name,
    async begin() {
      const { life, init, go } = await asPid1(bench, peer, script);
      try {
        await go();
        await life.bell.rings(1, LIMIT_MS);
        const dead = zombies(life);
        if (dead.length < count) throw new Error(`${dead.length} zombies instead of ${count}`);
        const pids = dead.map(({ pid }) => pid);
        const before = cpuOf([init]);
        const freed = performance.now();
        process.kill(dead[0]?.parent ?? 0, 'SIGKILL');
        await gone(pids);
        const took = performance.now() - freed;
        return [
          [quantity('until the last is gone'), took],
          [quantity('CPU time of PID 1'), cpuOf([init]) - before],
        ];
      } finally {
        life.end();
      }
    },
  };
}

/** Each is a child of a child that has ended: as shells and daemons make them. */
function oneByOne(bench: Bench, peer: Peer, count: number): Turn {
  const quantity: Quantity = {
    measure: 'orphans',
    what: `orphans: ${count.toLocaleString('en')} one after the other, CPU time of PID 1`,
    unit: 'ms',
  };
  const script = `for (1..${count}) { my $p = fork; die unless defined $p; unless ($p) { fork; _exit(0) } waitpid $p, 0 } syswrite B, "made\\n"; sleep`;
  return {
    peer: peer.name,
    async begin() {
      const { life, init, go } = await asPid1(bench, peer, script);
      try {
        const before = cpuOf([init]);
        await go();
        await life.bell.rings(1, LIMIT_MS);
        await gone(zombies(life).map(({ pid }) => pid));
        return [[quantity, cpuOf([init]) - before]];
      } finally {
        life.end();
      }
    },
  };
}

interface Pid1 {
  life: Life;
  /** Its pid as we see it. */
  init: number;
  /** Has the service begin. */
  go(): Promise<void>;
}

/** The peer as PID 1, its service waiting to run `script`. */
async function asPid1({ stage }: Bench, peer: Peer, script: string): Promise<Pid1> {
  const service: Service = {
    name: 'orphans',
    run: `#!/bin/sh
exec 9>"$BELL"
mkfifo "$BELL.go"
echo $$ >&9
read line <"$BELL.go"
perl -MPOSIX=_exit -e 'open B, ">&=9"; ${script}'
exec sleep 100000
`,
  };
  const namespaced: Peer = {
    ...peer,
    lay(...args) {
      const { argv, ...rest } = peer.lay(...args);
      return { argv: [...UNSHARE, ...argv], ...rest };
    },
  };
  const life = stage.start(namespaced, [service]);
  try {
    await life.running();
    // What the supervisor has left to do after the start is not for the orphans.
    await pause(500);
    const init = below(life.pid).find(({ parent }) => parent === life.pid);
    if (!init) throw new Error('there is no PID 1');
    return { life, init: init.pid, go: () => writeFile(`${life.bell.path}.go`, 'go\n') };
  } catch (error) {
    life.end();
    throw error;
  }
}

const UNSHARE = [
  'unshare',
  ...(process.getuid?.() === 0 ? [] : ['--map-root-user']),
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
] as [string, ...string[]];

function obstacle(): string | undefined {
  const missing = ['unshare', 'perl'].find((program) => onPath(program) === undefined);
  if (missing) return `${missing} is not on PATH`;
  const [file, ...args] = UNSHARE;
  const { status, stderr } = spawnSync(file, [...args, 'true'], { encoding: 'utf8' });
  return status === 0 ? undefined : `a PID namespace is refused: ${stderr.trim()}`;
}

function zombies(life: Life): Process[] {
  return below(life.pid).filter(({ state }) => state === 'Z');
}

/** Nothing tells when a stranger's child was waited for, so this one looks. */
async function gone(pids: number[]): Promise<void> {
  const limit = performance.now() + LIMIT_MS;
  for (; ; await pause(1)) {
    for (let last = pids.at(-1); last !== undefined && !exists(last); last = pids.at(-1)) pids.pop();
    if (pids.length === 0) return;
    if (performance.now() > limit)
      throw new Error(`${pids.length} orphans are left after ${LIMIT_MS / 1000} s`);
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
