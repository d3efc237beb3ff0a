import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecureContextOptions } from 'node:tls';
import { type Ms, parseDuration } from '../../core/duration.ts';
import { causeOf, UserError } from '../../errors.ts';

/** How to reach Consul, as its own clients read it from the environment. */
export interface ConsulConfig {
  /** `consul at 127.0.0.1:8500`; never with credentials. */
  name: string;
  secure: boolean;
  host: string;
  port: number;
  /** Path of a Unix socket, instead of host and port. */
  socketPath: string | undefined;
  /** What stands before `/v1`: empty, or the path under which a gateway has Consul. */
  prefix: string;
  tls: SecureContextOptions & { servername?: string; rejectUnauthorized?: boolean };
  /** The files that `tls` was read from. */
  tlsFiles: readonly { path: string; isDirectory: boolean }[];
  /**
   * Reads them again.
   * @throws UserError when one cannot be read
   */
  readTls: () => ConsulConfig['tls'];
  /** Parameters of every request: `ns`, `partition`. */
  params: Readonly<Record<string, string>>;
  /** Any server may answer, unless it has been out of touch with the leader for longer; undefined: only the leader. */
  maxStale: Ms | undefined;
  /** Where the token is, when it is in a file. */
  tokenFile: string | undefined;
  /**
   * Headers with the token as it is now: its file may be replaced while we run.
   * @throws UserError when the file cannot be read
   */
  headers: () => Promise<Record<string, string>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_ADDRESS = '127.0.0.1:8500';
const DEFAULT_PORT = 8500;

/**
 * @param address of `--consul-addr`, `--source` or the environment: `host:port`, `http://…`, `https://…`, `unix://…`
 * @throws UserError for an address or a certificate that is of no use
 */
export function readConsulConfig(env: Environment, address: string | undefined): ConsulConfig {
  const text = address || env['CONSUL_HTTP_ADDR'] || env['CONSUL'] || DEFAULT_ADDRESS;
  const params = {
    ...(env['CONSUL_NAMESPACE'] ? { ns: env['CONSUL_NAMESPACE'] } : {}),
    ...(env['CONSUL_PARTITION'] ? { partition: env['CONSUL_PARTITION'] } : {}),
  };
  const common = {
    params,
    maxStale: readMaxStale(env['SUPERVISE_MAX_STALE']),
    tokenFile: env['CONSUL_HTTP_TOKEN_FILE'] || undefined,
  };
  const socketPath = /^unix:\/\/(\/.+)$/.exec(text)?.[1];
  if (socketPath !== undefined) {
    const headers = headersFrom(env, undefined);
    const place = { host: 'localhost', port: 0, socketPath, prefix: '', secure: false, tls: {} };
    const noTls = { tlsFiles: [], readTls: () => ({}) };
    return { name: `consul at ${socketPath}`, ...place, ...noTls, ...common, headers };
  }
  const url = parseAddress(text, isTrue(env['CONSUL_HTTP_SSL']));
  const secure = url.protocol === 'https:';
  const [, scheme] = /^(\w+):\/\//.exec(text) ?? [];
  // URL forgets a port that is the usual one of its scheme, so `host:80` is asked about under another scheme.
  const given = new URL(text.replace(/^(\w+:\/\/)?/, 'x://')).port;
  const port = given ? Number(given) : scheme === undefined ? DEFAULT_PORT : secure ? 443 : 80;
  return {
    name: `consul at ${url.hostname}:${port}`,
    secure,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    socketPath: undefined,
    prefix: url.pathname.replace(/\/+$/, ''),
    tls: secure ? readTls(env) : {},
    tlsFiles: secure ? tlsFilesOf(env) : [],
    readTls: () => (secure ? readTls(env) : {}),
    ...common,
    headers: headersFrom(env, url.username ? `${url.username}:${url.password}` : undefined),
  };
}

function readMaxStale(text: string | undefined): Ms | undefined {
  if (!text) return undefined;
  const time = parseDuration(text);
  if (time === undefined)
    throw new UserError(
      `cannot use SUPERVISE_MAX_STALE: expected a time such as 2s, got ${JSON.stringify(text)}`,
    );
  return time;
}

function parseAddress(text: string, secure: boolean): URL {
  const hint = 'CONSUL_HTTP_ADDR is host:port, http://…, https://… or unix:///path';
  // The address is not shown: it may hold a password.
  const refuse = (): never => {
    throw new UserError("cannot use Consul's address: it is none", { hint });
  };
  const withScheme = /^\w+:\/\//.test(text) ? text : `${secure ? 'https' : 'http'}://${text}`;
  if (!URL.canParse(withScheme)) return refuse();
  const url = new URL(withScheme);
  return (url.protocol === 'http:' || url.protocol === 'https:') && url.hostname ? url : refuse();
}

function readTls(env: Environment): ConsulConfig['tls'] {
  const from = <T>(variable: string, read: (path: string) => T): T | undefined => {
    const path = env[variable];
    if (!path) return undefined;
    try {
      return read(path);
    } catch (error) {
      throw new UserError(`cannot read ${variable}=${path}: ${causeOf(error)}`, { cause: error });
    }
  };
  const file = (variable: string): string | undefined => from(variable, (path) => readFileSync(path, 'utf8'));
  const ca = file('CONSUL_CACERT') ?? from('CONSUL_CAPATH', readCertificates);
  const [cert, key] = [file('CONSUL_CLIENT_CERT'), file('CONSUL_CLIENT_KEY')];
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(env['CONSUL_TLS_SERVER_NAME'] ? { servername: env['CONSUL_TLS_SERVER_NAME'] } : {}),
    ...(isFalse(env['CONSUL_HTTP_SSL_VERIFY']) ? { rejectUnauthorized: false } : {}),
  };
}

