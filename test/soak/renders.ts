/** Config that changes and changes: values of a real Consul agent, and of a file. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConsulAgent } from '../consul.ts';
import { type Files, SLEEPER } from '../tree.ts';
import { type Load, within } from './load.ts';

/** Files that change together. */
const TOGETHER = 10;
/** From one change to the next: a watch whose values change more than ten times a second is slowed down, and rightly. */
const QUIET_MS = 120;

/** Half of the files are told to the service, half are for whoever reads them. */
export const RENDERED: Files = Object.fromEntries([
  ['config/run', SLEEPER],
  // No two actions are closer than this; the default would have every change wait for a second.
  ['config/restart-delay', '0 0\n'],
  ...Array.from({ length: TOGETHER }, (_, i) => [
    `config/templates/${i}.hbs`,
    `{{!--\ndest: \${OUT}/${i}.conf\non-change: ${i % 2 === 0 ? 'signal CONT' : 'none'}\n--}}\n{{#each (tree "soak/${i}")}}{{Key}}={{Value}}\n{{/each}}`,
  ]),
]);

/** Sets all values. The first, 0, is due ahead of the tree's start. */
export type Source = (generation: number) => Promise<void>;

export function consulSource(consul: ConsulAgent): Source {
  return async (generation) => {
    const operations = keys(generation).map(([Key, value]) => ({
      KV: { Verb: 'set', Key, Value: Buffer.from(value).toString('base64') },
    }));
    const reply = await fetch(`http://${consul.address}/v1/txn`, {
      method: 'PUT',
      body: JSON.stringify(operations),
    });
    if (!reply.ok) throw new Error(`Consul says ${reply.status}: ${await reply.text()}`);
    await reply.arrayBuffer();
  };
}

/** @param path put in place whole, as whoever edits it does */
export function fileSource(path: string): Source {
  return async (generation) => {
    writeFileSync(`${path}.new`, JSON.stringify({ kv: Object.fromEntries(keys(generation)) }));
    renameSync(`${path}.new`, path);
  };
}

/** @param directory `$OUT` of the service, where the files are */
export function renders(name: string, directory: string, change: Source): Load {
  let generation = 0;
  const isThere = (i: number): boolean =>
    readFileSync(join(directory, `${i}.conf`), 'utf8') === `value=${generation}\n`;
  return {
    name: `${name} changes → its file`,
    async run(count, took) {
      for (let left = count; left > 0; left -= TOGETHER) {
        await pause(QUIET_MS);
        generation++;
        const before = performance.now();
        await change(generation);
        await within(
          `generation ${generation} of ${name}`,
          (async () => {
            for (let i = 0; i < TOGETHER; i++) while (!isThere(i)) await pause(1);
          })(),
        );
        took(performance.now() - before, TOGETHER);
      }
    },
  };
}

function keys(generation: number): [string, string][] {
  return Array.from({ length: TOGETHER }, (_, i) => [`soak/${i}/value`, String(generation)]);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
