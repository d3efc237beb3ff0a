import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { type Content, inStore, readBody } from './consul-body.ts';
import { canWait, isFromServers, isStored } from './consul-path.ts';
import type { Query } from './query.ts';

/** Consul answers, but not this query: a retry without a change on somebody's side is of little use. */
export class Refusal extends Error {}

/** A reply as it came. */
export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** What it says. */
export interface Said extends Content {
  /** What to wait for a change of; at least 1, since 0 would not wait; 0 where Consul cannot wait. */
  index: bigint;
  /** How long ago (ms) the server that answered had last heard from the leader. */
  age: number;
  /** Of its body. */
  bytes: number;
  /** Equal for equal replies. */
  mark: string;
}

/**
 * Reads a reply. What is partial or not Consul's is an error: it must never take the place of good data.
 * @throws Refusal when Consul answers that it will not answer, Error for all else that is no answer
 */
export function readReply(query: Query, { status, headers, body }: Reply): Said {
  const missing = status === 404 && isStored(query.kind);
  if (status !== 200 && !missing) {
    const cause = `consul answers ${status}: ${inShort(body)}`;
    // 429 is a limit that passes, whatever its first digit says.
    throw status >= 400 && status < 500 && status !== 429 ? new Refusal(cause) : new Error(cause);
  }
  const index = canWait(query.kind) ? indexOf(headers, status) : 0n;
  // Of what the agent answers by itself, older ones say false throughout.
  if (isFromServers(query.kind) && header(headers, 'x-consul-knownleader') === 'false')
    throw new Error('consul answers without a leader');
  if (header(headers, 'x-consul-results-filtered-by-acls') === 'true')
    throw new Refusal('the answer is partial: the token may not read all of it');
  const content = missing ? inStore(query, []) : readBody(query, body);
  return {
    ...content,
    index,
    age: Number(header(headers, 'x-consul-lastcontact') ?? 0) || 0,
    bytes: body.length,
    mark: hash('sha256', `${status} ${body}`, 'base64'),
  };
}

function indexOf(headers: IncomingHttpHeaders, status: number): bigint {
  const index = header(headers, 'x-consul-index');
  if (index === undefined || !/^\d{1,20}$/.test(index))
    throw new Refusal(`the answer (${status}) has no X-Consul-Index: it is not Consul's`);
  const at = BigInt(index);
  return at < 1n ? 1n : at;
}

function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The first words of an error page, on one line. */
function inShort(body: string): string {
  const words = body.replace(/\s+/g, ' ').trim();
  return words === '' ? 'nothing' : words.length > 160 ? `${words.slice(0, 160)}…` : words;
}
