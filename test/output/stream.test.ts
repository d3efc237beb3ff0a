import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { loadNative } from '../../src/os/native.ts';
import type { Outlet } from '../../src/os/outlet.ts';
import { type Format, json, plain, prefixed } from '../../src/output/format.ts';
import { ServiceOutput } from '../../src/output/outputs.ts';
import { Sink } from '../../src/output/sink.ts';
import { LineStream, MOST_LINE } from '../../src/output/stream.ts';
import { TAIL_BYTES, Tail } from '../../src/output/tail.ts';

/** A way out that takes so much at once, and the rest when it is told to. */
class Door implements Outlet {
  readonly id = 'test';
  out = Buffer.alloc(0);
  room: number;
  error: Error | undefined;
  #rest: { bytes: Buffer; done: (error: unknown) => void } | undefined;

  constructor(room = Number.POSITIVE_INFINITY) {
    this.room = room;
  }

  write(bytes: Buffer): number {
    if (this.error) throw this.error;
    const taken = Math.min(this.room, bytes.length);
    this.room -= taken;
    this.out = Buffer.concat([this.out, bytes.subarray(0, taken)]);
    return taken;
  }

  finish(bytes: Buffer, done: (error: unknown) => void): void {
    this.#rest = { bytes, done };
  }

  /** The reader reads so much more. */
  open(room = Number.POSITIVE_INFINITY): void {
    this.room = room;
    const rest = this.#rest;
    if (!rest) return;
    const taken = this.write(rest.bytes);
    this.#rest = taken < rest.bytes.length ? { ...rest, bytes: rest.bytes.subarray(taken) } : undefined;
    if (!this.#rest) rest.done(undefined);
  }

  /** The rest will never go out. */
  fail(error: Error): void {
    const rest = this.#rest;
    this.#rest = undefined;
    rest?.done(error);
  }

  get text(): string {
    return this.out.toString('latin1');
  }
}

interface Rig {
  door: Door;
  sink: Sink;
  lost: unknown[];
  stream: (name: string, format?: Format) => LineStream & { resumed: number; tail: Tail };
}

function rig(door = new Door()): Rig {
  const lost: unknown[] = [];
  const sink = new Sink(door, (error) => lost.push(error));
  return {
    door,
    sink,
    lost,
    stream(name, format = prefixed(name)) {
      const tail = new Tail();
      const stream: LineStream = new LineStream({
        name: 'stdout',
        format,
        sink,
        tail,
        resume: () => made.resumed++,
      });
      const made = Object.assign(stream, { resumed: 0, tail });
      return made;
    },
  };
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a stream', () => {
  test('waits for the end of a line, and puts its pieces together', () => {
    const { door, stream } = rig();
    const [a, b] = [stream('a'), stream('b')];
    a.take(bytes('one'));
    b.take(bytes('two\nth'));
    a.take(bytes(' half\n'));
    b.take(bytes('ree\n\nfour'));
    assert.equal(door.text, '[b] two\n[a] one half\n[b] three\n[b] \n');
    b.endLine();
    a.endLine();
    assert.equal(door.text, '[b] two\n[a] one half\n[b] three\n[b] \n[b] four\n');
  });

  test('with a longer line than it keeps holds the sink until its end', async () => {
    const { door, stream } = rig();
    const [a, b] = [stream('a'), stream('b')];
    const long = 'x'.repeat(MOST_LINE);
    a.take(bytes('x'));
    a.take(bytes(long));
    assert.equal(b.take(bytes('other\n')), false, 'it must wait');
    a.take(bytes(long));
    a.take(bytes('end\nnext\n'));
    await turn();
    assert.equal(b.resumed, 1);
    assert.ok(door.text === `[a] x${long}${long}end\n[a] next\n[b] other\n`);
  });

  test('whose line does not end gives way to others after a while, and marks what comes later', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'setImmediate'] });
    const { door, stream } = rig();
    const [a, b] = [stream('a'), stream('b')];
    const long = 'x'.repeat(MOST_LINE + 1);
    a.take(bytes(long));
    t.mock.timers.tick(5000);
    assert.ok(door.text === `[a] ${long}`, 'nobody waits: no hurry');
    b.take(bytes('other\n'));
    t.mock.timers.tick(1001);
    t.mock.timers.tick(1);
    assert.ok(door.text === `[a] ${long}\n[b] other\n`);
    a.take(bytes('rest\nnext\n'));
    assert.ok(door.text === `[a] ${long}\n[b] other\n[a]+ rest\n[a] next\n`);
  });

  test('is read no further while nobody reads us, and goes on where it was', () => {
    const { door, stream } = rig(new Door(6));
    const [a, b] = [stream('a'), stream('b')];
    assert.equal(a.take(bytes('one\ntwo\n')), true, 'what is given is taken');
    assert.equal(a.take(bytes('three\nfour')), false);
    assert.equal(b.take(bytes('five\n')), false);
    assert.equal(door.text, '[a] on');
    door.open();
    assert.equal(door.text, '[a] one\n[a] two\n[a] three\n[b] five\n');
    assert.deepEqual([a.resumed, b.resumed], [1, 1]);
    a.endLine();
    assert.equal(door.text, '[a] one\n[a] two\n[a] three\n[b] five\n[a] four\n');
  });

  test('ends its last line also while nobody reads us', () => {
    const { door, stream } = rig(new Door(0));
    const a = stream('a');
    a.take(bytes('one\n'));
    a.take(bytes('two\nlast'));
    a.endLine();
    a.take(bytes('of the next life\n'));
    door.open();
    assert.equal(door.text, '[a] one\n[a] two\n[a] last\n[a] of the next life\n');
  });

  test('goes on being read when our reader is gone, and that is told once', () => {
    const { door, stream, lost } = rig();
    const a = stream('a');
    door.error = Object.assign(new Error('EPIPE'), { code: 'EPIPE' });
    assert.equal(a.take(bytes('one\n')), true);
    assert.equal(a.take(bytes('two\n')), true);
    assert.deepEqual(lost, [door.error]);
    assert.equal(a.tail.bytes().toString(), 'one\ntwo\n');
  });

  test('loses lines only as long as the disk is full, each time told once, and mixes none', () => {
    const full = Object.assign(new Error(), { code: 'ENOSPC' });
    const { door, lost, stream } = rig(new Door(4));
    const web = stream('web');
    web.take(bytes('one\ntwo\n'));
    door.fail(full);
    door.error = full;
    web.take(bytes('three\n'));
    door.error = undefined;
    door.open();
    web.take(bytes('four\n'));
    web.take(bytes('five\n'));
    assert.equal(door.text, '[web\n[web] four\n[web] five\n');
    assert.deepEqual(lost, [full]);
    door.error = full;
    web.take(bytes('six\n'));
    assert.deepEqual(lost, [full, full]);
  });

  for (const format of ['plain', 'prefixed', 'json'] as const)
    test(`${format}: no byte is lost, added or moved, however it comes and goes`, () => {
      const piece = fc.oneof(
        { weight: 5, arbitrary: fc.uint8Array({ maxLength: 40 }) },
        { weight: 2, arbitrary: fc.constant(Uint8Array.of(10)) },
        {
          weight: 1,
          arbitrary: fc.constantFrom(70_000, 65_536, 150_000).map((size) => new Uint8Array(size)),
        },
      );
      const act = fc.record({ of: fc.nat(2), piece, room: fc.constantFrom(0, 0, 5, 1000, 1e9) });
      fc.assert(
        fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
          const { door, stream } = rig(new Door(50));
          const formats = [0, 1, 2].map((i) => formatOf(format, `s${i}`));
          const streams = formats.map((each, i) => stream(`s${i}`, each));
          const said = streams.map(() => [] as Uint8Array[]);
          const waiting = streams.map(() => [] as Uint8Array[]);
          const deliver = (i: number): void => {
            const queue = waiting[i] ?? [];
            while (queue.length > 0 && streams[i]?.waiting === 0)
              streams[i]?.take(Buffer.from(queue.shift() as Uint8Array));
          };
          for (const { of, piece: some, room } of acts) {
            const piece = typeof some === 'number' ? new Uint8Array(some) : some;
            said[of]?.push(piece);
            waiting[of]?.push(piece);
            deliver(of);
            door.open(room);
            for (const i of streams.keys()) deliver(i);
          }
          // Those who wait for the end of a line that is held open get their turn in a later turn of the loop; here, by hand.
          for (let round = 0; round < 200; round++) {
            door.open();
            for (const [i, each] of streams.entries()) {
              deliver(i);
              if (waiting[i]?.length === 0) each.endLine();
              if (each.waiting > 0) each.go();
            }
          }
          const read = readBack(format, door.out);
          for (const [i, pieces] of said.entries()) {
            const all = Buffer.concat(pieces);
            const ended =
              all.length === 0 || all[all.length - 1] === 10 ? all : Buffer.concat([all, bytes('\n')]);
            const got = Buffer.concat(read.get(`s${i}`) ?? []);
            if (format === 'plain') continue;
            assert.ok(got.equals(ended), `s${i}: ${got.length} of ${ended.length}`);
          }
          if (format === 'plain')
            assert.equal(
              door.out.toString('latin1').split('').sort().join(''),
              said
                .map((pieces) => Buffer.concat(pieces))
                .map((all) =>
                  all.length === 0 || all[all.length - 1] === 10 ? all : Buffer.concat([all, bytes('\n')]),
                )
                .map((all) => all.toString('latin1'))
                .join('')
                .split('')
                .sort()
                .join(''),
            );
        }),
        { numRuns: 60 },
      );
    });
});

