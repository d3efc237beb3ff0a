import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createWatch, linksIn, waysTo } from '../../src/templater/watch.ts';
import { tempDir, until } from '../tree.ts';

/** Follows one file as a user of the watch does: it follows again at each change. */
function followFile(t: TestContext, file: string): { looks: () => number } {
  let looks = 0;
  const follow = (): void => watch.follow(waysTo([file]));
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

/** As git-sync and a config map do it: in one step. */
function lead(link: string, target: string): void {
  symlinkSync(target, `${link}.new`);
  renameSync(`${link}.new`, link);
}

test('a link on the way is followed: to the file, to its directory, to another link, to what is not there yet', async (t) => {
  const directory = tempDir(t);
  const at = (name: string): string => join(directory, name);
  for (const name of ['one', 'two', 'volume', 'links', 'links/deep']) mkdirSync(at(name));
  writeFileSync(at('one/file'), '');
  writeFileSync(at('two/file'), '');
  // A config map's layout, reached by links of both kinds; after a link `..` is not what the text says.
  lead(at('volume/..data'), '../one');
  lead(at('volume/file'), '..data/file');
  lead(at('current'), at('links/deep'));
  lead(at('links/file'), `/${at('volume/file')}`);
  lead(at('links/deep/file'), '../file');
  const { looks } = followFile(t, at('current/file'));
  const seen = async (what: string, act: () => void): Promise<void> => {
    // Those of new watches are over once nothing has been seen for a while.
    for (let before = -1; before !== looks(); await delay(100)) before = looks();
    const before = looks();
    act();
    await until(`a look after ${what}`, () => looks() > before);
  };
  await seen('a change of the file', () => writeFileSync(at('one/file'), 'x'));
  await seen('a swap in the volume', () => lead(at('volume/..data'), '../two'));
  await seen('a change of the other file', () => writeFileSync(at('two/file'), 'x'));
  await seen('another link in the middle', () => lead(at('links/file'), '../one/file'));
  await seen('a change there', () => writeFileSync(at('one/file'), 'y'));
  await seen('another directory', () => lead(at('current'), 'three/none'));
  await seen('its beginning', () => mkdirSync(at('three')));
  await seen('its end', () => mkdirSync(at('three/none')));
  await seen('the file in it', () => writeFileSync(at('three/none/file'), ''));
  const before = looks();
  writeFileSync(at('one/file'), 'z');
  lead(at('links/file'), 'nowhere');
  await delay(200);
  assert.equal(looks(), before, 'where it does not lead any more');
});

test('links that lead nowhere, or round in a circle, are waited for', async (t) => {
  const directory = tempDir(t);
  const at = (name: string): string => join(directory, name);
  const links = { a: 'b', b: './a', self: 'self/x', deep: 'deep2/x', deep2: 'deep/y', here: '.' };
  for (const [link, target] of Object.entries(links)) lead(at(link), target);
  for (const link of Object.keys(links)) {
    const { looks } = followFile(t, at(`here/here/${link}/file`));
    await until('the look at the beginning', () => looks() > 0);
    await delay(60);
    const before = looks();
    mkdirSync(at(`${link}.real`));
    writeFileSync(at(`${link}.real/file`), '');
    lead(at(link), `${link}.real`);
    await until(`a look after ${link} leads somewhere`, () => looks() > before);
  }
});

test('of a directory only the links that count are told', (t) => {
  const directory = tempDir(t);
  writeFileSync(join(directory, 'a.hbs'), '');
  for (const name of ['b.hbs', 'b.txt']) symlinkSync('nowhere', join(directory, name));
  const isTemplate = (name: string): boolean => name.endsWith('.hbs');
  assert.deepEqual(linksIn([directory, isTemplate]), [join(directory, 'b.hbs')]);
  assert.deepEqual(linksIn([join(directory, 'none'), isTemplate]), []);
});
