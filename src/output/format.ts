import { isUtf8 } from 'node:buffer';

const NEWLINE = 0x0a;
/** What goes out in one write at the most. */
const OUT_BYTES = 262_144;

/** Composed and sent before the next begins, so that all share one. */
const out = Buffer.allocUnsafeSlow(OUT_BYTES);

/** Takes bytes, good for the time of the call. Returns whether it wants more now. */
export type Send = (bytes: Buffer) => boolean;

/** What the lines of a service look like on our own stdout and stderr. */
export interface Format {
  /**
   * Sends whole lines.
   * @param carry the beginning of the first line, from before
   * @param to right behind a newline of `bytes`
   * @returns where in `bytes` it stopped, at the beginning of a line: `to`, or before when `send` wanted no more
   */
  lines(carry: Buffer, bytes: Buffer, from: number, to: number, send: Send): number;
  /**
   * How a line that is too long to be kept begins to go out: undefined where its pieces are lines of their own.
   * @param again it was broken off before, and is gone on with
   */
  opening(again: boolean): Buffer | undefined;
  /** A piece of such a line as a line of its own. Only where there is no opening. */
  piece(bytes: Buffer): Buffer;
}

/** Lines as they are. */
export const plain: Format = {
  lines(carry, bytes, from, to, send) {
    if (carry.length === 0) {
      send(bytes.subarray(from, to));
      return to;
    }
    const end = bytes.indexOf(NEWLINE, from) + 1;
    send(Buffer.concat([carry, bytes.subarray(from, end)]));
    return end;
  },
  opening: () => Buffer.alloc(0),
  piece: (bytes) => bytes,
};

/** `[web] ` before each line; `[web]+ ` before the rest of one that was broken off. */
export function prefixed(service: string): Format {
  const prefix = Buffer.from(`[${service}] `);
  const again = Buffer.from(`[${service}]+ `);
  return {
    lines(carry, bytes, from, to, send) {
      let size = 0;
      const put = (piece: Buffer, start: number, end: number): void => {
        size += piece.copy(out, size, start, end);
      };
      put(prefix, 0, prefix.length);
      put(carry, 0, carry.length);
      for (let at = from; ; ) {
        const end = bytes.indexOf(NEWLINE, at) + 1;
        put(bytes, at, end);
        at = end;
        if (at === to) {
          send(out.subarray(0, size));
          return to;
        }
        // The longest line that may come is as long as `bytes`.
        if (size + prefix.length + (to - at) > OUT_BYTES) {
          const more = send(out.subarray(0, size));
          if (!more) return at;
          size = 0;
        }
        put(prefix, 0, prefix.length);
      }
    },
    opening: (broken) => (broken ? again : prefix),
    piece: (bytes) => bytes,
  };
}

/**
 * Each line as a JSON object: `time`, `service`, `stream`, `msg`. Nothing is lost: where the bytes are no UTF-8, `msg` has
 * U+FFFD in their place and `base64` has them all. A line that is too long comes in several, all but the last with
 * `partial`.
 */
export function json(service: string, stream: string, now: () => Date): Format {
  const names = `,"service":${JSON.stringify(service)},"stream":"${stream}","msg":`;
  const record = (time: string, text: string, more = ''): string =>
    `{"time":"${time}"${names}${JSON.stringify(text)}${more}}\n`;
  const ofBytes = (time: string, bytes: Buffer, partial = ''): string => {
    const more = isUtf8(bytes) ? partial : `,"base64":"${bytes.toString('base64')}"${partial}`;
    return record(time, bytes.toString('utf8'), more);
  };
  return {
    lines(carry, bytes, from, to, send) {
      const time = now().toISOString();
      let at = from;
      let text = '';
      if (carry.length > 0) {
        at = bytes.indexOf(NEWLINE, from) + 1;
        text = ofBytes(time, Buffer.concat([carry, bytes.subarray(from, at - 1)]));
      }
      if (at < to) {
        const rest = bytes.subarray(at, to - 1);
        // All at once costs a fraction of line by line, which is for what is no UTF-8 somewhere.
        if (isUtf8(rest)) for (const line of rest.toString('utf8').split('\n')) text += record(time, line);
        else for (const line of linesOf(rest)) text += ofBytes(time, line);
      }
      send(Buffer.from(text));
      return to;
    },
    opening: () => undefined,
    piece: (bytes) => Buffer.from(ofBytes(now().toISOString(), bytes, ',"partial":true')),
  };
}

function* linesOf(bytes: Buffer): Generator<Buffer> {
  let at = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
    yield bytes.subarray(at, end);
    at = end + 1;
  }
  yield bytes.subarray(at);
}

/** How much of the bytes is whole characters: a piece must not end within one. What is no UTF-8 anyway is all. */
export function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
