import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { UserError } from '../../src/errors.ts';
import { removeLeftovers, stage, type Target } from '../../src/templater/write.ts';
import { tempDir } from '../tree.ts';
import { inNamespace } from './namespace.ts';

const IS_ROOT = process.getuid?.() === 0;

async function write(dest: string, text: string, more: Partial<Target> = {}): Promise<boolean> {
  const staged = await stage({ dest, mode: undefined, owner: undefined, ...more }, Buffer.from(text));
  await staged.commit();
  return staged.changed;
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o7777;
}

test('a new file: its directories, its mode whatever the umask, nothing left beside it', async (t) => {
  const directory = tempDir(t);
  const dest = join(directory, 'a/b/app.conf');
  const before = process.umask(0o077);
  t.after(() => process.umask(before));
  assert.equal(await write(dest, 'x'), true);
  assert.equal(readFileSync(dest, 'utf8'), 'x');
  assert.equal(modeOf(dest), 0o644);
  assert.deepEqual(readdirSync(join(directory, 'a/b')), ['app.conf']);
});

test('until it is committed the old file is untouched; discarded, nothing is left', async (t) => {
  const directory = tempDir(t);
  const dest = join(directory, 'app.conf');
  await write(dest, 'old');
  const staged = await stage({ dest, mode: undefined, owner: undefined }, Buffer.from('new'));
  assert.equal(readFileSync(dest, 'utf8'), 'old');
  assert.equal(readdirSync(directory).length, 2);
  await staged.discard();
  assert.deepEqual(readdirSync(directory), ['app.conf']);
});

test('the same bytes are not written again, but mode drift is repaired', async (t) => {
  const dest = join(tempDir(t), 'app.conf');
  await write(dest, 'x', { mode: 0o640 });
  const { ino, mtimeMs } = statSync(dest);
  chmodSync(dest, 0o666);
  assert.equal(await write(dest, 'x', { mode: 0o640 }), false);
  assert.equal(modeOf(dest), 0o640);
  assert.deepEqual([statSync(dest).ino, statSync(dest).mtimeMs], [ino, mtimeMs]);
});

test('without mode: an existing file keeps its own, so that a secret does not become readable', async (t) => {
  const dest = join(tempDir(t), 'app.conf');
  writeFileSync(dest, 'old', { mode: 0o600 });
  await write(dest, 'new');
  assert.equal(modeOf(dest), 0o600);
});

test('a link is followed: what it points to is replaced', async (t) => {
  const directory = tempDir(t);
  mkdirSync(join(directory, 'real'));
  for (const [link, target] of [
    ['a', 'real/a'],
    ['b', 'real/not/there/yet'],
  ] as const) {
    symlinkSync(target, join(directory, link));
    await write(join(directory, link), link);
    assert.ok(lstatSync(join(directory, link)).isSymbolicLink());
    assert.equal(readFileSync(join(directory, target), 'utf8'), link);
  }
  symlinkSync('loop', join(directory, 'loop'));
  await assert.rejects(write(join(directory, 'loop'), 'x'), /too many levels of symbolic links \(ELOOP\)/);
});

test('what a killed templater left beside a destination is removed, and nothing else', async (t) => {
  const directory = tempDir(t);
  const dest = join(directory, 'app.conf');
  await stage({ dest, mode: undefined, owner: undefined }, Buffer.from('half'));
  await stage(
    { dest: join(directory, 'other.conf'), mode: undefined, owner: undefined },
    Buffer.from('another'),
  );
  writeFileSync(join(directory, '.supervise-notes'), '');
  assert.equal(readdirSync(directory).length, 3);
  await removeLeftovers(dest);
  assert.equal(readdirSync(directory).length, 2);
  assert.ok(readdirSync(directory).includes('.supervise-notes'));
  await removeLeftovers(join(directory, 'not/there'));
});

test('a destination that cannot be written is told with its cause, and nothing is left', async (t) => {
  const directory = tempDir(t);
  mkdirSync(join(directory, 'dir'));
  writeFileSync(join(directory, 'file'), '');
  execFileSync('mkfifo', [join(directory, 'fifo')]);
  const cases: [string, RegExp][] = [
    ['dir', /^cannot write .*\/dir: it is a directory \(EISDIR\)$/],
    ['file/x', /^cannot write .*\/file\/x: a part of the path is not a directory \(ENOTDIR\)$/],
    ['/proc/nothing/here', /^cannot write \/proc\/nothing\/here: no such file or directory \(ENOENT\)$/],
    ['fifo', /^cannot write .*\/fifo: it is not a regular file$/],
  ];
  for (const [name, message] of cases)
    await assert.rejects(write(resolve(directory, name), 'x'), (error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, message);
      return true;
    });
  await assert.rejects(
    write(join(directory, 'a'), 'x', { owner: { user: 'no-such-user', group: undefined } }),
    /cannot write .*: cannot find the user "no-such-user": it is not in \/etc\/passwd/,
  );
  assert.deepEqual(readdirSync(directory).sort(), ['dir', 'fifo', 'file']);
});