function formatOf(name: 'plain' | 'prefixed' | 'json', service: string): Format {
  if (name === 'plain') return plain;
  return name === 'json' ? json(service, 'stdout', () => new Date(0)) : prefixed(service);
}

/** Service → its bytes, from what came out. */
function readBack(format: 'plain' | 'prefixed' | 'json', out: Buffer): Map<string, Buffer[]> {
  const read = new Map<string, Buffer[]>();
  for (let at = 0; at < out.length; ) {
    const end = out.indexOf(10, at) + 1 || out.length;
    const line = out.subarray(at, end);
    at = end;
    let service: string | undefined;
    let content: Buffer;
    if (format === 'json') {
      const value = JSON.parse(line.toString('utf8'));
      service = value.service as string;
      const own = value.base64 ? Buffer.from(value.base64, 'base64') : Buffer.from(value.msg);
      content = value.partial ? own : Buffer.concat([own, bytes('\n')]);
    } else {
      service = /^\[(s\d)\] /.exec(line.toString('latin1', 0, 10))?.[1];
      content = line.subarray(5);
      if (format === 'plain') continue;
      assert.ok(service, `no prefix: ${line.toString('latin1', 0, 80)}`);
    }
    read.set(service, [...(read.get(service) ?? []), content]);
  }
  return read;
}

