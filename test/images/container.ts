/**
 * Containers for tests: a root file system of busybox and what we build, started by runc or crun as an engine would.
 * Wants root, runc or crun, and a static busybox: `apt-get install runc busybox-static`.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { NODE, processes, tempDir, until, writeFiles } from '../tree.ts';

const DIST = join(import.meta.dirname, '../../dist');
/** Where the deliverables are in the image. */
const HOME = '/usr/lib/supervise';

export type Kind = 'bundle' | 'executable';
/** How each of the two is started. */
export const COMMAND: Record<Kind, readonly string[]> = {
  bundle: ['node', `${HOME}/supervise.cjs`],
  executable: [`${HOME}/supervise`],
};

const RUNTIME = ['runc', 'crun'].find((name) => spawnSync(name, ['--version']).status === 0) ?? '';
assert.notEqual(RUNTIME, '', 'these tests want runc or crun (apt-get install runc)');
assert.equal(process.getuid?.(), 0, 'these tests want root: they start containers');

/** A file of the image: `#!…` becomes executable. */
type Files = Record<string, string>;

export interface Hardening {
  /** `--user` */
  user?: { uid: number; gid: number };
  /** `--read-only` */
  readOnly?: boolean;
  /** `--cap-drop ALL` */
  noCapabilities?: boolean;
  /** `--security-opt no-new-privileges` */
  noNewPrivileges?: boolean;
  /** `--tmpfs`: directory → options beyond rw,nosuid,nodev */
  tmpfs?: Record<string, string[]>;
  /** Further options of /proc: `hidepid=2` */
  proc?: string[];
  /** Paths that are not in this image. */
  without?: string[];
  /** `--tty` */
  tty?: boolean;
  env?: Record<string, string>;
  /** `--network host` */
  hostNetwork?: boolean;
}

/** busybox and its applets, Node or the executable with their libraries, the addon, and these files. */
export function makeRoot(
  t: TestContext | { after(f: () => void): void },
  kind: Kind,
  files: Files = {},
): string {
  const root = tempDir(t as TestContext);
  for (const directory of ['bin', 'usr/bin', 'etc', 'proc', 'dev', 'sys', 'tmp', 'run', HOME])
    mkdirSync(join(root, directory), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  chmodSync(root, 0o755);
  const busybox = execFileSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).trim();
  copyFileSync(busybox, join(root, 'bin/busybox'));
  for (const applet of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean))
    if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  symlinkSync('/bin/env', join(root, 'usr/bin/env'));
  const program = kind === 'bundle' ? NODE : join(DIST, 'supervise');
  assert.ok(existsSync(program), `${program} is not there: npm run build:binary`);
  for (const library of librariesOf(program)) copyInto(root, library, library);
  copyInto(root, program, kind === 'bundle' ? '/usr/bin/node' : `${HOME}/supervise`);
  if (kind === 'bundle') copyInto(root, join(DIST, 'supervise.cjs'), `${HOME}/supervise.cjs`);
  const addon = `reaper-${process.arch}.node`;
  copyInto(root, join(DIST, addon), `${HOME}/${addon}`);
  writeFiles(root, files);
  return root;
}

/** A running container. */
export class Container {
  readonly ended: Promise<number | null>;
  hasEnded = false;
  stdout = '';
  stderr = '';
  readonly child: ChildProcess;
  readonly #id: string;
  readonly #state: string;
  #init = 0;

