/**
 * The same random service directories under s6 and under supervise: `npm run differential -- --trees 2000 --seed 1 [--jobs 40]`.
 * Prints what was covered, which of the meant differences (differences.ts) were seen, and every other one with the smallest
 * tree that shows it, which is kept in a file. Exits 1 at a difference that is not listed. Wants s6 2.11 on the PATH, and the
 * built bundle. `--only FILE` plays the tree of such a file, `--record` notes what s6 makes of the fixed ones (fixed.ts).
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { type Compared, compare, type Difference } from './compare.ts';
import { DIFFERENCES } from './differences.ts';
import { featuresOf } from './features.ts';
import { FIXED } from './fixed.ts';
import { TREES } from './generate.ts';
import type { TreePlan } from './plan.ts';
import { play, type Trace } from './play.ts';
import { lasting, RECORDED } from './recorded.ts';
import { smaller } from './smaller.ts';
import { dismiss, hasS6 } from './supervisors.ts';

const { values } = parseArgs({
  options: {
    trees: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '40' },
    only: { type: 'string' },
    record: { type: 'boolean', default: false },
    /** No looking for the smallest tree. */
    quick: { type: 'boolean', default: false },
  },
});
if (!hasS6()) {
  console.error('cannot compare: s6 is not on the PATH (Debian: apt-get install s6)');
  process.exit(111);
}
const jobs = Number(values.jobs);
const seed = Number(values.seed);
const base = mkdtempSync(join(tmpdir(), 'differential-'));
let count = 0;
process.exitCode = values.record
  ? await record()
  : values.only
    ? await one(values.only)
    : await many(Number(values.trees));
dismiss();
rmSync(base, { recursive: true, force: true });

async function many(trees: number): Promise<number> {
  const began = performance.now();
  const plans = fc.sample(TREES, { seed, numRuns: trees });
  const meant = new Map<string, number>();
  const features = new Map<string, number>();
  const suspects: { plan: TreePlan; unlisted: Difference[] }[] = [];
  let [done, cut] = [0, 0];
  const progress = setInterval(() => {
    process.stderr.write(`${done} of ${trees} trees, ${suspects.length} to look at again\n`);
  }, 10_000);
  const unplayed: { plan: TreePlan; error: unknown }[] = [];
  await pool(plans, jobs, async (plan) => {
    const compared = await both(plan).catch((error: unknown) => {
      unplayed.push({ plan, error });
      return undefined;
    });
    if (!compared) return;
    for (const feature of featuresOf(plan)) features.set(feature, (features.get(feature) ?? 0) + 1);
    for (const name of new Set(compared.meant)) meant.set(name, (meant.get(name) ?? 0) + 1);
    cut += compared.cut;
    if (compared.unlisted.length > 0) suspects.push({ plan, unlisted: compared.unlisted });
    done++;
  });
  clearInterval(progress);
  const played = performance.now() - began;
  // Load can make one late: what is a difference is one each time that it is played with patience.
  const found: { plan: TreePlan; unlisted: Difference[] }[] = [];
  const once = new Map<string, number>();
  await pool(suspects, Math.min(jobs, 6), async ({ plan, unlisted: first }) => {
    for (const round of [4, 8]) {
      const { unlisted } = await both(plan, round);
      if (unlisted.length > 0 && round === 8) found.push({ plan, unlisted });
      if (unlisted.length > 0) continue;
      for (const kind of new Set(first.map(kindOf))) once.set(kind, (once.get(kind) ?? 0) + 1);
      break;
    }
  });
  const services = plans.reduce((sum, plan) => sum + plan.services.length, 0);
  const steps = plans
    .flatMap((plan) => plan.services)
    .reduce((sum, service) => sum + service.steps.length, 0);
  console.log(
    `${trees} trees (seed ${seed}), ${services} services, ${steps} steps under both, ${(played / 1000).toFixed(0)} s`,
  );
  console.log('\ncovered, in trees:');
  for (const [name, trees] of [...features].sort((a, b) => (a[0] < b[0] ? -1 : 1)))
    console.log(`  ${name}: ${trees}`);
  console.log('\nmeant differences, in trees:');
  for (const { name } of DIFFERENCES) console.log(`  ${name}: ${meant.get(name) ?? 0}`);
  console.log(`\nservices whose steps after a meant difference were not compared: ${cut}`);
  console.log(`seen in a crowd and not alone: ${suspects.length - found.length}`);
  for (const [kind, count] of once) console.log(`  ${count} × ${kind}`);
  console.log(`not listed: ${found.length}`);
  for (const { plan, error } of unplayed) {
    console.log('could not be played:', error);
    keep(plan);
  }
  const kinds = new Map<string, TreePlan[]>();
  for (const { plan, unlisted } of found)
    for (const difference of unlisted) {
      const kind = kindOf(difference);
      kinds.set(kind, [...(kinds.get(kind) ?? []), plan]);
    }
  for (const [kind, plans] of kinds) console.log(`  ${plans.length} × ${kind}`);
  for (const [kind, plans] of kinds) {
    const [plan] = plans;
    if (!plan) continue;
    console.log(`\n${kind} (${plans.length})`);
    if (values.quick) {
      keep(plan);
      continue;
    }
    const least = await smaller(plan, async (candidate) => {
      const { unlisted } = await both(candidate, 2);
      return unlisted.some((difference) => kindOf(difference) === kind);
    });
    keep(least.plan);
    for (const difference of (await both(least.plan, 2)).unlisted) console.log(inWords(difference));
  }
  return found.length + unplayed.length === 0 ? 0 : 1;
}