test('the owner is set before the file is in place, and kept where none is named', async (t) => {
  if (!IS_ROOT) {
    // Nobody but root may give files away: then that is what is told.
    const refused = write(join(tempDir(t), 'a'), 'x', { owner: { user: '0', group: undefined } });
    await assert.rejects(refused, /cannot give it to 0:\d+: operation not permitted \(EPERM\)/);
    return;
  }
  const dest = join(tempDir(t), 'app.conf');
  await write(dest, 'x', { owner: { user: 'daemon', group: '12345' }, mode: 0o4750 });
  assert.deepEqual([statSync(dest).uid, statSync(dest).gid, modeOf(dest)], [1, 12345, 0o4750]);
  await write(dest, 'y');
  assert.deepEqual([statSync(dest).uid, statSync(dest).gid, modeOf(dest)], [1, 12345, 0o4750]);
  chownSync(dest, 0, 0);
  assert.equal(await write(dest, 'y', { owner: { user: undefined, group: '12345' } }), false);
  assert.deepEqual([statSync(dest).uid, statSync(dest).gid], [0, 12345]);
});

test('a file that is mounted is rewritten in place', (t) => {
  const script = `
    echo long old content >real; echo >mounted; mount --bind real mounted
    $WRITE mounted new; cat real; ls -A
    mount -t tmpfs none /mnt; echo >/mnt/here; mount --bind real /mnt/here; mount -o remount,bind,ro /mnt
    $WRITE /mnt/here newer; cat real; ls -A /mnt
    $WRITE /mnt/here newer`;
  assert.equal(
    inNamespace(script, tempDir(t), 'write-file.ts'),
    'changed\nnew\nmounted\nreal\nchanged\nnewer\nhere\nunchanged\n',
  );
});

test('what is rewritten in place is closed to others ahead of the new bytes', (t) => {
  const script = `
    mount -t tmpfs -o size=64k none /mnt; echo old >/mnt/mounted; echo old >bound; mount --bind /mnt/mounted bound
    chmod 644 bound; $WRITE bound secret 600; cat bound; stat -c %a bound
    $WRITE bound public 644; stat -c %a bound
    head -c 100000 /dev/zero >/mnt/filler 2>/dev/null || true
    $WRITE bound "$(head -c 20000 /dev/zero | tr '\\0' x)" 600; cat bound; stat -c %a bound`;
  const directory = tempDir(t);
  assert.equal(
    inNamespace(script, directory, 'write-file.ts'),
    `changed\nsecret\n600\nchanged\n644\ncannot write ${directory}/bound: no space left on the device (ENOSPC)\npublic\n600\n`,
  );
});

test('a full or read-only disk leaves the old file and nothing else', (t) => {
  const script = `
    mount -t tmpfs -o size=64k none /mnt; mkdir /mnt/own; echo old >/mnt/app.conf; echo old >/mnt/own/mounted
    head -c 100000 /dev/zero >/mnt/filler 2>/dev/null || true
    $WRITE /mnt/app.conf "$(head -c 20000 /dev/zero | tr '\\0' x)"; cat /mnt/app.conf; ls -A /mnt
    echo old >bound; mount --bind /mnt/own/mounted bound
    $WRITE bound "$(head -c 20000 /dev/zero | tr '\\0' x)"; cat bound
    mount -o remount,bind,ro /mnt; $WRITE /mnt/app.conf new; $WRITE /mnt/fresh new; cat /mnt/app.conf`;
  const full = (path: string): string => `cannot write ${path}: no space left on the device (ENOSPC)\n`;
  const ro = (path: string): string => `cannot write ${path}: read-only file system (EROFS)\n`;
  const directory = tempDir(t);
  assert.equal(
    inNamespace(script, directory, 'write-file.ts'),
    `${full('/mnt/app.conf')}old\napp.conf\nfiller\nown\n${full(`${directory}/bound`)}old\n${ro('/mnt/app.conf')}${ro('/mnt/fresh')}old\n`,
  );
});
