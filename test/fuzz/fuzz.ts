/**
 * Feeds what strangers write to whatever reads it:
 *
 *   npm run fuzz [-- --seconds 60 --seed S --path P target…]
 *
 * Each target for so many seconds, one after the other. Nothing but a refusal in our own words may come of it: no mistake,
 * no hang, no changed prototype, no file outside of its place; and the same twice. A case that breaks this is made as small
 * as it can be, and its seed and path are told: with them it is run again. Needs the built bundle for `tree`.
 */
import { parseArgs } from 'node:util';
import { attack } from './target.ts';
import { TARGETS } from './targets/index.ts';
import { startWatchdog } from './watchdog.ts';

const { values, positionals } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    path: { type: 'string' },
  },
  allowPositionals: true,
});
const stray = positionals.find((name) => !Object.hasOwn(TARGETS, name));
if (stray !== undefined) {
  console.error(`no target is called "${stray}": ${Object.keys(TARGETS).join(', ')}`);
  process.exit(100);
}
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
const watchdog = startWatchdog();
for (const [name, target] of Object.entries(TARGETS)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  try {
    const budget = { seed, seconds: Number(values.seconds), ...(values.path && { path: values.path }) };
    const { cases, refused, seconds } = await attack(target, budget, watchdog);
    const share = cases === 0 ? 0 : Math.round((100 * refused) / cases);
    console.log(`${name}: ${cases} cases in ${seconds.toFixed(1)} s, ${share} % refused (seed ${seed})`);
  } catch (error) {
    console.log(`${name}: BROKEN, ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
await watchdog.close();
