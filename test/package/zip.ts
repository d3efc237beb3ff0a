/** ZIP files for tests, byte by byte, so that they can say what no tool would. */
import { crc32, deflateRawSync } from 'node:zlib';

export interface Part {
  name: string | Buffer;
  content?: string | Buffer;
  /** Unix type and permissions; undefined: made where there are none. */
  mode?: number | undefined;
  /** 8 is Deflate, 0 stored. */
  method?: number;
  /** Bit 11, the name is UTF-8, is always set. */
  flags?: number;
  /** What the directory says instead of the truth. */
  lies?: { crc?: number; size?: number; packed?: number; offset?: number };
}

export const FILE = 0o100644;
export const SCRIPT = 0o100755;
export const DIRECTORY = 0o040755;
export const LINK = 0o120777;

/** A script, or any other file, by its first two characters; directories end in a slash. */
export function files(content: Record<string, string>): Part[] {
  return Object.entries(content).map(([name, text]) => ({
    name,
    content: text,
    mode: name.endsWith('/') ? DIRECTORY : text.startsWith('#!') ? SCRIPT : FILE,
  }));
}

/** Writes sizes and sums behind the data, as a tool does that cannot seek; the directory has them all the same. */
export function zip(parts: readonly Part[], options: { comment?: string; streamed?: boolean } = {}): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, content = '', mode, method = 8, flags = 0, lies = {} } of parts) {
    const raw = Buffer.from(content);
    const data = method === 8 ? deflateRawSync(raw) : raw;
    const path = Buffer.from(name);
    const bits = flags | 0x800 | (options.streamed ? 8 : 0);
    const sum = lies.crc ?? crc32(raw);
    const [size, packed] = [lies.size ?? raw.length, lies.packed ?? data.length];
    const common = record(
      [2, 20],
      [2, bits],
      [2, method],
      [4, 0x5a21_6c40],
      [4, sum],
      [4, packed],
      [4, size],
      [2, path.length],
      [2, 0],
    );
    const head = Buffer.from(common);
    if (options.streamed) head.fill(0, 10, 22);
    const tail = options.streamed
      ? record([4, 0x0807_4b50], [4, sum], [4, packed], [4, size])
      : Buffer.alloc(0);
    local.push(record([4, 0x0403_4b50]), head, path, data, tail);
    central.push(
      record([4, 0x0201_4b50], [2, mode === undefined ? 20 : 0x031e]),
      common,
      record(
        [2, 0],
        [2, 0],
        [2, 0],
        [4, mode === undefined ? 0 : mode * 0x1_0000],
        [4, lies.offset ?? offset],
      ),
      path,
    );
    offset += 4 + head.length + path.length + data.length + tail.length;
  }
  const directory = Buffer.concat(central);
  const comment = Buffer.from(options.comment ?? '');
  const end = record(
    [4, 0x0605_4b50],
    [4, 0],
    [2, parts.length],
    [2, parts.length],
    [4, directory.length],
    [4, offset],
    [2, comment.length],
  );
  return Buffer.concat([...local, directory, end, comment]);
}

function record(...fields: [bytes: 2 | 4, value: number][]): Buffer {
  const buffer = Buffer.alloc(fields.reduce((sum, [bytes]) => sum + bytes, 0));
  let at = 0;
  for (const [bytes, value] of fields) at = buffer.writeUIntLE(value, at, bytes);
  return buffer;
}
