/** Real runs of `supervise install` against servers of the test's own. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { consulBinary } from '../consul.ts';
import { type Ended, type RunningTree, startBundle, type TreeOptions } from '../tree.ts';

/** What it may write stays in `directory`, which the test made. */
export interface Installing {
  url?: string;
  directory: string;
  env?: Record<string, string>;
  args?: string[];
  prefix?: string[];
}

export const IS_ROOT = process.getuid?.() === 0;
/** A mount namespace of its own, in which a script can mount. */
export const MOUNTS = ['unshare', IS_ROOT ? '-m' : '-rm', 'sh', '-euc'];

export function startInstall(t: TestContext, options: Installing): RunningTree {
  const { url, directory, env, args = [], prefix } = options;
  const given: TreeOptions = {
    env: { PACKAGE_DIR: directory, ...(url === undefined ? {} : { PACKAGE_ZIP_URL: url }), ...env },
    ...(prefix ? { prefix } : {}),
  };
  return startBundle(t, ['install', ...args], given);
}

export async function runInstall(
  t: TestContext,
  options: Installing,
): Promise<RunningTree & { exit: Ended }> {
  const run = startInstall(t, options);
  return Object.assign(run, { exit: await run.ended });
}

/** A server that answers as told, and counts. */
export async function serve(
  t: TestContext,
  answer: Buffer | RequestListener,
  tls?: { cert: Buffer; key: Buffer },
): Promise<{ url: string; requests: { url: string; authorization: string | undefined }[] }> {
  const requests: { url: string; authorization: string | undefined }[] = [];
  const listener: RequestListener = (request, response) => {
    requests.push({ url: request.url ?? '', authorization: request.headers.authorization });
    if (typeof answer === 'function') answer(request, response);
    else response.end(answer);
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

export function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

/** All that is in a directory, as text: path, permissions, content. Empty where there is none. */
export function snapshot(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const path = join(directory, name);
      const stat = lstatSync(path);
      const content = stat.isFile()
        ? readFileSync(path, 'latin1').slice(0, 200)
        : stat.isSymbolicLink()
          ? `→ ${readlinkSync(path)}`
          : '/';
      return `${name} ${(stat.mode & 0o7777).toString(8)} ${content}`;
    });
}

/** A key and a certificate for 127.0.0.1, and the authority to be trusted, made by the Consul that tests have. */
export async function makeCertificate(directory: string): Promise<{ ca: string; cert: Buffer; key: Buffer }> {
  const consul = await consulBinary();
  const run = (...args: string[]): unknown => execFileSync(consul, args, { cwd: directory, stdio: 'pipe' });
  run('tls', 'ca', 'create');
  run('tls', 'cert', 'create', '-server', '-additional-ipaddress=127.0.0.1');
  const file = (name: string): string => join(directory, name);
  return {
    ca: file('consul-agent-ca.pem'),
    cert: readFileSync(file('dc1-server-consul-0.pem')),
    key: readFileSync(file('dc1-server-consul-0-key.pem')),
  };
}
