import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createWatch } from '../../src/templater/watch.ts';
import { tempDir, until } from '../tree.ts';

/** Follows one file as a user of the watch does: it follows again at each change. */
function followFile(t: TestContext, file: string): { looks: () => number } {
  let looks = 0;
  const follow = (): void => watch.follow(new Map([[dirname(file), (name) => name === 'file']]));
  const watch = createWatch(
    () => {
      looks++;
      follow();
    },
    (_directory, error) => assert.fail(error as Error),
  );
  t.after(() => watch.stop());
  follow();
  return { looks: () => looks };
}

test('each change is followed by a look, however fast they come', async (t) => {
  const file = join(tempDir(t), 'file');
  const { looks } = followFile(t, file);
  await until('the look at the beginning', () => looks() === 1);
  for (let i = 0; i < 20; i++) {
    const before = looks();
    writeFileSync(file, String(i));
    writeFileSync(file, `${i}+`);
    await until(`a look after change ${i}`, () => looks() > before);
  }
  const before = looks();
  writeFileSync(`${file}.new`, '');
  renameSync(`${file}.new`, file);
  await until('a look after the replacement', () => looks() > before);
  const replaced = looks();
  rmSync(file);
  await until('a look after the removal', () => looks() > replaced);
});

test('directories that come, go, and come again', async (t) => {
  const directory = tempDir(t);
  const file = join(directory, 'a/b/file');
  const { looks } = followFile(t, file);
  const seen = async (what: string, act: () => void): Promise<void> => {
    const before = looks();
    act();
    await until(`a look after ${what}`, () => looks() > before);
  };
  await until('the look at the beginning', () => looks() === 1);
  for (let i = 0; i < 5; i++) {
    await seen('its directories', () => mkdirSync(dirname(file), { recursive: true }));
    // How many looks that takes depends on which of the two was seen; the file is not missed.
    await seen('the file', () => writeFileSync(file, String(i)));
    await seen('the removal', () => rmSync(join(directory, 'a'), { recursive: true }));
  }
});

test('other names in a directory are of no concern', async (t) => {
  const directory = tempDir(t);
  const { looks } = followFile(t, join(directory, 'file'));
  await until('the look at the beginning', () => looks() === 1);
  writeFileSync(join(directory, 'other'), '');
  writeFileSync(join(directory, 'file'), '');
  await until('the look at the file', () => looks() === 2);
  writeFileSync(join(directory, 'file'), 'x');
  await until('the next look', () => looks() === 3);
});

test('several directories that are not there yet are all waited for, and names can be added to one that is', async (t) => {
  const directory = tempDir(t);
  const files = ['a/file', 'b/file', 'one', 'two'].map((name) => join(directory, name));
  const wanted = new Set(files.slice(0, 3));
  let looks = 0;
  const follow = (): void =>
    watch.follow(
      new Map([...wanted].map(dirname).map((each) => [each, (name) => wanted.has(join(each, name))])),
    );
  const watch = createWatch(
    () => {
      looks++;
      follow();
    },
    (_directory, error) => assert.fail(error as Error),
  );
  t.after(() => watch.stop());
  follow();
  await until('the look at the beginning', () => looks === 1);
  wanted.add(files[3] ?? '');
  follow();
  for (const file of files.toReversed()) {
    const before = looks;
    mkdirSync(dirname(file), { recursive: true });
    await until(
      `a look, or a directory that was there, for ${file}`,
      () => looks > before || dirname(file) === directory,
    );
    const made = looks;
    writeFileSync(file, '');
    await until(`a look after ${file}`, () => looks > made);
  }
});
