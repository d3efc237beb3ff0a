/** alpine/: the layered images, built by buildah on a stand-in for Alpine, and run as an operator would. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startConsul } from '../consul.ts';
import { tempDir, until } from '../tree.ts';
import { Container, makeRoot } from './container.ts';

const ROOT = join(import.meta.dirname, '../..');

interface Image {
  layers: string[];
  config: {
    User: string;
    Env: string[];
    Entrypoint: string[];
    StopSignal: string;
    Labels: Record<string, string>;
    Healthcheck: { Test: string[] };
  };
}

describe('alpine/', () => {
  const scratch = tempDir({ after } as never);
  const storage = [
    '--root',
    join(scratch, 'root'),
    '--runroot',
    join(scratch, 'run'),
    '--storage-driver',
    'vfs',
  ];
  const buildah = (...args: string[]): string =>
    execFileSync('buildah', [...storage, ...args], {
      encoding: 'utf8',
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const build = (tag: string, base: string, ...args: string[]): string =>
    buildah(
      'bud',
      '--isolation',
      'chroot',
      '--format',
      'docker',
      '--build-arg',
      `BASE=${base}`,
      '-t',
      tag,
      ...args,
    );
  const inspect = (tag: string): Image => {
    const { Docker } = JSON.parse(buildah('inspect', '--type', 'image', tag)) as {
      Docker: { rootfs: { diff_ids: string[] }; config: Image['config'] };
    };
    return { layers: Docker.rootfs.diff_ids, config: Docker.config };
  };
  /** Its root file system, in a directory. */
  const unpack = (tag: string): string =>
    buildah('mount', buildah('from', '--pull-never', tag).trim()).trim();

  before(() => {
    const standIn = makeRoot({ after }, 'bundle');
    rmSync(join(standIn, 'usr/lib/supervise'), { recursive: true });
    const container = buildah('from', 'scratch').trim();
    buildah('copy', container, standIn, '/');
    buildah('commit', container, 'stand-in');
    const ignore = 'alpine/base/Dockerfile.dockerignore';
    build('supervise-base', 'stand-in', '--ignorefile', ignore, '-f', 'alpine/base/Dockerfile', '.');
    build('supervise-node', 'supervise-base', 'alpine/node');
    build('greeter', 'supervise-node', 'alpine/app');
    build('other', 'supervise-node', '--label', 'other=1', 'alpine/app');
  });

  test('each image is the one below and one layer', () => {
    const [standIn, base, node, greeter, other] = [
      'stand-in',
      'supervise-base',
      'supervise-node',
      'greeter',
      'other',
    ].map((tag) => inspect(tag).layers);
    assert.deepEqual(base?.slice(0, -1), standIn);
    assert.deepEqual(node?.slice(0, -1), base);
    assert.deepEqual(greeter?.slice(0, -1), node);
    assert.deepEqual(other?.slice(0, -1), node, 'two applications share all but their own layer');
  });

  test('what an engine is told stays true in the application', () => {
    for (const tag of ['supervise-base', 'supervise-node', 'greeter']) {
      const { config } = inspect(tag);
      assert.equal(config.User, '1000:0', tag);
      assert.deepEqual(config.Entrypoint, ['supervise'], tag);
      assert.equal(config.StopSignal, 'SIGTERM', tag);
      assert.deepEqual(config.Healthcheck.Test, ['CMD', 'supervise', 'check'], tag);
      assert.equal(config.Labels['org.opencontainers.image.title'], tag);
      assert.equal(config.Labels['org.opencontainers.image.licenses'], 'MIT', tag);
    }
  });

  test('what runs is less than 500 kB in all, and every file belongs to root', () => {
    const root = unpack('supervise-base');
    const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter(({ parentPath }) =>
      /\/usr\/(lib|share)\/supervise/.test(parentPath),
    );
    const stats = files
      .filter((file) => file.isFile())
      .map(({ parentPath, name }) => ({ name, ...statSync(join(parentPath, name)) }));
    assert.ok(stats.length > 5);
    assert.ok(stats.every(({ uid, mode }) => uid === 0 && (mode & 0o022) === 0));
    // What runs: the bundle and both addons. Licences, the bill of materials and the sample are not what must be small.
    const programs = stats.filter(({ name }) => /\.(cjs|node)$/.test(name));
    assert.equal(programs.length, 3);
    const bytes = programs.reduce((sum, { size }) => sum + size, 0);
    assert.ok(bytes < 500_000, `${bytes} bytes`);
  });

  test('the base by itself runs the sample', async (t) => {
    const { user, env, args } = asEngine(inspect('supervise-base'));
    const container = new Container(t, unpack('supervise-base'), args, {
      user,
      env,
      readOnly: true,
      tmpfs: { '/tmp': [] },
    });
    await container.until('a greeting', () =>
      container.stdout.includes('app: hello from .supervise/kv.json\n'),
    );
    container.kill('TERM');
    assert.equal(await container.ended, 0);
  });

  test('an operator runs the application: healthy, config changed through Consul, stopped, exit code', async (t) => {
    const consul = await startConsul();
    t.after(() => consul.stop());
    const port = await freePort();
    const { user, env, args, health } = asEngine(inspect('greeter'));
    const container = new Container(t, unpack('greeter'), args, {
      user,
      env: { ...env, PORT: String(port), CONSUL_HTTP_ADDR: consul.address },
      readOnly: true,
      noCapabilities: true,
      noNewPrivileges: true,
      tmpfs: { '/tmp': ['noexec'] },
      hostNetwork: true,
    });
    const answers = async (text: string): Promise<unknown> =>
      until(`the answer ${text}`, async () => {
        try {
          return (await (await fetch(`http://127.0.0.1:${port}/`)).text()) === `${text}\n`;
        } catch {
          return false;
        }
      });
    await answers('hello');
    await container.until('it is healthy', () => container.exec(...health).code === 0);
    await consul.put('greeter/greeting', 'good morning');
    await answers('good morning');
    await container.until('it is healthy again', () => container.exec(...health).code === 0);
    const before = performance.now();
    container.kill('TERM');
    assert.equal(await container.ended, 0, container.transcript);
    assert.ok(performance.now() - before < 5000);
  });

  test('the Dockerfile of an application has six lines at most; none fetches what nobody has checked', () => {
    const read = (name: string): string[] =>
      readFileSync(join(ROOT, 'alpine', name, 'Dockerfile'), 'utf8')
        .split('\n')
        .filter((line) => line.trim() !== '');
    assert.ok(read('app').length <= 6);
    const lines = ['base', 'node', 'app'].flatMap(read).filter((line) => !line.startsWith('#'));
    for (const line of lines) {
      assert.doesNotMatch(line, /\b(curl|wget)\b|^ADD\b|https?:/);
      if (/apk add/.test(line)) assert.match(line, /apk add --no-cache /);
    }
  });
});

/** As `docker run IMAGE` would start it. */
function asEngine({ config }: Image) {
  const [uid = 0, gid = 0] = config.User.split(':').map(Number);
  const [, ...health] = config.Healthcheck.Test;
  const env = Object.fromEntries(
    config.Env.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
  return { user: { uid, gid }, args: config.Entrypoint, env, health };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}
