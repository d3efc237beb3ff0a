/** A kill between any two steps of a replacement, and between any two of what puts it right. */
import assert from 'node:assert/strict';
import fs, { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { MARKER, WORK } from '../../src/core/package.ts';
import { readPackage } from '../../src/os/package.ts';
import { PackageDirectory } from '../../src/package/directory.ts';
import { tempDir, writeFiles } from '../tree.ts';

const OLD = { 'a/b': 'old', c: 'old', 'lost+found/x': '' };
const NEW = { 'a/b': 'new', d: 'new', e: 'new' };
const NAMES = ['renameSync', 'rmSync', 'mkdirSync'] as const;

class Killed extends Error {}

/** Lets so many changes of the disk happen; then nothing more does. A removal is cut in the middle of what it removes. */
async function killAfter(steps: number, work: () => unknown): Promise<boolean> {
  const real = Object.fromEntries(NAMES.map((name) => [name, fs[name]]));
  let left = steps;
  for (const name of NAMES)
    Object.assign(fs, {
      [name]: (...args: [string, ...unknown[]]) => {
        if (left-- > 0) return (real[name] as (...args: unknown[]) => unknown)(...args);
        if (left === -1 && name === 'rmSync') cutRemoval(args[0], real['rmSync'] as typeof fs.rmSync);
        throw new Killed();
      },
    });
  syncBuiltinESMExports();
  try {
    await work();
    return false;
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
    return true;
  } finally {
    Object.assign(fs, real);
    syncBuiltinESMExports();
  }
}

/** The worst first: what tells a package that is whole. */
function cutRemoval(path: string, remove: typeof fs.rmSync): void {
  if (!existsSync(path)) return;
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
  const worst = names.find((name) => name.endsWith(MARKER) && !name.startsWith('new')) ?? names[0];
  if (worst !== undefined) remove(join(path, worst), { recursive: true });
}

/** A directory in which everything is ready for the new one. */
function staged(path: string, hasOld: boolean): PackageDirectory {
  mkdirSync(path);
  if (hasOld) writeFiles(path, { ...OLD, [MARKER]: '{"v":1,"url":"old"}' });
  const directory = new PackageDirectory(path);
  const { next, zip } = directory.prepare();
  writeFiles(next, { ...NEW, [MARKER]: '{"v":1,"url":"new"}' });
  writeFileSync(zip, 'x');
  return directory;
}

function contentOf(path: string): Record<string, string> {
  const files = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter(
    (name) => fs.statSync(join(path, name)).isFile() && name !== MARKER,
  );
  return Object.fromEntries(files.sort().map((name) => [name, fs.readFileSync(join(path, name), 'utf8')]));
}

for (const hasOld of [true, false])
  for (const failing of [false, true])
    test(`${hasOld ? 'over another' : 'a first'}${failing ? ', whose init fails' : ''}: it is the one or the other`, async (t) => {
      const base = tempDir(t);
      let runs = 0;
      let wasKilled = true;
      for (let steps = 0; wasKilled; steps++) {
        let wasKilledAgain = true;
        for (let more = 0; wasKilledAgain; more++) {
          const path = join(base, String(runs++));
          const directory = staged(path, hasOld);
          let inited = false;
          wasKilled = await killAfter(steps, async () => {
            await directory.replace(async () => {
              inited = true;
              writeFileSync(join(path, 'by-init'), '');
              if (failing) throw new Killed();
            });
            directory.cleanUp();
          });
          if (failing && inited && !wasKilled) assert.fail('init failed, and nobody said so');
          wasKilledAgain = wasKilled && (await killAfter(more, () => directory.recover()));
          // As a start finds it that is told of no URL: whole, or refused.
          const isRefused = throws(() => readPackage(path));
          const before = directory.installed()?.url;
          directory.recover();
          const { url } = directory.installed() ?? {};
          const { 'by-init': byInit, ...content } = contentOf(path);
          const context = `killed after ${steps}, then after ${more}: ${JSON.stringify(content)}`;
          if (url === 'new') {
            assert.ok(inited && !failing, context);
            assert.deepEqual(content, hasOld ? { ...NEW, 'lost+found/x': '' } : NEW, context);
            assert.notEqual(byInit, undefined, context);
          } else {
            assert.equal(url, hasOld ? 'old' : undefined, context);
            assert.deepEqual(content, hasOld ? OLD : {}, context);
            assert.equal(byInit, undefined, context);
          }
          assert.ok(!existsSync(join(path, WORK)), context);
          if (!isRefused && before !== undefined) assert.equal(before, url, context);
        }
        if (failing && steps > 40) break;
      }
      assert.ok(runs > (hasOld ? 60 : 20), `${runs} runs`);
    });

function throws(work: () => unknown): boolean {
  try {
    work();
    return false;
  } catch {
    return true;
  }
}
