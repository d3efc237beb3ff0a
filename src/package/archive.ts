import { isUtf8 } from 'node:buffer';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { type Entry, getFileNameLowLevel, openPromise, type ZipFile } from 'yauzl';
import { LOCK, MARKER, WORK } from '../core/package.ts';
import { causeOf, UserError } from '../errors.ts';
import { Names, quote, safePath } from './names.ts';
import { formatSize } from './size.ts';

const MOST_ENTRIES = 200_000;
/** Where nobody names a limit: so many times the file; but there is no bomb below the least, and no package above the most. */
const MOST_UNPACKED = { ratio: 100, least: 64_000_000, most: 4_000_000_000 };

/** Of Unix's file types, as a ZIP tells them. */
const TYPE_MASK = 0o170000;
const TYPES: ReadonlyMap<number, string> = new Map([
  [0, 'file'],
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'a symbolic link'],
  [0o060000, 'a device'],
  [0o020000, 'a device'],
  [0o010000, 'a pipe'],
  [0o140000, 'a socket'],
]);
/** Who made it, where that is a system whose file modes are Unix's. */
const UNIX_MADE = [3, 19];
const METHODS: Record<number, string> = {
  9: 'Deflate64',
  12: 'BZIP2',
  14: 'LZMA',
  93: 'Zstandard',
  95: 'XZ',
};

export interface Item {
  /** Relative to the package, and within it. */
  path: string;
  kind: 'file' | 'directory';
  /** Permissions; undefined where the ZIP comes from a system that has none. */
  mode: number | undefined;
  size: number;
  crc32: number;
  modified: Date;
  /** Its bytes, unpacked; more or fewer than `size` are an error. */
  read(): Promise<Readable>;
}

export interface Archive {
  items: Item[];
  /** Of all files, unpacked. */
  size: number;
  close(): void;
}

/**
 * Reads the directory at the end of a ZIP, which alone says what it holds, and refuses it as a whole for anything that could
 * do harm. Nothing is unpacked here.
 * @param maxUnpacked bytes; undefined for a limit that depends on the file
 * @param shown how messages call it
 */
export async function readArchive(
  file: string,
  maxUnpacked: number | undefined,
  shown: string,
): Promise<Archive> {
  const { head, bytes } = await beginningOf(file);
  const refuse = (cause: string, hint?: string): UserError =>
    new UserError(`cannot use the package ${shown}: ${cause}`, { hint });
  if (!['PK\x03\x04', 'PK\x05\x06'].includes(head.slice(0, 4)))
    throw refuse(`it is ${kindOf(head, bytes)}, and no ZIP file`, 'look at what PACKAGE_ZIP_URL answers');
  const zip = await openPromise(file, { decodeStrings: false, autoClose: false }).catch(() => {
    throw refuse('it is not the whole of a ZIP file: its end is missing or damaged');
  });
  try {
    if (zip.entryCount === 0) throw refuse('it is empty');
    if (zip.entryCount > MOST_ENTRIES) throw refuse(`it holds more than ${MOST_ENTRIES} entries`);
    const items = await readItems(zip, refuse);
    const packed = items.reduce((sum, { packed }) => sum + packed, 0);
    if (packed > bytes) throw refuse('its entries overlap, as those of a ZIP bomb do');
    const size = items.reduce((sum, item) => sum + item.size, 0);
    const { ratio, least, most } = MOST_UNPACKED;
    const limit = maxUnpacked ?? Math.min(most, Math.max(least, ratio * bytes));
    if (size > limit)
      throw refuse(
        `it would unpack to ${formatSize(size)}, from ${formatSize(bytes)}; the most is ${formatSize(limit)}`,
        'where that is right, raise PACKAGE_MAX_UNPACKED',
      );
    return { items, size, close: () => zip.close() };
  } catch (error) {
    zip.close();
    throw error;
  }
}

type Refuse = (cause: string, hint?: string) => UserError;

