import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { type IncomingMessage, request as requestHttp, STATUS_CODES } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { formatDuration, type Ms } from '../core/duration.ts';
import { causeOf, EXIT, errno, UserError } from '../errors.ts';
import type { Log } from '../log.ts';
import { VERSION } from '../version.ts';
import type { Address } from './address.ts';
import { diskError } from './disk-error.ts';
import { formatSize } from './size.ts';

const MOST_REDIRECTS = 10;
const REDIRECTS = [301, 302, 303, 307, 308];
/** Answers that may be others the next time, beside 5xx: request timeout, and too many requests. */
const PASSING = [408, 429];
/** The delay between two attempts: at first, and at the most; it doubles, and half of it is chance. */
const DELAY: { min: Ms; max: Ms } = { min: 500, max: 10_000 };

const TRUST = 'NODE_EXTRA_CA_CERTS=FILE trusts the authorities in a PEM file';

export interface FetchOptions {
  address: Address;
  /** Where it goes. */
  file: string;
  /** Most bytes. */
  maxSize: number;
  /** Ceiling of it all, retries included; 0: none. */
  timeout: Ms;
  /** No byte for so long ends an attempt; 0: never. */
  idleTimeout: Ms;
  retries: number;
  signal: AbortSignal;
  log: Log;
}

export interface Fetched {
  bytes: number;
  sha256: string;
}

/**
 * Brings the file here, straight onto the disk.
 * @throws UserError that names neither credentials nor more of a redirect's target than its host
 */
export async function fetchPackage(options: FetchOptions): Promise<Fetched> {
  const { address, timeout, retries, log } = options;
  const late = timeout > 0 ? AbortSignal.timeout(timeout) : new AbortController().signal;
  const signal = AbortSignal.any([options.signal, late]);
  let last: string | undefined;
  const giveUp = (): never => {
    options.signal.throwIfAborted();
    throw failure(
      address,
      `it took longer than ${formatDuration(timeout)}${last === undefined ? '' : ` (${last})`}`,
      { hint: 'raise PACKAGE_TIMEOUT, or look at the network', exitCode: EXIT.system },
    );
  };
  for (let attempt = 0; ; attempt++) {
    try {
      return await attemptFetch(options, signal);
    } catch (error) {
      if (signal.aborted) giveUp();
      if (!(error instanceof Passing)) throw error;
      last = error.message;
    }
    if (attempt >= retries)
      throw failure(address, attempt === 0 ? last : `${last}, ${attempt + 1} times`, {
        exitCode: EXIT.system,
      });
    const longest = Math.min(DELAY.max, DELAY.min * 2 ** attempt);
    const delay = Math.round(longest * (0.5 + Math.random() / 2));
    log.warn('fetching again', { package: address.shown, cause: last, inMs: delay });
    await sleep(delay, undefined, { signal }).catch(giveUp);
  }
}

/** What may be over by the next attempt. */
class Passing extends Error {}

async function attemptFetch(options: FetchOptions, signal: AbortSignal): Promise<Fetched> {
  const { address, file, idleTimeout } = options;
  const idle = new AbortController();
  const cut = AbortSignal.any([signal, idle.signal]);
  const tooSlow = (): void => idle.abort(new Passing(`nothing came for ${formatDuration(idleTimeout)}`));
  const to = await open(file, 'w', 0o600).catch((error: unknown) => {
    throw diskError(file, error);
  });
  try {
    const from =
      address.url.protocol === 'file:' ? await openLocal(options) : await openRemote(options, cut, tooSlow);
    return await store(options, from, to);
  } catch (error) {
    idle.signal.throwIfAborted();
    throw error;
  } finally {
    await to.close();
  }
}

async function store(
  { address, file, maxSize }: FetchOptions,
  from: Readable,
  to: FileHandle,
): Promise<Fetched> {
  const sum = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxSize) throw tooLarge(address, maxSize);
      sum.update(chunk);
      await to.writeFile(chunk).catch((error: unknown) => {
        throw diskError(file, error);
      });
    }
  } catch (error) {
    throw error instanceof UserError ? error : networkError(address, error);
  }
  return { bytes, sha256: sum.digest('hex') };
}

