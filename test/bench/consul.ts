/** From a change in Consul to the file. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConsulAgent, startConsul } from '../consul.ts';
import { BUNDLE, until, writeFiles } from '../tree.ts';
import { pause, report } from './report.ts';

const ROUNDS = 50;
const RESTARTS = 10;
/** From one PUT to the next: nobody counts them as a storm. */
const QUIET_MS = 150;

/** PUT → the new bytes in the file, beside a bare blocking query in a loop: what is between is ours. */
export async function latency(): Promise<void> {
  await withConsul(async (consul) => {
    for (const wait of ['0', '100ms:2s'])
      await withRenderer(consul, ours('--wait', wait), (value) =>
        measure(`latency: PUT → file with --wait ${wait}, ms`, consul, value),
      );
    if (!spawnSync('consul-template', ['-version']).error)
      await withRenderer(consul, theirs, (value) =>
        measure('latency: PUT → file by consul-template, ms', consul, value),
      );
    const loop = bareLoop(consul);
    await measure('latency: PUT → answer of a bare blocking query, ms', consul, loop.value);
    loop.stop();
  });
}

/** Consul killed and started again with nothing in it, so with a lower index: it answers → a new value is in the file. */
export async function recovery(): Promise<void> {
  await withConsul(async (consul) => {
    for (let i = 0; i < 100; i++) await consul.put('elsewhere', String(i));
    await withRenderer(consul, ours('--wait', '0'), async (value) => {
      const times: number[] = [];
      for (let i = 0; i < RESTARTS; i++) {
        await consul.kill();
        await pause(i * 500);
        await consul.restart();
        const before = performance.now();
        await consul.put('bench', `v${i}`);
        await value(`v${i}`);
        times.push(performance.now() - before);
      }
      report('recovery: Consul answers again after up to 5 s → a new value is in the file, ms', times);
    });
  });
}

/** Waits until the value has come through. */
type Arrival = (value: string) => Promise<void>;

async function measure(what: string, consul: ConsulAgent, arrival: Arrival): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    await pause(QUIET_MS);
    const before = performance.now();
    await consul.put('bench', `${what} ${i}`);
    await arrival(`${what} ${i}`);
    times.push(performance.now() - before);
  }
  report(what, times);
}

/** The command that renders the key `bench` into a file, made from the directory for its template and that file. */
type Renderer = (directory: string, file: string) => string[];

function ours(...args: string[]): Renderer {
  return (directory, file) => {
    writeFiles(directory, { 'app/templates/app.hbs': `{{!--\ndest: ${file}\n--}}\n{{key "bench"}}\n` });
    const argv = [BUNDLE, 'template', '--services', directory, '--log-level', 'error', ...args];
    return [process.execPath, ...argv];
  };
}

function theirs(directory: string, file: string): string[] {
  writeFiles(directory, { 'app.ctmpl': '{{key "bench"}}\n' });
  return ['consul-template', '-log-level', 'err', '-template', `${join(directory, 'app.ctmpl')}:${file}`];
}

async function withRenderer(
  consul: ConsulAgent,
  renderer: Renderer,
  use: (arrival: Arrival) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'supervise-bench-'));
  const file = join(directory, 'app.conf');
  await consul.put('bench', 'first');
  const [command = '', ...argv] = renderer(directory, file);
  const env = { PATH: process.env['PATH'], CONSUL_HTTP_ADDR: consul.address };
  const child = spawn(command, argv, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const read = (): string | undefined => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);
  try {
    await until('the first file', () => read() === 'first\n');
    await use(async (value) => {
      while (read() !== `${value}\n`) await pause(0);
    });
  } finally {
    child.kill('SIGTERM');
    await gone;
    rmSync(directory, { recursive: true, force: true });
  }
}

async function withConsul(use: (consul: ConsulAgent) => Promise<void>): Promise<void> {
  const consul = await startConsul();
  try {
    await use(consul);
  } finally {
    await consul.stop();
  }
}

/** The least that one can do. */
function bareLoop(consul: ConsulAgent): { value: Arrival; stop(): void } {
  const stopped = new AbortController();
  const { signal } = stopped;
  let value = '';
  let told = (): void => {};
  void (async () => {
    for (let index = '0'; ; ) {
      const reply = await fetch(`http://${consul.address}/v1/kv/bench?index=${index}&wait=50s`, { signal });
      index = reply.headers.get('x-consul-index') ?? '0';
      const [pair] = (await reply.json()) as { Value: string }[];
      value = Buffer.from(pair?.Value ?? '', 'base64').toString();
      told();
    }
  })().catch(() => {});
  return {
    async value(wanted) {
      while (value !== wanted)
        await new Promise<void>((resolve) => {
          told = resolve;
        });
    },
    stop: () => stopped.abort(),
  };
}
