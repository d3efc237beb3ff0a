/**
 * Figures, not tests: `npm run bench [respawn] [stop] [idle] [output] [latency] [recovery]`. Needs the built bundle. Prints a
 * line per measure: median, 95th percentile and all that is needed to judge them.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUNDLE, type Files, until, writeFiles } from '../tree.ts';
import { latency, recovery } from './consul.ts';
import { pause, report } from './report.ts';

const ROUNDS = 20;
/** A service that was up this long starts again at once (the default restart-delay's minimum is 1 s). */
const UP_MS = 1100;
const IDLE_MS = 60_000;
/** V8 tidies up for a while after the start. */
const SETTLE_MS = 30_000;
const OUTPUT_BYTES = 500_000_000;
const OUTPUT_ROUNDS = 3;

const MEASURES: Record<string, () => Promise<void>> = { respawn, stop, idle, output, latency, recovery };
const asked = process.argv.slice(2);
for (const [name, measure] of Object.entries(MEASURES))
  if (asked.length === 0 || asked.includes(name)) await measure();

/** kill -9 → the first command of the next `run`, with a finish script and a crash hook on the way. */
async function respawn(): Promise<void> {
  const hook = '#!/bin/sh\n';
  await withTree(
    {
      'app/run': '#!/bin/sh\necho $$ >"$OUT/fifo"\nexec sleep 1000\n',
      'app/finish': hook,
      '.supervise/crash': hook,
    },
    async ({ directory, started }) => {
      spawnSync('mkfifo', [join(directory, 'fifo')]);
      const pids = lines(join(directory, 'fifo'));
      started();
      let pid = Number(await pids());
      const times: number[] = [];
      for (let i = 0; i < ROUNDS; i++) {
        await pause(UP_MS);
        const before = performance.now();
        process.kill(pid, 'SIGKILL');
        pid = Number(await pids());
        times.push(performance.now() - before);
      }
      report('respawn: kill -9 → run executed again, finish and crash hook on the way, ms', times);
    },
  );
}

/** TERM → gone, less what the slowest service took to stop. */
async function stop(): Promise<void> {
  const slowest = 300;
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const files: Files = {};
    for (const ms of [0, 50, 100, slowest]) {
      files[`s${ms}/run`] =
        `#!/usr/bin/env node\nprocess.on('SIGTERM', () => setTimeout(() => process.exit(0), ${ms}));\nsetInterval(() => {}, 1e9);\nrequire('node:fs').writeFileSync(3, '\\n');\n`;
      files[`s${ms}/notification-fd`] = '3';
    }
    files['all/run'] = '#!/bin/sh\ntouch "$OUT/ready"\nexec sleep 1000\n';
    for (const ms of [0, 50, 100, slowest]) files[`all/dependencies.d/s${ms}`] = '';
    await withTree(files, async ({ directory, child, started }) => {
      started();
      await until('all to be ready', () => readdirSync(directory).includes('ready'));
      const before = performance.now();
      const gone = new Promise((resolve) => child().once('exit', resolve));
      child().kill('SIGTERM');
      await gone;
      times.push(performance.now() - before - slowest);
    });
  }
  report(`stop: TERM → gone, beyond the slowest service (${slowest} ms), ms`, times);
}

/** Wake-ups and CPU time of an idle PID 1 (with a templater beside it) in one minute, over all its threads. */
async function idle(): Promise<void> {
  await withTree(
    {
      'app/run': '#!/bin/sh\nexec sleep 1000\n',
      'app/templates/app.hbs': '{{!--\ndest: ${OUT}/app.conf\n--}}\n{{key "a"}}\n',
      '.supervise/kv.json': '{"kv":{"a":1}}',
    },
    async ({ child, started }) => {
      started();
      await pause(SETTLE_MS);
      const pid = child().pid ?? 0;
      const before = wakeups(pid);
      await pause(IDLE_MS);
      const after = wakeups(pid);
      console.log(
        `idle: ${after.switches - before.switches} wake-ups and ${(after.ticks - before.ticks) * 10} ms CPU of the supervisor in ${IDLE_MS / 1000} s, its ${after.threads} threads together`,
      );
    },
  );
}

