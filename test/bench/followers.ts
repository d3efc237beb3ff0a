/** What follows a key of Consul, and how we learn that a value has come through it. */
import { join } from 'node:path';
import type { ConsulAgent } from '../consul.ts';
import { BUNDLE, NODE, writeFiles } from '../tree.ts';
import { Arrivals } from './arrivals.ts';
import { Bell, within } from './bell.ts';
import { type Bench, pause } from './context.ts';
import { ours, oursWith } from './peers/ours.ts';
import type { Command } from './peers/peer.ts';
import { FLOOR } from './results.ts';

export const THEIRS = 'consul-template';
const LIMIT_MS = 120_000;

export interface Follower {
  name: string;
  /** The key that it follows, its own. */
  key: string;
  /** Resolves when this value has come through. */
  arrived(value: string): Promise<unknown>;
  stop(): void;
}

/** How long a run of ours collects changes: not at all, and unless told otherwise. */
export interface Waiting {
  suffix: string;
  wait: string;
}

export const WAITS: readonly Waiting[] = [
  { suffix: '', wait: '0' },
  { suffix: ', --wait 100ms:2s', wait: '100ms:2s' },
];

/** PUTs values that were never there, one at a time, and tells how long each took, ms. */
export class Putter {
  readonly #consul: ConsulAgent;
  readonly #last = new Map<Follower, number>();
  #values = 0;

  constructor(consul: ConsulAgent) {
    this.#consul = consul;
  }

  /** @param quietMs from the one before until this one, for this follower */
  async put(follower: Follower, quietMs = 0): Promise<number> {
    const last = this.#last.get(follower);
    if (last !== undefined) await pause(last + quietMs - performance.now());
    const value = `value ${++this.#values}`;
    const put = performance.now();
    await this.#consul.put(follower.key, value);
    await within(LIMIT_MS, `"${value}"`, follower.arrived(value));
    const now = performance.now();
    this.#last.set(follower, now);
    return now - put;
  }
}

/** Our templater alone. */
export function ourFile(bench: Bench, consul: ConsulAgent, { suffix, wait }: Waiting): Follower {
  const key = `file${suffix}`;
  return file(bench, `${ours.name}${suffix}`, key, (directory) => {
    const services = join(directory, 'services');
    writeFiles(services, {
      'app/templates/app.hbs': `{{!--\ndest: ${directory}/watched/app.conf\n--}}\n{{key "${key}"}}\n`,
    });
    const argv = [NODE, BUNDLE, 'template', '--services', services, '--wait', wait] as const;
    return { argv, env: { CONSUL_HTTP_ADDR: consul.address } };
  });
}

export function theirFile(bench: Bench, consul: ConsulAgent): Follower {
  const key = 'file, theirs';
  return file(bench, THEIRS, key, (directory) => theirCommand(consul, directory, 'watched/app.conf', key));
}

function file({ stage }: Bench, name: string, key: string, lay: (directory: string) => Command): Follower {
  const directory = stage.place();
  const arrivals = new Arrivals(join(directory, 'watched'), 'app.conf');
  stage.spawn(lay(directory), { directory });
  return {
    name,
    key,
    arrived: (value) => arrivals.of(`${value}\n`),
    stop() {
      arrivals.close();
      stage.discard(directory);
    },
  };
}

/** A service that writes what its config is whenever it is told to read it. */
const RELOADED = `#!/bin/sh
exec 9>"$BELL"
trap 'cat "$HOME/app.conf" >&9' HUP
echo $$ >&9
while :; do sleep 100000 9>&- & wait; kill $!; done
`;

/** A whole tree of ours. It is there when the service runs. */
export async function ourService(
  { stage }: Bench,
  consul: ConsulAgent,
  { suffix, wait }: Waiting,
): Promise<Follower> {
  const key = `service${suffix}`;
  const template = `{{!--\ndest: \${HOME}/app.conf\non-change: reload\n--}}\n{{key "${key}"}}\n`;
  const peer = oursWith(
    suffix,
    { 'app/templates/app.hbs': template },
    { args: ['--wait', wait], env: { CONSUL_HTTP_ADDR: consul.address } },
  );
  await consul.put(key, 'first');
  const life = stage.start(peer, [{ name: 'app', run: RELOADED }]);
  const follower = { name: peer.name, key, arrived: ringing(life.bell), stop: () => life.end() };
  await running(follower, life.running());
  return follower;
}

/** A service that is consul-template's child, which is what it reloads by itself. */
export async function theirService({ stage }: Bench, consul: ConsulAgent): Promise<Follower> {
  const key = 'service, theirs';
  const directory = stage.place();
  const bell = new Bell(join(directory, 'bell'));
  writeFiles(directory, { run: RELOADED });
  await consul.put(key, 'first');
  const { argv } = theirCommand(consul, directory, 'app.conf', key);
  const exec = ['-exec', join(directory, 'run'), '-exec-reload-signal', 'SIGHUP'];
  stage.spawn({ argv: [...argv, ...exec] }, { directory, bell });
  const stop = (): void => {
    bell.close();
    stage.discard(directory);
  };
  const follower = { name: THEIRS, key, arrived: ringing(bell), stop };
  await running(follower, bell.rings(1, LIMIT_MS));
  return follower;
}

async function running(follower: Follower, runs: Promise<unknown>): Promise<void> {
  try {
    await runs;
  } catch (error) {
    follower.stop();
    throw error;
  }
}

function ringing(bell: Bell): Follower['arrived'] {
  return async (value) => {
    const [ring] = await bell.rings(1, LIMIT_MS);
    if (ring?.line !== value) throw new Error(`"${ring?.line}" came instead of "${value}"`);
  };
}

function theirCommand(consul: ConsulAgent, directory: string, destination: string, key: string): Command {
  writeFiles(directory, { 'app.ctmpl': `{{key "${key}"}}\n` });
  const template = `${directory}/app.ctmpl:${directory}/${destination}`;
  return { argv: [THEIRS, '-consul-addr', consul.address, '-log-level', 'err', '-template', template] };
}

/** The least that one can do: a blocking query in a loop. */
export function bareQuery(consul: ConsulAgent): Follower {
  const key = 'bare';
  const stopped = new AbortController();
  const { signal } = stopped;
  let value = '';
  let told = (): void => {};
  void (async () => {
    for (let index = '0'; ; ) {
      const reply = await fetch(`http://${consul.address}/v1/kv/${key}?index=${index}&wait=50s`, { signal });
      index = reply.headers.get('x-consul-index') ?? '0';
      if (!reply.ok) continue;
      const [pair] = (await reply.json()) as { Value: string }[];
      value = Buffer.from(pair?.Value ?? '', 'base64').toString();
      told();
    }
  })().catch(() => {});
  return {
    name: FLOOR,
    key,
    async arrived(wanted) {
      while (value !== wanted)
        await new Promise<void>((resolve) => {
          told = resolve;
        });
    },
    stop: () => stopped.abort(),
  };
}