  constructor(t: TestContext, root: string, args: readonly string[], hardening: Hardening = {}) {
    const bundle = mkdtempSync(join(tmpdir(), 'supervise-container-'));
    this.#id = basename(bundle);
    this.#state = join(bundle, 'state');
    const own = join(bundle, 'rootfs');
    // Hard links: a file system of its own, at the price of a directory.
    execFileSync('cp', ['-al', root, own]);
    for (const path of hardening.without ?? []) rmSync(join(own, path), { recursive: true });
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(configOf(args, hardening)));
    const run = [RUNTIME, '--root', this.#state, 'run', '--bundle', bundle, this.#id];
    const [file = '', ...rest] = hardening.tty ? ['script', '-qec', run.join(' '), '/dev/null'] : run;
    this.child = spawn(file, rest, { stdio: [hardening.tty ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve) =>
      this.child.once('exit', (code) => {
        this.hasEnded = true;
        resolve(code);
      }),
    );
    t.after(async () => {
      if (!this.hasEnded) this.#runtime('kill', this.#id, 'KILL');
      await this.ended;
      rmSync(bundle, { recursive: true });
    });
  }

  get transcript(): string {
    return `stdout:\n${this.stdout}\nstderr:\n${this.stderr}`;
  }

  /** Waits, and fails at once where the container has ended. */
  async until(what: string, probe: () => boolean): Promise<void> {
    try {
      await until(what, () => {
        if (probe()) return true;
        assert.ok(!this.hasEnded, `the container ended before: ${what}`);
        return false;
      });
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.transcript}`, { cause: error });
    }
  }

  /** `docker exec` */
  exec(...command: string[]): { code: number | null; stdout: string; stderr: string } {
    const { status, stdout, stderr } = this.#runtime('exec', this.#id, ...command);
    return { code: status, stdout, stderr };
  }

  /** `docker kill --signal` */
  kill(signal: string): void {
    const { status, stderr } = this.#runtime('kill', this.#id, signal);
    assert.equal(status, 0, stderr);
  }

  /** PID 1 of the container, as the host sees it. */
  get init(): number {
    if (this.#init === 0) {
      const { stdout, stderr } = this.#runtime('state', this.#id);
      assert.notEqual(stdout, '', stderr);
      this.#init = (JSON.parse(stdout) as { pid: number }).pid;
    }
    return this.#init;
  }

  /** What runs in it, and below it. */
  processes(): ReturnType<typeof processes> {
    const all = processes();
    const inside = new Set([this.init]);
    for (let size = 0; size !== inside.size; ) {
      size = inside.size;
      for (const { pid, ppid } of all) if (inside.has(ppid)) inside.add(pid);
    }
    return all.filter(({ pid }) => inside.has(pid));
  }

  #runtime(...args: string[]): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(RUNTIME, ['--root', this.#state, ...args], { encoding: 'utf8', timeout: 30_000 });
  }
}

function configOf(args: readonly string[], hardening: Hardening): object {
  const { user = { uid: 0, gid: 0 }, tmpfs = {}, proc = [], env = {} } = hardening;
  const capabilities = hardening.noCapabilities ? [] : DOCKER_CAPABILITIES;
  // Who is not root has none, as with an engine.
  const effective = user.uid === 0 ? capabilities : [];
  const mount = (destination: string, type: string, options: string[]) => ({
    destination,
    type,
    source: type,
    options,
  });
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: hardening.tty ?? false,
      user,
      args,
      env: Object.entries({ PATH: '/usr/bin:/bin', SUPERVISE_LOG_FORMAT: 'json', ...env }).map((pair) =>
        pair.join('='),
      ),
      cwd: '/',
      capabilities: { bounding: capabilities, effective, permitted: effective, inheritable: [] },
      noNewPrivileges: hardening.noNewPrivileges ?? false,
    },
    root: { path: 'rootfs', readonly: hardening.readOnly ?? false },
    hostname: 'test',
    mounts: [
      mount('/proc', 'proc', ['nosuid', 'noexec', 'nodev', ...proc]),
      mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
      mount('/dev/pts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620']),
      mount('/dev/shm', 'tmpfs', ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k']),
      ...Object.entries(tmpfs).map(([path, options]) =>
        mount(path, 'tmpfs', ['rw', 'nosuid', 'nodev', 'mode=1777', ...options]),
      ),
    ],
    linux: {
      namespaces: ['pid', 'ipc', 'uts', 'mount', ...(hardening.hostNetwork ? [] : ['network'])].map(
        (type) => ({
          type,
        }),
      ),
      maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/timer_list'],
      readonlyPaths: ['/proc/sys', '/proc/irq', '/proc/bus'],
    },
  };
}

/** What Docker and containerd leave to a container that asks for nothing. */
const DOCKER_CAPABILITIES = [
  ...['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FSETID', 'CAP_FOWNER', 'CAP_MKNOD', 'CAP_NET_RAW', 'CAP_SETGID'],
  ...['CAP_SETUID', 'CAP_SETFCAP', 'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT', 'CAP_KILL'],
  'CAP_AUDIT_WRITE',
];

function librariesOf(program: string): string[] {
  const listed = execFileSync('ldd', [program], { encoding: 'utf8' });
  return [...listed.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
}

function copyInto(root: string, from: string, to: string): void {
  mkdirSync(join(root, dirname(to)), { recursive: true });
  copyFileSync(from, join(root, to));
}
