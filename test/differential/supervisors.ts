/** The two that are held against each other, each as the same few calls. */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, closeSync, constants, existsSync, openSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { delimiter, join } from 'node:path';
import { BUNDLE, NODE } from '../tree.ts';

/** Where one play of a tree has its files. */
export interface Place {
  root: string;
  scandir: string;
}

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
  /** Whether it takes signals and orders by now. */
  isThere(): boolean;
  /** @param directory where it is now, within the scandir */
  state(service: string, directory: string): Promise<Seen>;
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
  return ['s6-svscan', 's6-supervise', 's6-svc', 's6-svscanctl'].every((program) =>
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
    await call('s6-svc', `-${flag}`, join(scandir, service));
  };
  return {
    ...launch(place, ['s6-svscan', scandir], inherits),
    isThere: () => existsSync(join(scandir, '.s6-svscan/control')),
    state: async (_service, directory) => s6State(join(scandir, directory, 'supervise')),
    order: (order, service) => svc(ORDERS[order], service),
    signal: (signal, service) => svc(LETTERS[signal] ?? '?', service),
    rescan: () => call('s6-svscanctl', '-h', scandir),
    stop: () => call('s6-svscanctl', '-t', scandir),
  };
}

/** What s6-svstat would say; to run it is dear where so many ask so often. */
function s6State(supervise: string): Seen {
  let status: Buffer;
  try {
    // Somebody reads it while s6-supervise lives.
    closeSync(openSync(join(supervise, 'control'), constants.O_WRONLY | constants.O_NONBLOCK));
    status = readFileSync(join(supervise, 'status'));
  } catch {
    return { is: 'gone' };
  }
  // Two times of 12 bytes, the pid in 8, and since 2.12 its group; how it ended in 2, flags in 1.
  const pid = Number(status.readBigUInt64BE(24));
  const flags = status.at(-1) ?? 0;
  const [finishing, wantedUp, ready] = [2, 4, 8].map((bit) => (flags & bit) !== 0);
  if (pid > 0 && !finishing) return { is: 'up', pid, ready: ready === true };
  if (finishing) return { is: 'finishing' };
  return { is: wantedUp ? 'backoff' : 'down' };
}

/** The small programs are started by a shell that stands by: to fork ourselves for each would be dear. */
let shell: { child: ChildProcess; waiting: (() => void)[] } | undefined;

export function call(...argv: readonly string[]): Promise<void> {
  if (!shell) {
    const child = spawn('/bin/sh', [], { stdio: ['pipe', 'pipe', 'ignore'] });
    const waiting: (() => void)[] = [];
    child.stdout?.on('data', (bytes: Buffer) => {
      for (const _ of bytes) waiting.shift()?.();
    });
    shell = { child, waiting };
  }
  const { child, waiting } = shell;
  const words = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  child.stdin?.write(`${words} </dev/null >&2; printf .\n`);
  return new Promise((resolve) => waiting.push(resolve));
}

/** Nothing more is to be called. */
export function dismiss(): void {
  shell?.child.stdin?.end();
  shell = undefined;
}

function ours(place: Place, inherits: boolean): Supervisor {
  const { scandir } = place;
  const socket = join(place.root, 'control');
  const order = async (what: string, service: string): Promise<void> => {
    await ask(socket, { do: what, services: [service] });
  };
  return {
    ...launch(place, [NODE, BUNDLE, scandir], inherits),
    isThere: () => existsSync(socket),
    async state(service) {
      const reply = await ask(socket, { do: 'status', services: [service] });
      if (!reply) return { is: 'unknown' };
      const [status] = reply.data?.services ?? [];
      if (!status) return { is: reply.error?.includes('no such service') ? 'gone' : 'unknown' };
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
  error?: string;
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
