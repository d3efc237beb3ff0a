/** Service directories as nobody would make them: any file by any name, of any kind. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import type { Rescanned, Status } from '../../../src/control/protocol.ts';
import { SERVICE_FILES, type ServiceConfig } from '../../../src/core/servicedir.ts';
import { parseServices } from '../../../src/core/services.ts';
import { lint } from '../../../src/lint/lint.ts';
import { readScandir } from '../../../src/os/scandir.ts';
import { RunningTree, SLEEPER, writeFiles } from '../../tree.ts';
import { mutated } from '../bytes.ts';
import { converse, mistakesOf, sayingAll, withUs } from '../client.ts';
import { told } from '../oracle.ts';
import { scratch } from '../scratch.ts';
import type { Target } from '../target.ts';
import { WEIRD } from '../words.ts';

type Content =
  | { is: 'file'; bytes: Buffer; mode: number }
  | { is: 'directory' | 'fifo' | 'device' | 'loop' | 'dangling' | 'giant' };

interface Entry {
  service: string;
  file: string;
  content: Content;
}

const VALUES = [
  ...['longrun', 'oneshot', '3', '0', '255', '256', '5s', '500ms', '1h', '1s 30s', '30s 1s', 'SIGTERM', '15'],
  ...['RTMIN+3', 'KILL', 'always', 'never', 'on-failure', 'root', 'root:root', '0:0', '99999999999999999999'],
  ...[
    '1e3',
    '٣',
    ' 5s\n',
    '5s\r\n',
    '\ufeff5s',
    '#!/bin/sh\nexit 0\n',
    '#!/bin/sh\r\n',
    '#!',
    '#! ',
    '\x7fELF',
  ],
  ...['{{!--\ndest: x\n--}}\n{{key "a"}}\n', '{{', 'value \0 more'],
].map((text) => Buffer.from(text));

const settings = Object.keys(SERVICE_FILES).filter((name) => /^[a-z-]+$/.test(name));
const fileName = (name: string): boolean => !/[/\0]/.test(name) && !['', '.', '..'].includes(name);
const weird = fc.constantFrom(...WEIRD.filter((name) => fileName(name) && name.length < 256));
const paths = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...settings) },
  { weight: 1, arbitrary: weird },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.constantFrom('env', 'dependencies.d', 'log', 'templates', 'templates/partials', 'data'),
        fc.oneof(weird, fc.constantFrom('run', 'A', 'other', 'a.hbs', ...settings)),
      )
      .map(([directory, name]) => `${directory}/${name}`),
  },
);
const content: fc.Arbitrary<Content> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      is: fc.constant('file' as const),
      bytes: fc.oneof(
        fc.constantFrom(...VALUES),
        mutated(VALUES),
        fc.uint8Array({ maxLength: 64 }).map(Buffer.from),
      ),
      mode: fc.constantFrom(0o644, 0o755, 0o000, 0o4755),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      is: fc.constantFrom('directory', 'fifo', 'device', 'loop', 'dangling', 'giant'),
    }) as fc.Arbitrary<Content>,
  },
);
const entries: fc.Arbitrary<Entry[]> = fc.array(
  fc.record({
    service: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('app', 'other') },
      { weight: 1, arbitrary: fc.oneof(weird, fc.constantFrom('templater', '.supervise', '.s6-svscan')) },
    ),
    file: paths,
    content,
  }),
  { maxLength: 12 },
);

export const servicedir: Target<Entry[]> = {
  about: 'the reading and judging of service directories, and lint',
  cases: entries,
  async open() {
    const { directory, remove } = scratch();
    const fifo = join(directory, 'fifo');
    if (spawnSync('mkfifo', [fifo]).status !== 0) throw new Error('cannot make a FIFO');
    return {
      async act(list) {
        const path = mkdtempSync(join(directory, 'scan-'));
        try {
          for (const entry of list) make(path, entry, fifo);
          return await look(path);
        } finally {
          rmSync(path, { recursive: true, force: true });
        }
      },
      close: async () => remove(),
    };
  },
};

/** Where one entry is in the way of another, there is less to see. */
function make(root: string, { service, file, content: what }: Entry, fifo: string): void {
  const path = join(root, service, file);
  try {
    mkdirSync(dirname(path), { recursive: true });
    if (what.is === 'file') {
      writeFileSync(path, what.bytes, { flag: 'wx' });
      chmodSync(path, what.mode);
    } else if (what.is === 'directory') mkdirSync(path);
    else if (what.is === 'fifo') linkSync(fifo, path);
    else if (what.is === 'device') symlinkSync('/dev/zero', path);
    else if (what.is === 'loop') symlinkSync(path, path);
    else if (what.is === 'dangling') symlinkSync('/nowhere', path);
    else {
      writeFileSync(path, '', { flag: 'wx' });
      truncateSync(path, 2 ** 36);
    }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['EEXIST', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG', 'ENOENT', 'ELOOP', 'ENXIO'].includes(code))
      throw error;
  }
}

const SWITCHES = { templater: ['templater'], disabled: new Set<string>(), enabled: new Set<string>() };

async function look(path: string): Promise<string> {
  const { services, hooks } = readScandir(path);
  const parsed = parseServices(services, SWITCHES);
  for (const { config, problems } of parsed) {
    checkConfig(config);
    for (const { message, hint = '' } of problems) told(message + hint);
  }
  const findings = await lint(path, {
    ...SWITCHES,
    env: {},
    stopTimeout: 9000,
    source: undefined,
    helpers: undefined,
    uid: process.geteuid?.() ?? 0,
  });
  for (const { problem, fix } of findings.complaints) told(problem + (fix ?? ''));
  return JSON.stringify({ hooks, parsed, findings }).replaceAll(path, 'SCANDIR');
}

/** What the tree relies on. */
function checkConfig(config: ServiceConfig): void {
  const bad: string[] = [];
  const natural = (name: keyof ServiceConfig, least: number, most: number): void => {
    const each = config[name];
    if (each === undefined) return;
    if (typeof each !== 'number' || !(each >= least && each <= most)) bad.push(`${name} is ${String(each)}`);
  };
  for (const name of ['timeoutUp', 'timeoutKill', 'timeoutFinish'] as const) natural(name, 1, MOST_MS);
  natural('healthInterval', 1, MOST_MS);
  for (const name of ['healthRetries', 'restartLimit'] as const) natural(name, 1, 1_000_000);
  for (const name of ['downSignal', 'reloadSignal'] as const) natural(name, 1, 64);
  natural('notificationFd', 3, 255);
  const { min, max } = config.restartDelay;
  if (!(min >= 0 && min <= max && max <= MOST_MS)) bad.push(`restartDelay is ${min} ${max}`);
  for (const [name, value] of Object.entries(config.env))
    if (name.includes('=') || /\0/.test(name + (value ?? ''))) bad.push(`env/${name}`);
  if (bad.length > 0) throw new TypeError(bad.join(', '));
}

/** A timer of Node's that is set to more is due at once. */
const MOST_MS = 0x7fff_ffff;

/** Ends the tree, as it is meant to; or writes where a template says, which may be anywhere. */
const isLeftOut = ({ service, file }: Entry): boolean =>
  file.endsWith('essential') ||
  file.startsWith('templates/') ||
  service === '.supervise' ||
  service === '.s6-svscan' ||
  service === 'steady';

/** The same under a tree that runs: what can be started is, and the tree must be well whatever comes of it. */
export const rescans: Target<Entry[]> = {
  about: 'a running tree, whose services directory becomes another and another',
  cases: entries.map((list) => list.filter((entry) => !isLeftOut(entry))),
  async open() {
    const { directory, remove } = scratch();
    const fifo = join(directory, 'fifo');
    if (spawnSync('mkfifo', [fifo]).status !== 0) throw new Error('cannot make a FIFO');
    const scandir = writeFiles(join(directory, 'services'), { 'steady/run': SLEEPER });
    const env = { OUT: directory, SUPERVISE_LOG_FORMAT: 'json', SUPERVISE_STOP_TIMEOUT: '2s' };
    const tree = new RunningTree(directory, scandir, [scandir, '--capture'], { env });
    withUs(tree);
    await tree.event('started', 'steady');
    return {
      async act(list) {
        for (const name of readdirSync(scandir))
          if (name !== 'steady') rmSync(join(scandir, name), { recursive: true, force: true });
        for (const entry of list) make(scandir, entry, fifo);
        const text = await converse(tree.socket, sayingAll('rescan'));
        const reply = JSON.parse(text) as { ok: boolean; error?: string; data?: Rescanned };
        if (!reply.ok) told(reply.error ?? 'undefined');
        for (const { message } of reply.data?.problems ?? []) told(message);
        mistakesOf(tree);
        // Which of them still stop differs from one time to the next.
        return 'answered';
      },
      async check() {
        const text = await converse(tree.socket, sayingAll('status'));
        const { services } = (JSON.parse(text) as { data: Status }).data;
        const steady = services.find(({ name }) => name === 'steady');
        if (steady?.is !== 'ready' || steady.lastDeath) throw new TypeError('the steady service was touched');
      },
      async close() {
        tree.signal('SIGTERM');
        const { code } = await tree.ended;
        remove();
        if (code !== 0 && code !== 137) throw new Error(`the tree ended with ${code}`);
      },
    };
  },
};