/** Half a gigabyte of lines on its way to a reader: through nobody, `cat`, s6-log (where there is one) and us. */
async function output(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'supervise-bench-'));
  try {
    const lines = Array.from(
      { length: 8192 },
      (_, i) => `${String(i).padStart(40 + (i % 140), 'abc ')}\n`,
    ).join('');
    const times = Math.ceil(OUTPUT_BYTES / lines.length / 50);
    writeFileSync(join(directory, 'lines'), lines.repeat(50));
    const writer = `i=0; while [ $i -lt ${times} ]; do i=$((i+1)); echo "$OUT/lines"; done | xargs cat`;
    mkdirSync(join(directory, 'services'));
    writeFiles(join(directory, 'services'), {
      'app/run': `#!/bin/sh\n${writer}\n`,
      'app/type': 'oneshot',
    });
    const us = (...args: string[]): string =>
      `"$NODE" "${BUNDLE}" "$OUT/services" --log-level error ${args.join(' ')} -- true`;
    const ways: Record<string, string> = {
      'nobody in between': `{ ${writer}; }`,
      cat: `{ ${writer}; } | cat`,
      's6-log p': `{ ${writer}; } | s6-log 'p[app]' 1`,
      inherited: us(),
      '--capture': us('--capture'),
      '--log-prefix': us('--log-prefix'),
      '--capture --log-format json': us('--capture', '--log-format json'),
    };
    const env = {
      PATH: process.env['PATH'],
      OUT: directory,
      NODE: process.execPath,
      SUPERVISE_SOCKET: join(directory, 'control'),
    };
    let floor = 0;
    for (const [name, command] of Object.entries(ways)) {
      if (name.startsWith('s6') && spawnSync('s6-log', [], { stdio: 'ignore' }).error) continue;
      const results = Array.from({ length: OUTPUT_ROUNDS }, () => timed(`${command} | cat >/dev/null`, env));
      const best = results.reduce((a, b) => (a.seconds < b.seconds ? a : b));
      const gigabytes = (times * lines.length * 50) / 1e9;
      if (floor === 0) floor = best.cpu;
      console.log(
        `output: ${name}: ${((gigabytes * 1000) / best.seconds).toFixed(0)} MB/s, ${((best.cpu - floor) / gigabytes).toFixed(2)} CPU s/GB beyond nobody's, best of ${OUTPUT_ROUNDS}`,
      );
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Wall-clock time, and the CPU time of the command and all its children. */
function timed(command: string, env: NodeJS.ProcessEnv): { seconds: number; cpu: number } {
  const started = performance.now();
  const { stdout } = spawnSync('sh', ['-c', `${command}; times`], { env, encoding: 'utf8' });
  const seconds = (performance.now() - started) / 1000;
  const cpu = [...stdout.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, m, s]) => sum + Number(m) * 60 + Number(s),
    0,
  );
  return { seconds, cpu };
}

interface Bench {
  directory: string;
  child: () => ChildProcess;
  /** Starts the supervisor. */
  started: () => void;
}

async function withTree(files: Files, use: (bench: Bench) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'supervise-bench-'));
  mkdirSync(join(directory, 'services'));
  const scandir = writeFiles(join(directory, 'services'), files);
  let child: ChildProcess | undefined;
  try {
    await use({
      directory,
      child: () => child as ChildProcess,
      started() {
        const env = {
          PATH: process.env['PATH'],
          OUT: directory,
          SUPERVISE_SOCKET: join(directory, 'control'),
        };
        child = spawn(process.execPath, [BUNDLE, scandir, '--log-level', 'error'], {
          env,
          stdio: ['ignore', 'ignore', 'inherit'],
        });
      },
    });
  } finally {
    if (child && child.exitCode === null) {
      const gone = new Promise((resolve) => child?.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
    }
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Voluntary context switches are wake-ups: each ends a sleep. */
function wakeups(pid: number): { switches: number; ticks: number; threads: number } {
  let switches = 0;
  const tasks = readdirSync(`/proc/${pid}/task`);
  for (const task of tasks) {
    const status = readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8');
    switches += Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1]);
  }
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { switches, ticks: Number(fields[11]) + Number(fields[12]), threads: tasks.length };
}

/** The next line that is written to a FIFO, whoever writes it. */
function lines(path: string): () => Promise<string> {
  const stream = createReadStream(path, { flags: 'r+', encoding: 'utf8' });
  const ready: string[] = [];
  let waiting: ((line: string) => void) | undefined;
  stream.on('data', (text) => {
    for (const line of String(text).split('\n').filter(Boolean)) {
      if (waiting) waiting(line);
      else ready.push(line);
      waiting = undefined;
    }
  });
  return () =>
    new Promise((resolve) => {
      const line = ready.shift();
      if (line !== undefined) resolve(line);
      else waiting = resolve;
    });
}