async function one(file: string): Promise<number> {
  const plan = JSON.parse(readFileSync(file, 'utf8')) as TreePlan;
  const root = (): string => join(base, String(count++));
  const [s6, ours] = await Promise.all([play('s6', plan, root(), 2), play('ours', plan, root(), 2)]);
  console.log(JSON.stringify({ s6, ours }, undefined, 1));
  const { meant, unlisted } = compare(plan, s6, ours);
  for (const name of new Set(meant)) console.log(`meant: ${name}`);
  for (const difference of unlisted) console.log(inWords(difference));
  return unlisted.length === 0 ? 0 : 1;
}

async function record(): Promise<number> {
  const traces: Record<string, Trace> = {};
  for (const [name, plan] of Object.entries(FIXED))
    traces[name] = lasting(await play('s6', plan, join(base, String(count++)), 2));
  writeFileSync(RECORDED, `${JSON.stringify(traces, undefined, 2)}\n`);
  return 0;
}

async function both(plan: TreePlan, patience = 1): Promise<Compared> {
  const root = (): string => join(base, String(count++));
  const [s6, ours] = await Promise.all([
    play('s6', plan, root(), patience),
    play('ours', plan, root(), patience),
  ]);
  return compare(plan, s6, ours);
}

function keep(plan: TreePlan): void {
  const file = join(tmpdir(), `differential-${seed}-${count++}.json`);
  writeFileSync(file, `${JSON.stringify(plan, undefined, 1)}\n`);
  console.log(`kept: ${file}\n${JSON.stringify(plan)}`);
}

/** Differences of one kind are shown once. */
function kindOf({ of, at, s6, ours }: Difference): string {
  const words = (text: string): string => text.replaceAll(/\d+/g, 'N').slice(0, 60);
  return `${of} at ${words(at)}: s6 ${words(s6)} | ours ${words(ours)}`;
}

function inWords({ of, service, at, s6, ours }: Difference): string {
  const whose = service === undefined ? 'the tree' : `service ${service}`;
  return `  ${whose}, ${at}, ${of}\n    s6:   ${s6}\n    ours: ${ours}`;
}

async function pool<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