describe('json', () => {
  const lines = (text: Buffer): object[] => {
    const { door, stream } = rig();
    const one = stream(
      'web',
      json('web', 'stderr', () => new Date(0)),
    );
    one.take(text);
    one.endLine();
    return door.out
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  };
  const rest = { time: '1970-01-01T00:00:00.000Z', service: 'web', stream: 'stderr' };

  test('time, service, stream, msg', () => {
    assert.deepEqual(lines(Buffer.from('a "b"\té\0\r\n')), [{ ...rest, msg: 'a "b"\té\0\r' }]);
  });

  test('what is no UTF-8 has all its bytes beside it', () => {
    assert.deepEqual(lines(bytes('a\xff\n')), [{ ...rest, msg: 'a\ufffd', base64: 'Yf8=' }]);
  });

  test('a line that is too long comes in parts, none of which cuts a character', () => {
    const long = 'é'.repeat(MOST_LINE);
    const parts = lines(Buffer.from(`x${long}\n`)) as { msg: string; partial?: true; base64?: string }[];
    assert.ok(parts.length > 1);
    assert.ok(parts.map(({ msg }) => msg).join('') === `x${long}`);
    assert.deepEqual([...new Set(parts.slice(0, -1).map(({ partial }) => partial))], [true]);
    assert.equal(parts.at(-1)?.partial, undefined);
    assert.ok(parts.every(({ base64 }) => base64 === undefined));
  });
});

describe('the tail', () => {
  test('keeps the last 64 KiB, whatever the pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50_000, size: 'max' }), { maxLength: 8 }), (pieces) => {
        const tail = new Tail();
        for (const piece of pieces) tail.add('stdout', Buffer.from(piece));
        const all = Buffer.concat(pieces);
        assert.ok(tail.bytes().equals(all.subarray(Math.max(0, all.length - TAIL_BYTES))));
      }),
      { numRuns: 50 },
    );
  });

  test('does not mix the streams within a line', () => {
    const tail = new Tail();
    tail.add('stdout', bytes('a very long'));
    tail.add('stderr', bytes('other\n'));
    tail.add('stdout', bytes(' line\n'));
    assert.equal(tail.bytes().toString(), 'a very long\nother\n line\n');
  });

  test('tells its followers what comes, as long as they want it', () => {
    const tail = new Tail();
    const got: string[] = [];
    tail.add('stdout', bytes('before\n'));
    const stop = tail.follow((some) => got.push(some.toString()));
    tail.add('stdout', bytes('one\n'));
    stop();
    tail.add('stdout', bytes('after\n'));
    assert.deepEqual(got, ['one\n']);
  });
});

test('pipes of which only one is to be had are no more at each try', () => {
  const found = loadNative([join(import.meta.dirname, '../../src/os/native/prebuilt')]);
  assert.ok('native' in found);
  let asked = 0;
  const native = {
    ...found.native,
    pipe: () => (++asked === 2 ? -constants.errno.EMFILE : found.native.pipe()),
  };
  const output = new ServiceOutput(native, () => [rig().sink, plain]);
  assert.throws(() => output.output(), /EMFILE/);
  output.output();
  assert.equal(asked, 3);
  output.close();
});
