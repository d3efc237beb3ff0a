/* biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is what templates are written with */
/** Many keys, many changes, many restarts: with a real agent at its default limits. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { type ConsulAgent, startConsul } from '../consul.ts';
import { type Files, until } from '../tree.ts';
import { hbs, startTemplater } from './template.ts';

async function agent(t: TestContext): Promise<ConsulAgent> {
  const consul = await startConsul();
  t.after(() => consul.stop());
  return consul;
}

test('1,000 keys in 50 templates: all rendered on few connections, and others are served meanwhile', async (t) => {
  const consul = await agent(t);
  const files: Files = {};
  const key = (i: number, j: number): string => `load/s${i}/k${j}`;
  for (let i = 0; i < 50; i++) {
    await Promise.all(Array.from({ length: 20 }, (_, j) => consul.put(key(i, j), `${i}.${j}`)));
    const body = Array.from({ length: 20 }, (_, j) => `{{key "${key(i, j)}"}}\n`).join('');
    files[`app/templates/${i}.hbs`] = hbs({ dest: `\${OUT}/${i}` }, body);
  }
  const run = startTemplater(t, files, { env: { CONSUL_HTTP_ADDR: consul.address } });
  const others: number[] = [];
  let most = 0;
  let done = false;
  const look = (): void => {
    most = Math.max(most, connections(run.pid, consul.port));
    if (!done) setTimeout(look, 2);
  };
  look();
  const other = (async () => {
    while (!done) {
      const began = performance.now();
      const reply = await fetch(`http://${consul.address}/v1/kv/load/s0/k0?raw`);
      assert.equal(await reply.text(), '0.0');
      others.push(performance.now() - began);
    }
  })();
  const began = performance.now();
  await run.report('rendered');
  const took = performance.now() - began;
  await consul.put(key(49, 19), 'new');
  await until('the new value', () => run.read('out/49')?.endsWith('\nnew\n'));
  done = true;
  await other;
  t.diagnostic(
    `rendered after ${took.toFixed(0)} ms; at most ${most} connections, ${connections(run.pid, consul.port)} in the end; ` +
      `${others.length} requests of another client, the slowest ${Math.max(...others).toFixed(0)} ms`,
  );
  for (let i = 0; i < 49; i++)
    assert.equal(run.read(`out/${i}`), Array.from({ length: 20 }, (_, j) => `${i}.${j}\n`).join(''));
  assert.ok(most <= 20, `${most} connections at once`);
});

test('300 services, which cannot be one query: rendered, followed in turns, on few connections', async (t) => {
  const consul = await agent(t);
  const body = Array.from({ length: 300 }, (_, i) => `{{#each (service "s${i}" min=0)}}${i}\n{{/each}}`);
  const run = startTemplater(
    t,
    { 'app/templates/a.hbs': hbs({ dest: '${OUT}/a' }, body.join('')) },
    { env: { CONSUL_HTTP_ADDR: consul.address } },
  );
  let most = 0;
  let done = false;
  const look = (): void => {
    most = Math.max(most, connections(run.pid, consul.port));
    if (!done) setTimeout(look, 5);
  };
  look();
  await run.file('out/a', '');
  for (const i of [0, 150, 299]) await consul.register({ name: `s${i}` });
  const began = performance.now();
  await run.file('out/a', '0\n150\n299\n');
  done = true;
  t.diagnostic(
    `all three seen after ${(performance.now() - began).toFixed(0)} ms; at most ${most} connections`,
  );
  assert.ok(most > 10 && most <= 20, `${most} connections at once`);
});

test('a storm of changes: the last value is there, in one report for each time of --wait', async (t) => {
  const seconds = Number(process.env['SUPERVISE_STORM_SECONDS'] ?? 2);
  const consul = await agent(t);
  await consul.put('storm/0', 'first');
  const run = startTemplater(
    t,
    { 'app/templates/a.hbs': hbs({ dest: '${OUT}/a' }, '{{key "storm/0"}} {{key "storm/1" default=""}}\n') },
    { env: { CONSUL_HTTP_ADDR: consul.address, SUPERVISE_WAIT: '100ms:1s' } },
  );
  await run.report('rendered');
  const before = cpuMs(run.pid);
  const began = performance.now();
  let puts = 0;
  const write = async (key: string): Promise<void> => {
    while (performance.now() - began < seconds * 1000) await consul.put(key, `${key} ${puts++}`);
    await consul.put(key, `${key} last`);
  };
  await Promise.all([write('storm/0'), write('storm/1'), write('elsewhere/0'), write('elsewhere/1')]);
  const after = cpuMs(run.pid);
  const stormed = performance.now() - began;
  await run.file('out/a', 'storm/0 last storm/1 last\n');
  const reports = run.count('rendered') - 1;
  t.diagnostic(
    `${puts} PUTs in ${(stormed / 1000).toFixed(1)} s: ${reports} reports, ${after - before} ms of CPU; ` +
      `the last value ${(performance.now() - began - stormed).toFixed(0)} ms after the last PUT`,
  );
  // Nothing is quiet for as long as the least time, so only the longest ends a generation; and one before and one after the storm.
  assert.ok(reports <= stormed / 1000 + 2, `${reports} reports`);
});

/** CPU time of a process so far. */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Established TCP connections of a process to a port of this machine. */
function connections(pid: number, port: number): number {
  const sockets = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      sockets.add(/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? '');
    } catch {
      // Closed while we looked.
    }
  }
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const rows = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').trim().split('\n').slice(1);
  return rows.filter((row) => {
    const [, , remote = '', state, , , , , , inode = ''] = row.trim().split(/\s+/);
    return remote.endsWith(`:${hex}`) && state === '01' && sockets.has(inode);
  }).length;
}
