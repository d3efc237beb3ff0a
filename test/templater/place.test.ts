import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { UserError } from '../../src/errors.ts';
import { followLinks, withPlace } from '../../src/templater/place.ts';
import { createPrevious } from '../../src/templater/previous.ts';
import { stage } from '../../src/templater/write.ts';
import { tempDir } from '../tree.ts';

const IS_ROOT = process.getuid?.() === 0;
/** Some user who is neither root nor we. */
const STRANGER = 65_534;

function directory(t: TestContext): string {
  return realpathSync(tempDir(t));
}

test('links of ours are followed, also to what is not there yet', async (t) => {
  const at = directory(t);
  mkdirSync(join(at, 'real'));
  for (const [link, target] of [
    ['down', 'real'],
    ['back', 'down/../real/./x'],
    ['far', `${at}/down/new`],
  ] as const)
    symlinkSync(target, join(at, link));
  assert.equal(followLinks(join(at, 'down/a')), join(at, 'real/a'));
  assert.equal(followLinks(join(at, 'back')), join(at, 'real/x'));
  assert.equal(followLinks(join(at, 'far/on/a')), join(at, 'real/new/on/a'));
  assert.equal(followLinks('/'), '/');
});

test('another directory that takes the place of the one that was looked at gets nothing', async (t) => {
  const at = directory(t);
  for (const name of ['own', 'secret']) mkdirSync(join(at, name));
  await withPlace(join(at, 'own/a'), async ({ file, beside }) => {
    renameSync(join(at, 'own'), join(at, 'moved'));
    symlinkSync('secret', join(at, 'own'));
    await writeFile(beside('new'), 'x');
    await rename(beside('new'), file);
    assert.equal(await readFile(file, 'utf8'), 'x');
  });
  assert.deepEqual(readdirSync(join(at, 'secret')), []);
  assert.deepEqual(readdirSync(join(at, 'moved')), ['a']);
});

test('nobody can have the templater replace what is not theirs, by a link to a file or to a directory', async (t) => {
  const at = directory(t);
  for (const name of ['app', 'app/data', 'etc']) mkdirSync(join(at, name));
  writeFileSync(join(at, 'etc/app.conf'), 'precious', { mode: 0o600 });
  symlinkSync('../etc/app.conf', join(at, 'app/file'));
  symlinkSync('../etc', join(at, 'app/dir'));
  symlinkSync('data', join(at, 'app/within'));
  if (!IS_ROOT) {
    // All links are ours, and lead where we may write.
    assert.equal(followLinks(join(at, 'app/dir/app.conf')), join(at, 'etc/app.conf'));
    return;
  }
  for (const name of ['app', 'app/data']) chownSync(join(at, name), STRANGER, STRANGER);
  for (const name of ['file', 'dir', 'within']) lchownSync(join(at, 'app', name), STRANGER, STRANGER);
  const owner = { user: String(STRANGER), group: undefined };
  for (const name of ['file', 'dir/app.conf', 'dir/new/app.conf']) {
    const dest = join(at, 'app', name);
    await assert.rejects(stage({ dest, mode: 0o644, owner }, Buffer.from('x')), (error) => {
      assert.ok(error instanceof UserError);
      assert.match(
        error.message,
        /^cannot write .*: the link .*\/app\/(file|dir) is of user 65534, and leads to a directory of user 0$/,
      );
      assert.match(error.hint ?? '', /^give the link to root \(chown -h root .*\), or name the file itself$/);
      return true;
    });
    await assert.rejects(createPrevious().keep(dest));
  }
  assert.equal(readFileSync(join(at, 'etc/app.conf'), 'utf8'), 'precious');
  assert.deepEqual([statSync(join(at, 'etc/app.conf')).uid, readdirSync(join(at, 'etc'))], [0, ['app.conf']]);
  const within = await stage({ dest: join(at, 'app/within/a'), mode: undefined, owner }, Buffer.from('x'));
  await within.commit();
  assert.equal(readFileSync(join(at, 'app/data/a'), 'utf8'), 'x');
});

test('a file that takes the place of the one that was looked at is given to nobody', async (t) => {
  const at = directory(t);
  const dest = join(at, 'app.conf');
  writeFileSync(dest, 'x', { mode: 0o644 });
  writeFileSync(join(at, 'other'), 'x', { mode: 0o600 });
  const staged = await stage({ dest, mode: 0o640, owner: undefined }, Buffer.from('x'));
  assert.equal(staged.changed, false);
  renameSync(join(at, 'other'), dest);
  await staged.commit();
  assert.equal(statSync(dest).mode & 0o777, 0o600);
  symlinkSync('other', join(at, 'link'));
  writeFileSync(join(at, 'other'), 'x', { mode: 0o600 });
  const again = await stage({ dest, mode: 0o640, owner: undefined }, Buffer.from('x'));
  renameSync(join(at, 'link'), dest);
  await again.commit();
  assert.equal(statSync(join(at, 'other')).mode & 0o777, 0o600);
});

test('what was put where the previous file is kept is waited for by nobody', async (t) => {
  const at = directory(t);
  const dest = join(at, 'app.conf');
  writeFileSync(dest, 'one');
  const previous = createPrevious();
  await previous.keep(dest);
  const [kept = ''] = readdirSync(at).filter((name) => name !== 'app.conf');
  execFileSync('sh', ['-c', 'rm "$1"; mkfifo "$1"', 'sh', join(at, kept)]);
  await assert.rejects(previous.digest(dest), /it is not a regular file/);
  await previous.forget(dest);
  assert.equal(existsSync(join(at, kept)), false);
});
