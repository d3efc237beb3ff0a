/** Directories that are made with those above them, by whichever part of the program. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeDirectories } from '../src/directories.ts';
import { tempDir } from './tree.ts';

const SRC = join(import.meta.dirname, '../src');

test('what is missing is made and told, from the top down; what is there stays as it is', (t) => {
  const directory = tempDir(t);
  const at = (name: string): string => join(directory, name);
  assert.deepEqual(makeDirectories(at('a/b/c'), 0o700), [at('a'), at('a/b'), at('a/b/c')]);
  assert.equal(statSync(at('a/b')).mode & 0o777, 0o700);
  assert.deepEqual(makeDirectories(at('a/b/c'), 0o755), []);
  symlinkSync('a', at('link'));
  assert.deepEqual(makeDirectories(at('link'), 0o755), []);
  assert.deepEqual(makeDirectories(at('link/d'), 0o755), [at('link/d')]);
});

test('what is in the way is told, and what was made until then', (t) => {
  const directory = tempDir(t);
  writeFileSync(join(directory, 'file'), '');
  symlinkSync('nowhere', join(directory, 'dangling'));
  for (const name of ['file', 'file/a', 'dangling', 'dangling/a'])
    assert.throws(() => makeDirectories(join(directory, name), 0o755), { code: 'ENOTDIR' }, name);
  mkdirSync(join(directory, 'a'));
  const made: string[] = [];
  const tooLong = join(directory, 'a/b', 'x'.repeat(300));
  assert.throws(() => makeDirectories(tooLong, 0o755, made), { code: 'ENAMETOOLONG' });
  assert.deepEqual(made, [join(directory, 'a/b')]);
  assert.throws(() => makeDirectories(join(tooLong, 'c'), 0o755), { code: 'ENAMETOOLONG' });
});

test('below /proc, where making one is ENOENT all the way up, it ends', () => {
  const script = `const { makeDirectories } = await import(${JSON.stringify(join(SRC, 'directories.ts'))});
    for (const path of ['/proc/x', '/proc/x/y/z'])
      try { makeDirectories(path, 0o755) } catch (error) { console.log(error.code) }`;
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.deepEqual([stdout, status], ['ENOENT\nENOENT\n', 0]);
});

test('and nothing that runs in a container makes them in another way', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !/^build\/|\/build\.ts$/.test(file),
  );
  const strangers = files.filter((file) =>
    /\bmkdir(Sync)?\([^;]*recursive/.test(readFileSync(join(SRC, file), 'utf8')),
  );
  assert.deepEqual(strangers, []);
});
