/* biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is what templates are written with */
/**
 * A network that does everything wrong, at random, in front of a real agent. What is promised: what one query answers
 * (`tree`, `ls`, `service`, and keys of one directory that are asked as one) is in the file as Consul held it at one moment;
 * each key by itself is what Consul held; and in the end all is as it is.
 *
 * SUPERVISE_CHAOS_MINUTES makes it long, SUPERVISE_CHAOS_SEED makes it the same again.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startConsul } from '../consul.ts';
import { FAULTS, startFaultProxy } from '../fault-proxy.ts';
import { until } from '../tree.ts';
import { hbs, startTemplater } from './template.ts';

const SECONDS = Number(process.env['SUPERVISE_CHAOS_MINUTES'] ?? 0.25) * 60;
const SEED = Number(process.env['SUPERVISE_CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const KEYS = 20;

test('through every fault at random a file is always what Consul held, and in the end what it holds', async (t) => {
  t.diagnostic(`SUPERVISE_CHAOS_SEED=${SEED}`);
  const random = randomFrom(SEED);
  const consul = await startConsul();
  t.after(() => consul.stop());
  const proxy = await startFaultProxy(consul.address);
  t.after(() => proxy.close());
  let generation = 0;
  /** All keys at once: no reader can see but one generation. */
  const write = async (): Promise<void> => {
    const Value = Buffer.from(String(generation + 1)).toString('base64');
    const keys = ['tree', 'keys', 'few'].flatMap((directory) =>
      Array.from({ length: directory === 'few' ? 3 : KEYS }, (_, i) => `${directory}/${i}`),
    );
    const body = keys.map((Key) => ({ KV: { Verb: 'set', Key, Value } }));
    const reply = await fetch(`http://${consul.address}/v1/txn`, {
      method: 'PUT',
      body: JSON.stringify(body),
    });
    assert.equal(reply.status, 200);
    generation++;
  };
  await write();
  const each = (directory: string, count: number): string =>
    Array.from({ length: count }, (_, i) => `{{key "${directory}/${i}"}}\n`).join('');
  const run = startTemplater(
    t,
    {
      'app/templates/tree.hbs': hbs({ dest: '${OUT}/tree' }, '{{#each (tree "tree")}}{{Value}}\n{{/each}}'),
      'app/templates/keys.hbs': hbs({ dest: '${OUT}/keys' }, each('keys', KEYS)),
      'app/templates/few.hbs': hbs({ dest: '${OUT}/few' }, each('few', 3)),
    },
    { env: { CONSUL_HTTP_ADDR: proxy.address } },
  );
  await run.report('rendered');
  let looks = 0;
  const seen = new Set<string>();
  const look = (): void => {
    looks++;
    for (const [name, count] of [
      ['tree', KEYS],
      ['keys', KEYS],
      ['few', 3],
    ] as const) {
      const values = (run.read(`out/${name}`) ?? '').trim().split('\n');
      assert.equal(values.length, count, name);
      for (const value of values) assert.ok(/^\d+$/.test(value) && Number(value) <= generation + 1, value);
      if (name !== 'few') assert.equal(new Set(values).size, 1, `${name} of one moment, not ${values}`);
      seen.add(`${name} ${values[0]}`);
    }
    assert.equal(ended, undefined, 'it ended');
  };
  let ended: number | null | undefined;
  void run.ended.then((code) => {
    ended = code;
  });
  const end = performance.now() + SECONDS * 1000;
  let faults = 0;
  while (performance.now() < end) {
    const fault = FAULTS[Math.floor(random() * FAULTS.length)];
    if (fault) proxy.fault(fault);
    faults++;
    for (const ms of [random() * 600, random() * 400]) {
      const until = performance.now() + ms;
      while (performance.now() < until) {
        if (random() < 0.2) await write();
        look();
        await sleep(10);
      }
      proxy.fault({ type: 'none' });
    }
  }
  await write();
  await until('the last generation', () => {
    look();
    return ['tree', 'keys', 'few'].every((name) =>
      run
        .read(`out/${name}`)
        ?.split('\n')
        .slice(0, -1)
        .every((value) => value === String(generation)),
    );
  });
  t.diagnostic(
    `${faults} faults and ${generation} generations in ${SECONDS} s, ${seen.size} of them seen in ${looks} looks`,
  );
});

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
