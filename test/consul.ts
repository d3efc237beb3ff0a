/** A real Consul agent for tests: found or fetched, started on free loopback ports, ended by its pid. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, chmod, constants, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import Consul from 'consul';
import { unzipSync } from 'fflate';
import { until } from './tree.ts';

/** What is fetched where no agent is found. */
const VERSION = '1.22.2';
const RELEASES = `https://releases.hashicorp.com/consul/${VERSION}`;
const CACHE = join(import.meta.dirname, '..', '.cache', 'consul');

const run = promisify(execFile);
let found: Promise<string> | undefined;

/**
 * The agent's program: CONSUL_BIN, or on PATH, or fetched before, or fetched now and checked against HashiCorp's sums.
 * @throws Error when there is none to be had: a test that needs Consul fails without it, it is never skipped
 */
export function consulBinary(): Promise<string> {
  found ??= findBinary();
  return found;
}

export interface ConsulAgent {
  /** `127.0.0.1:PORT`, as for CONSUL_HTTP_ADDR. */
  readonly address: string;
  readonly port: number;
  readonly pid: number;
  put(key: string, value: string | Buffer): Promise<void>;
  delete(key: string): Promise<void>;
  /** Registers an instance with the agent, passing unless told otherwise. */
  register(service: {
    name: string;
    id?: string;
    address?: string;
    port?: number;
    tags?: string[];
    meta?: Record<string, string>;
  }): Promise<void>;
  deregister(id: string): Promise<void>;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  /** The same port again, with nothing in it; returns when a leader is there. */
  restart(): Promise<void>;
  /** SIGKILL, and removes its data. */
  stop(): Promise<void>;
}

export interface ConsulOptions {
  /** The agent's configuration, beside what makes it one for tests. */
  config?: Record<string, unknown>;
  /** What put() and the others are done with. */
  token?: string;
}

/** Starts `consul agent -dev` and waits until it has a leader. */
export async function startConsul({ config = {}, token }: ConsulOptions = {}): Promise<ConsulAgent> {
  const binary = await consulBinary();
  const directory = await mkdtemp(join(tmpdir(), 'supervise-consul-'));
  const ports = await freePorts(4);
  const [http = 0] = ports;
  const address = `127.0.0.1:${http}`;
  await writeFile(join(directory, 'config.json'), JSON.stringify(config));
  let child = await launch(binary, directory, ports);
  const client = new Consul({
    host: '127.0.0.1',
    port: http,
    ...(token && { defaults: { token } }),
  });

  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  return {
    address,
    port: http,
    get pid() {
      return child.pid ?? 0;
    },
    async put(key, value) {
      await client.kv.set(key, value as string);
    },
    async delete(key) {
      await client.kv.del(key);
    },
    async register(service) {
      await client.agent.service.register(service);
    },
    async deregister(id) {
      await client.agent.service.deregister(id);
    },
    kill,
    async restart() {
      await kill();
      child = await launch(binary, directory, ports);
    },
    async stop() {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function launch(binary: string, directory: string, ports: readonly number[]): Promise<ChildProcess> {
  const [http, serf, serfWan, server] = ports;
  const { stdout: help } = await run(binary, ['agent', '--help']).catch(({ stdout }) => ({
    stdout: String(stdout),
  }));
  const args = [
    'agent',
    '-dev',
    '-config-file=config.json',
    '-bind=127.0.0.1',
    '-client=127.0.0.1',
    `-node=n${http}`,
    '-log-level=warn',
  ];
  args.push(
    `-http-port=${http}`,
    `-serf-lan-port=${serf}`,
    `-serf-wan-port=${serfWan}`,
    `-server-port=${server}`,
  );
  args.push('-dns-port=-1', '-grpc-port=-1', '-disable-host-node-id');
  if (help.includes('-grpc-tls-port')) args.push('-grpc-tls-port=-1');
  const child = spawn(binary, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  // An agent that outlives its test would be found by the next one: the test's own end takes it along.
  const end = (): boolean => child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  let output = '';
  child.stdout?.on('data', (chunk) => (output += chunk));
  child.stderr?.on('data', (chunk) => (output += chunk));
  await until('a Consul leader', async () => {
    if (child.exitCode !== null) throw new Error(`consul agent exited with ${child.exitCode}:\n${output}`);
    const reply = await fetch(`http://127.0.0.1:${http}/v1/status/leader`).catch(() => undefined);
    return reply?.ok && (await reply.text()) !== '""';
  });
  return child;
}

/** Ports that were free a moment ago; taken together, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function findBinary(): Promise<string> {
  const named = process.env['CONSUL_BIN'];
  if (named) {
    if (await isExecutable(named)) return named;
    throw new Error(`cannot run CONSUL_BIN=${named}: it is not executable`);
  }
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    // npm puts its packages' programs on PATH; the client library has none, but a namesake may.
    const path = join(directory || '.', 'consul');
    if (!directory.includes('node_modules') && (await isExecutable(path))) return path;
  }
  const cached = join(CACHE, `consul-${VERSION}`);
  if (await isExecutable(cached)) return cached;
  try {
    await fetchBinary(cached);
  } catch (error) {
    throw new Error(
      `cannot find a Consul agent: it is neither in CONSUL_BIN nor on PATH, and ${(error as Error).message}\n` +
        `  hint: put consul on PATH, or let ${RELEASES} be reached`,
      { cause: error },
    );
  }
  return cached;
}

async function fetchBinary(path: string): Promise<void> {
  const arch = { x64: 'amd64', arm64: 'arm64', ia32: '386' }[process.arch as string] ?? process.arch;
  const name = `consul_${VERSION}_${process.platform}_${arch}.zip`;
  const [zip, sums] = await Promise.all([
    download(`${RELEASES}/${name}`),
    download(`${RELEASES}/consul_${VERSION}_SHA256SUMS`),
  ]);
  const digest = createHash('sha256').update(zip).digest('hex');
  if (!new TextDecoder().decode(sums).split('\n').includes(`${digest}  ${name}`))
    throw new Error(`${name} has another SHA-256 than its publisher says: ${digest}`);
  const program = unzipSync(zip, { filter: (file) => file.name === 'consul' })['consul'];
  if (!program) throw new Error(`${name} holds no consul`);
  await mkdir(CACHE, { recursive: true });
  const staged = `${path}.${process.pid}`;
  await writeFile(staged, program);
  await chmod(staged, 0o755);
  await rename(staged, path);
}

async function download(url: string): Promise<Uint8Array> {
  const reply = await fetch(url, { signal: AbortSignal.timeout(120_000) });
  if (!reply.ok) throw new Error(`${url} answers ${reply.status}`);
  return new Uint8Array(await reply.arrayBuffer());
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