async function readItems(zip: ZipFile, refuse: Refuse): Promise<(Item & { packed: number })[]> {
  const names = new Names();
  const items: (Item & { packed: number })[] = [];
  const entries = zip.eachEntry()[Symbol.asyncIterator]();
  for (;;) {
    const next = await entries.next().catch((error: unknown) => {
      throw refuse(`it cannot be read: ${causeOf(error)}`);
    });
    if (next.done) return items;
    const item = toItem(zip, next.value, refuse);
    if (item.path === '') continue;
    const problem = names.add(item.path, item.kind);
    if (problem) throw refuse(problem);
    items.push(item);
  }
}

function toItem(zip: ZipFile, entry: Entry, refuse: Refuse): Item & { packed: number } {
  const name = nameOf(entry);
  if (name === undefined) throw refuse('it holds a name that is not UTF-8, though it says so');
  const safe = safePath(name);
  if ('problem' in safe) throw refuse(safe.problem);
  const [first = ''] = safe.path.split('/', 1);
  if ([WORK, MARKER].includes(first.toLowerCase()) || first.toLowerCase().startsWith(LOCK))
    throw refuse(`${quote(name)} is the installer's own name`);
  const unix = UNIX_MADE.includes(entry.versionMadeBy >>> 8) ? entry.externalFileAttributes >>> 16 : 0;
  const type = TYPES.get(unix & TYPE_MASK) ?? 'of a type that nobody knows';
  if (type !== 'file' && type !== 'directory')
    throw refuse(`${quote(name)} is ${type}`, 'a package holds files and directories alone');
  const kind = name.endsWith('/') ? 'directory' : type;
  // Type 0 is what a file and a directory have in common where a ZIP does not tell.
  if (kind !== type && (unix & TYPE_MASK) !== 0)
    throw refuse(`${quote(name)} is a directory by its name, and a file by its type`);
  if (kind === 'directory' && entry.uncompressedSize > 0)
    throw refuse(`${quote(name)} is a directory with content`);
  if (entry.isEncrypted()) throw refuse(`${quote(name)} is encrypted`, 'make the ZIP without a password');
  if (!entry.canDecodeFileData()) {
    const method = METHODS[entry.compressionMethod] ?? `method ${entry.compressionMethod}`;
    throw refuse(`${quote(name)} is compressed by ${method}`, 'make the ZIP with Deflate, as zip does');
  }
  const { crc32, uncompressedSize: size, compressedSize: packed } = entry;
  return {
    path: safe.path,
    kind,
    // Nothing gets another's rights: the bits for setuid, setgid and sticky are dropped.
    mode: unix === 0 ? undefined : unix & 0o777,
    size,
    packed,
    crc32,
    modified: entry.getLastModDate({ timezone: 'UTC' }),
    read: () => zip.openReadStreamPromise(entry),
  };
}

function nameOf(entry: Entry): string | undefined {
  const { generalPurposeBitFlag: flags, extraFields } = entry;
  const raw = entry.fileNameRaw;
  if ((flags & 0x800) !== 0 && !isUtf8(raw)) return undefined;
  const name = getFileNameLowLevel(flags, raw, extraFields, true);
  return name.includes('\ufffd') ? undefined : name;
}

async function beginningOf(file: string): Promise<{ head: string; bytes: number }> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(512), 0, 512, 0);
    return { head: buffer.toString('latin1', 0, bytesRead), bytes: (await handle.stat()).size };
  } finally {
    await handle.close();
  }
}

function kindOf(head: string, bytes: number): string {
  if (bytes === 0) return 'empty';
  if (/^\s*(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body)/i.test(head)) return 'an HTML page';
  if (/^\s*(\xef\xbb\xbf)?\s*<\?xml/i.test(head)) return 'an XML document';
  if (/^\s*[[{]/.test(head)) return 'JSON, as it seems';
  if (head.startsWith('\x1f\x8b')) return 'compressed by gzip';
  return 'something else';
}
