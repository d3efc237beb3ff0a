import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf } from '../../src/templater/disk.ts';
import { createPrevious } from '../../src/templater/previous.ts';
import { removeLeftovers, stage } from '../../src/templater/write.ts';
import { tempDir } from '../tree.ts';
import { inNamespace } from './namespace.ts';

async function write(dest: string, text: string): Promise<void> {
  await (await stage({ dest, mode: undefined, owner: undefined }, Buffer.from(text))).commit();
}

test('what was kept comes back as it was, also by another process, and nothing is left', async (t) => {
  const directory = tempDir(t);
  const dest = join(directory, 'app.conf');
  writeFileSync(dest, 'one');
  chmodSync(dest, 0o640);
  await createPrevious().keep(dest);
  await write(dest, 'two');
  await removeLeftovers(dest);
  const other = createPrevious();
  await other.keep(dest);
  assert.equal(await other.digest(dest), digestOf(Buffer.from('one')), 'what is kept already stays');
  await other.restore(dest);
  assert.equal(readFileSync(dest, 'utf8'), 'one');
  assert.equal(statSync(dest).mode & 0o777, 0o640);
  assert.deepEqual(readdirSync(directory), ['app.conf']);
  assert.equal(await other.digest(dest), undefined);
});

test('a file that was not there is removed again; kept, then never replaced, it stays', async (t) => {
  const directory = tempDir(t);
  const previous = createPrevious();
  const dest = join(directory, 'new.conf');
  await previous.keep(dest);
  assert.equal(await previous.digest(dest), null);
  await write(dest, 'x');
  await previous.restore(dest);
  assert.equal(existsSync(dest), false);
  writeFileSync(dest, 'one');
  await previous.keep(dest);
  await previous.restore(dest);
  assert.equal(readFileSync(dest, 'utf8'), 'one');
  await previous.keep(dest);
  await previous.forget(dest);
  assert.deepEqual(readdirSync(directory), ['new.conf']);
});

test('beside what a link points to', async (t) => {
  const directory = tempDir(t);
  writeFileSync(join(directory, 'real'), 'one');
  symlinkSync('real', join(directory, 'link'));
  const previous = createPrevious();
  await previous.keep(join(directory, 'link'));
  await write(join(directory, 'link'), 'two');
  await previous.restore(join(directory, 'link'));
  assert.equal(readFileSync(join(directory, 'real'), 'utf8'), 'one');
  assert.deepEqual(readdirSync(directory).sort(), ['link', 'real']);
});

test('on a full disk, for a mounted file, and where nothing can be made beside it', (t) => {
  const script = `
    mount -t tmpfs -o size=64k none /mnt; echo one >/mnt/app.conf
    $KEEP /mnt/app.conf two; head -c 100000 /dev/zero >/mnt/filler 2>/dev/null || true
    $RESTORE /mnt/app.conf; cat /mnt/app.conf; ls -A /mnt
    echo one >real; echo >mounted; mount --bind real mounted
    $KEEP mounted two; cat real; $RESTORE mounted; cat real; ls -A
    mkdir closed; echo >closed/here; mount --bind closed closed; echo one >real; mount --bind real closed/here
    mount -o remount,bind,ro closed; $BOTH closed/here two; cat real; ls -A closed`;
  assert.equal(
    inNamespace(script, tempDir(t), 'keep-file.ts'),
    'one\napp.conf\nfiller\ntwo\none\nmounted\nreal\none\nhere\n',
  );
});
