/** The program header's fields of 64-bit little-endian ELF; Node's Linux builds are nothing else. */
const EHDR_SIZE = 64;
const PHDR_SIZE = 56;
const PT = { load: 1, note: 4, phdr: 6 } as const;
const READABLE = 4;
/** The greatest page size among the kernels that Node runs on (arm64 with 64 KiB). */
const PAGE = 0x10000n;

interface ProgramHeader {
  type: number;
  flags: number;
  offset: bigint;
  address: bigint;
  fileSize: bigint;
  memorySize: bigint;
  align: bigint;
}

/**
 * Gives an executable one more note, in memory when it runs: how Node's own loader finds the blob of a single executable
 * (it walks the PT_NOTE entries of its program headers for the name).
 *
 * The table of program headers has no room to grow where it is, so it moves to the end of the file, in one new read-only
 * segment with the note. That segment keeps the distance between file offset and address of the first one: kernels before
 * 5.18 compute the table's address by it. Sections are left as they were; `strip` must have run before, it would take the
 * segment away again.
 * @throws Error for what is no 64-bit little-endian ELF executable
 */
export function addNote(elf: Buffer, name: string, content: Buffer): Buffer {
  if (elf.toString('latin1', 0, 6) !== '\x7fELF\x02\x01')
    throw new Error('not a 64-bit little-endian ELF file');
  const headers = readHeaders(elf);
  const loads = headers.filter(({ type }) => type === PT.load);
  const first = loads[0];
  if (!first) throw new Error('no segment to load');

  const distance = first.address - first.offset;
  const endOfMemory = loads.reduce((end, load) => max(end, load.address + load.memorySize), 0n);
  const offset = roundUp(max(BigInt(elf.length), endOfMemory - distance), PAGE);
  const address = offset + distance;

  const tableSize = BigInt((headers.length + 2) * PHDR_SIZE);
  const note = noteOf(name, content);
  const noteAt = roundUp(tableSize, 8n);
  const size = noteAt + BigInt(note.length);
  const segment = { flags: READABLE, offset, address, fileSize: size, memorySize: size, align: PAGE };
  const noteHeader = {
    type: PT.note,
    flags: READABLE,
    offset: offset + noteAt,
    address: address + noteAt,
    fileSize: BigInt(note.length),
    memorySize: BigInt(note.length),
    align: 4n,
  };
  const lastLoad = headers.findLastIndex(({ type }) => type === PT.load);
  const table = headers
    .map((header) =>
      header.type === PT.phdr
        ? { ...header, offset, address, fileSize: tableSize, memorySize: tableSize }
        : header,
    )
    .toSpliced(lastLoad + 1, 0, { type: PT.load, ...segment }); // in the order of addresses, as the ABI wants it
  table.push(noteHeader);

  const result = Buffer.alloc(Number(offset + size));
  elf.copy(result);
  result.writeBigUInt64LE(offset, 32); // e_phoff
  result.writeUInt16LE(table.length, 56); // e_phnum
  for (const [i, header] of table.entries()) writeHeader(result, Number(offset) + i * PHDR_SIZE, header);
  note.copy(result, Number(offset + noteAt));
  return result;
}

function readHeaders(elf: Buffer): ProgramHeader[] {
  const start = Number(elf.readBigUInt64LE(32));
  if (elf.readUInt16LE(52) !== EHDR_SIZE || elf.readUInt16LE(54) !== PHDR_SIZE)
    throw new Error('its headers have another size');
  return Array.from({ length: elf.readUInt16LE(56) }, (_, i) => {
    const at = start + i * PHDR_SIZE;
    return {
      type: elf.readUInt32LE(at),
      flags: elf.readUInt32LE(at + 4),
      offset: elf.readBigUInt64LE(at + 8),
      address: elf.readBigUInt64LE(at + 16),
      fileSize: elf.readBigUInt64LE(at + 32),
      memorySize: elf.readBigUInt64LE(at + 40),
      align: elf.readBigUInt64LE(at + 48),
    };
  });
}

function writeHeader(elf: Buffer, at: number, header: ProgramHeader): void {
  elf.writeUInt32LE(header.type, at);
  elf.writeUInt32LE(header.flags, at + 4);
  elf.writeBigUInt64LE(header.offset, at + 8);
  elf.writeBigUInt64LE(header.address, at + 16);
  elf.writeBigUInt64LE(header.address, at + 24); // p_paddr, which nobody reads
  elf.writeBigUInt64LE(header.fileSize, at + 32);
  elf.writeBigUInt64LE(header.memorySize, at + 40);
  elf.writeBigUInt64LE(header.align, at + 48);
}

/** namesz, descsz, type, then name and content, each padded to 4 bytes. */
function noteOf(name: string, content: Buffer): Buffer {
  const nameBytes = Buffer.from(`${name}\0`, 'latin1');
  const nameSize = Number(roundUp(BigInt(nameBytes.length), 4n));
  const note = Buffer.alloc(12 + nameSize + Number(roundUp(BigInt(content.length), 4n)));
  note.writeUInt32LE(nameBytes.length, 0);
  note.writeUInt32LE(content.length, 4);
  nameBytes.copy(note, 12);
  content.copy(note, 12 + nameSize);
  return note;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function roundUp(value: bigint, unit: bigint): bigint {
  return ((value + unit - 1n) / unit) * unit;
}