async function openLocal({ address, maxSize }: FetchOptions): Promise<Readable> {
  try {
    const path = fileURLToPath(address.url);
    const found = await stat(path);
    if (!found.isFile()) throw new Error('it is not a regular file');
    if (found.size > maxSize) throw tooLarge(address, maxSize);
    return createReadStream(path);
  } catch (error) {
    throw error instanceof UserError ? error : failure(address, causeOf(error));
  }
}

/** Follows redirects to the answer that has the file. */
async function openRemote(
  { address, maxSize, idleTimeout }: FetchOptions,
  signal: AbortSignal,
  tooSlow: () => void,
): Promise<Readable> {
  let { url } = address;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const response = await ask(url, signal, idleTimeout, tooSlow).catch((error: unknown) => {
      throw networkError(address, error);
    });
    const { statusCode: status = 0, headers } = response;
    if (status === 200 && Number(headers['content-length'] ?? 0) <= maxSize) return response;
    response.destroy();
    if (status === 200) throw tooLarge(address, maxSize);
    if (REDIRECTS.includes(status) && headers.location !== undefined) {
      url = follow(address, url, headers.location);
      continue;
    }
    const via = url.origin === address.url.origin ? '' : `, after a redirect to ${url.origin}`;
    const answer = `the server answered ${[status, STATUS_CODES[status] ?? ''].join(' ').trim()}${via}`;
    if (status >= 500 || PASSING.includes(status)) throw new Passing(answer);
    throw failure(address, answer, {
      hint: [401, 403].includes(status)
        ? 'credentials in PACKAGE_ZIP_URL may be missing, wrong or out of date'
        : 'look at PACKAGE_ZIP_URL',
    });
  }
  throw failure(address, `more than ${MOST_REDIRECTS} redirects`);
}

function ask(url: URL, signal: AbortSignal, idleTimeout: Ms, tooSlow: () => void): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const start: typeof requestHttp = url.protocol === 'https:' ? requestHttps : requestHttp;
    const request = start(url, {
      // A ZIP that the server compressed once more would be no ZIP here.
      headers: { 'user-agent': `supervise/${VERSION}`, accept: '*/*', 'accept-encoding': 'identity' },
      // Counts from the beginning of the connecting on, as request.setTimeout() does not.
      timeout: idleTimeout,
      signal,
    });
    request.once('timeout', tooSlow);
    request.once('response', resolve);
    // It stays: an error may follow the answer, and is told where that is read.
    request.on('error', reject);
    request.end();
  });
}

/** Credentials go no further than the host that they were given for. */
function follow(address: Address, from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (!to || (to.protocol !== 'http:' && to.protocol !== 'https:'))
    throw failure(address, 'it redirects to what is neither http nor https');
  if (from.protocol === 'https:' && to.protocol === 'http:')
    throw failure(address, `it redirects from https to http (${to.origin}), where anybody could change it`);
  if (to.origin !== from.origin) return to;
  [to.username, to.password] = [to.username || from.username, to.password || from.password];
  return to;
}

function networkError(address: Address, error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException;
  // A certificate or an answer that is no HTTP will be the same the next time; what a name server says need not be.
  const isPassing = (errno(error) !== undefined && code !== 'EPROTO') || code?.startsWith('EAI_') === true;
  if (isPassing) return new Passing(causeOf(error));
  // What Node adds behind a semicolon is advice about itself.
  const [cause = ''] = causeOf(error).split(';');
  return failure(address, cause, /certificate|issuer/.test(cause) ? { hint: TRUST } : {});
}

function tooLarge(address: Address, most: number): UserError {
  return failure(address, `it is larger than ${formatSize(most)}`, { hint: 'raise PACKAGE_MAX_SIZE' });
}

function failure(
  { shown }: Address,
  cause: string,
  options: { hint?: string; exitCode?: number } = {},
): UserError {
  return new UserError(`cannot fetch the package ${shown}: ${cause}`, options);
}
