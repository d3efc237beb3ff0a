/** The note that makes an executable of Node and the bundle, on ELF files that are at hand: the two addons. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { addNote } from '../../src/build/elf-note.ts';
import { loadNative } from '../../src/os/native.ts';
import { tempDir } from '../tree.ts';

const PREBUILT = join(import.meta.dirname, '../../src/os/native/prebuilt');
const CONTENT = Buffer.from('what is carried, of a length that is no multiple of four');
const PT = { load: 1, note: 4, phdr: 6 };

for (const arch of ['x64', 'arm64'])
  describe(`a note in a file for ${arch}`, () => {
    const before = readFileSync(join(PREBUILT, `reaper-${arch}.node`));
    const after = addNote(before, 'SOME_NOTE', CONTENT);
    const [old, now] = [headersOf(before), headersOf(after)];

    test('is found by its name, where the header says', () => {
      const note = now.at(-1);
      assert.equal(note?.type, PT.note);
      const at = note?.offset ?? 0;
      const [nameSize, size] = [after.readUInt32LE(at), after.readUInt32LE(at + 4)];
      assert.equal(after.toString('latin1', at + 12, at + 12 + nameSize), 'SOME_NOTE\0');
      const start = at + 12 + Math.ceil(nameSize / 4) * 4;
      assert.deepEqual(after.subarray(start, start + size), CONTENT);
    });

    test('is in memory, in a segment of its own that also holds the table of headers, and overlaps no other', () => {
      const loads = now.filter(({ type }) => type === PT.load);
      const fresh = loads.at(-1);
      assert.ok(fresh);
      assert.equal(loads.length, old.filter(({ type }) => type === PT.load).length + 1);
      assert.deepEqual(
        loads,
        loads.toSorted((a, b) => a.address - b.address),
        'in the order of addresses',
      );
      for (const { address, memorySize } of loads.slice(0, -1))
        assert.ok(address + memorySize <= fresh.address);
      assert.equal(fresh.flags, 4, 'to be read only');
      assert.equal(fresh.offset, Number(after.readBigUInt64LE(32)), 'begins with the table');
      assert.equal(fresh.address - fresh.offset, (loads[0]?.address ?? 0) - (loads[0]?.offset ?? 0));
      assert.equal(fresh.offset % 0x10000, 0, 'on a page, of any size');
      assert.equal(fresh.offset + fresh.fileSize, after.length);
    });

    test('changes nothing else', () => {
      assert.deepEqual(after.subarray(64, before.length), before.subarray(64));
      const kept = now.filter(({ type, offset }) => type !== PT.phdr && offset < before.length);
      assert.deepEqual(
        kept,
        old.filter(({ type }) => type !== PT.phdr),
      );
    });
  });

test("a file with a note is still one that the system's loader takes", (t) => {
  const directory = tempDir(t);
  const name = `reaper-${process.arch}.node`;
  writeFileSync(join(directory, name), addNote(readFileSync(join(PREBUILT, name)), 'SOME_NOTE', CONTENT));
  assert.deepEqual(Object.keys(loadNative([directory])), ['native']);
});

test('what is no such executable is refused', () => {
  assert.throws(
    () => addNote(Buffer.from('#!/bin/sh\n'), 'N', CONTENT),
    /not a 64-bit little-endian ELF file/,
  );
  const other = Buffer.from(readFileSync(join(PREBUILT, 'reaper-x64.node')));
  other.writeUInt16LE(32, 54);
  assert.throws(() => addNote(other, 'N', CONTENT), /another size/);
});

function headersOf(elf: Buffer) {
  const start = Number(elf.readBigUInt64LE(32));
  return Array.from({ length: elf.readUInt16LE(56) }, (_, i) => {
    const at = start + i * 56;
    const field = (offset: number): number => Number(elf.readBigUInt64LE(at + offset));
    return {
      type: elf.readUInt32LE(at),
      flags: elf.readUInt32LE(at + 4),
      offset: field(8),
      address: field(16),
      fileSize: field(32),
      memorySize: field(40),
    };
  });
}
