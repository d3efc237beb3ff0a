/** The two that are held against each other, each as the same few calls. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { accessSync, closeSync, constants, openSync } from 'node:fs';
import { createConnection } from 'node:net';
import { delimiter, join } from 'node:path';
import { BUNDLE, NODE } from '../tree.ts';
import type { Place } from './layout.ts';

export type Order = 'up' | 'down' | 'once' | 'restart' | 'reload';

/** What a supervisor says of a service. */
export interface Seen {
  /** `backoff`: down, and to be started again. `gone`: it knows of no such service. */
  is: 'up' | 'finishing' | 'backoff' | 'down' | 'refused' | 'gone' | 'unknown';
  pid?: number | undefined;
  ready?: boolean;
}

export interface Supervisor {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  state(service: string): Promise<Seen>;
  /** Resolves when it is handed over; what comes of it is to be seen. */
  order(order: Order, service: string): Promise<void>;
  /** A signal to the living run, without the SIG. */
  signal(signal: string, service: string): Promise<void>;
  /** Reads the scandir again, and lets go of what is gone. */
  rescan(): Promise<void>;
  stop(): Promise<void>;
}

export const SUPERVISORS = { s6, ours } as const;
export type Who = keyof typeof SUPERVISORS;

/** Whether s6 can be played to. */
export function hasS6(): boolean {
  return ['s6-svscan', 's6-supervise', 's6-svc', 's6-svstat', 's6-svscanctl'].every((program) =>
    (process.env['PATH'] ?? '').split(delimiter).some((directory) => {
      try {
        accessSync(join(directory, program), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    }),
  );
}

/** What is the same for both: the environment, the limits, the descriptors. */
function launch(
  place: Place,
  argv: readonly string[],
  inherits: boolean,
): Pick<Supervisor, 'child' | 'ended'> {
  const log = openSync(join(place.root, 'log'), 'a');
  // A soft limit below the hard one, as most systems have it.
  const limited = ['-c', 'ulimit -Sn 512; umask 027; exec "$@"', 'sh', ...argv];
  const child = spawn('/bin/sh', limited, {
    cwd: place.root,
    env: {
      PATH: process.env['PATH'],
      DIFFERENTIAL: place.root,
      SUPERVISE_SOCKET: join(place.root, 'control'),
    },
    stdio: ['ignore', log, log, ...(inherits ? [log] : [])],
  });
  closeSync(log);
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  );
  return { child, ended };
}

const LETTERS: Readonly<Record<string, string>> = {
  ...{ ALRM: 'a', ABRT: 'b', QUIT: 'q', HUP: 'h', KILL: 'k', TERM: 't', INT: 'i' },
  ...{ USR1: '1', USR2: '2', STOP: 'p', CONT: 'c', WINCH: 'y' },
};
const ORDERS: Readonly<Record<Order, string>> = { up: 'u', down: 'd', once: 'o', restart: 'r', reload: 'h' };

/** The signals that s6-svc can send, and so all that are sent. */
export const SIGNALS: readonly string[] = Object.keys(LETTERS);

function s6(place: Place, inherits: boolean): Supervisor {
  const { scandir } = place;
  const svc = async (flag: string, service: string): Promise<void> => {
    await call('s6-svc', [`-${flag}`, join(scandir, service)]);
  };
  return {
    ...launch(place, ['s6-svscan', scandir], inherits),
    async state(service) {
      const { code, stdout } = await call('s6-svstat', [
        '-o',
        'up,wantedup,readyfor,pid',
        join(scandir, service),
      ]);
      if (code === 1) return { is: 'gone' };
      if (code !== 0) return { is: 'unknown' };
      const [up, wantedUp, readyFor, pid] = stdout.trim().split(' ');
      const ready = readyFor !== '-1';
      if (up === 'true') return { is: 'up', pid: Number(pid), ready };
      if (!ready) return { is: 'finishing' };
      return { is: wantedUp === 'true' ? 'backoff' : 'down' };
    },
    order: (order, service) => svc(ORDERS[order], service),
    signal: (signal, service) => svc(LETTERS[signal] ?? '?', service),
    rescan: async () => void (await call('s6-svscanctl', ['-h', scandir])),
    stop: async () => void (await call('s6-svscanctl', ['-t', scandir])),
  };
}

function call(file: string, args: readonly string[]): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve) => {
    execFile(file, args, { timeout: 10_000 }, (error, stdout) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 111;
      resolve({ code, stdout });
    });
  });
}

function ours(place: Place, inherits: boolean): Supervisor {
  const { scandir } = place;
  const socket = join(place.root, 'control');
  const order = async (what: string, service: string): Promise<void> => {
    await ask(socket, { do: what, services: [service] });
  };
  return {
    ...launch(place, [NODE, BUNDLE, scandir], inherits),
    async state(service) {
      const reply = await ask(socket, { do: 'status', services: [service] });
      if (!reply) return { is: 'unknown' };
      const [status] = reply.data?.services ?? [];
      if (!reply.ok || !status) return { is: 'gone' };
      const { is, pid, problem } = status;
      if (is === 'failed' && problem !== null) return { is: 'refused' };
      if (is === 'up' || is === 'ready' || is === 'stopping')
        return { is: 'up', pid: pid ?? undefined, ready: is === 'ready' };
      if (is === 'finishing' || is === 'backoff') return { is };
      return { is: is === 'down' || is === 'failed' || is === 'done' ? 'down' : 'unknown' };
    },
    order,
    signal: async (signal, service) =>
      void (await ask(socket, { do: 'signal', services: [service], signal })),
    rescan: async () => void (await ask(socket, { do: 'rescan' })),
    stop: async () => void (await ask(socket, { do: 'stop' })),
  };
}

interface Answered {
  ok: boolean;
  data?: { services?: { is: string; pid: number | null; problem: string | null }[] };
}

/** Undefined where nobody answers. */
function ask(socket: string, request: object): Promise<Answered | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const connection = createConnection(socket);
    connection.setEncoding('utf8');
    connection.on('connect', () => connection.write(`${JSON.stringify({ v: 1, ...request })}\n`));
    connection.on('data', (part: string) => {
      text += part;
      const [line = '', ...rest] = text.split('\n');
      if (rest.length === 0) return;
      connection.destroy();
      resolve(JSON.parse(line) as Answered);
    });
    connection.on('error', () => resolve(undefined));
    connection.on('close', () => resolve(undefined));
  });
}