function tlsFilesOf(env: Environment): ConsulConfig['tlsFiles'] {
  const files = ['CONSUL_CACERT', 'CONSUL_CLIENT_CERT', 'CONSUL_CLIENT_KEY'].flatMap(
    (name) => env[name] || [],
  );
  return [
    ...files.map((path) => ({ path, isDirectory: false })),
    ...(env['CONSUL_CAPATH'] ? [{ path: env['CONSUL_CAPATH'], isDirectory: true }] : []),
  ];
}

/** Every certificate in the files of a directory. */
function readCertificates(directory: string): string[] {
  const found = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => readFileSync(join(directory, name), 'utf8'))
    .filter((text) => text.includes('-----BEGIN CERTIFICATE-----'));
  if (found.length === 0) throw new Error('there is no certificate in it');
  return found;
}

function headersFrom(env: Environment, login: string | undefined): ConsulConfig['headers'] {
  const auth = env['CONSUL_HTTP_AUTH'] || (login && decodeURIComponent(login));
  const fixed: Record<string, string> = auth
    ? { authorization: `Basic ${Buffer.from(auth).toString('base64')}` }
    : {};
  const file = env['CONSUL_HTTP_TOKEN_FILE'];
  if (!file) {
    const token = env['CONSUL_HTTP_TOKEN'];
    return async () => (token ? { ...fixed, 'x-consul-token': token } : fixed);
  }
  return async () => {
    try {
      const token = (await readFile(file, 'utf8')).trim();
      return token ? { ...fixed, 'x-consul-token': token } : fixed;
    } catch (error) {
      throw new UserError(`cannot read CONSUL_HTTP_TOKEN_FILE=${file}: ${causeOf(error)}`, { cause: error });
    }
  };
}

/** Truth as Go's strconv.ParseBool has it, which Consul's clients use. */
function isTrue(text: string | undefined): boolean {
  return /^(1|t|true)$/i.test(text ?? '');
}

function isFalse(text: string | undefined): boolean {
  return /^(0|f|false)$/i.test(text ?? '');
}
