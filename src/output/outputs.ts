import { causeOf } from '../errors.ts';
import type { Log, Format as LogFormat } from '../log.ts';
import type { Native } from '../os/native.ts';
import { type Outlet, openOutlet } from '../os/outlet.ts';
import { closeQuietly, makePipe, PIPE_BYTES } from '../os/pipe.ts';
import { PipeReader } from '../os/pipe-reader.ts';
import type { LineOutlet } from '../os/stderr.ts';
import { type Format, json, plain, prefixed } from './format.ts';
import { Sink, type Writer } from './sink.ts';
import { LineStream } from './stream.ts';
import { Tail } from './tail.ts';

/** A process that we do not end may write for ever; this much of it is read ahead of the next thing to do. */
const MOST_AT_ONCE = 16 * PIPE_BYTES;
/** What ends while nobody reads our output leaves its last words with us, up to this much of each stream. */
const MOST_WAITING = 4 * PIPE_BYTES;

type StreamName = 'stdout' | 'stderr';

/** What a service's process gets as its stdout and stderr; undefined is ours. */
export interface Descriptors {
  stdout: number | undefined;
  stderr: number | undefined;
}

export interface OutputOptions {
  native: Native;
  /** `[service] ` before each line, if text. */
  prefix: boolean;
  format: LogFormat;
}

/** The output of all services, where it is captured: through pipes of ours, line by line, to our own stdout and stderr. */
export class Outputs {
  readonly #options: OutputOptions;
  readonly #sinks: Record<StreamName, Sink>;
  readonly #services = new Map<string, ServiceOutput>();
  #log: Log | undefined;

  constructor(options: OutputOptions) {
    this.#options = options;
    const writable = (fd: number): boolean => options.native.writable(fd) !== 0;
    const open = (name: StreamName, outlet: Outlet): Sink =>
      new Sink(outlet, (error, forGood) =>
        this.#log?.warn(forGood ? `lost our ${name}` : `dropped lines for our ${name}`, {
          cause: causeOf(error),
        }),
      );
    const [out, err] = [openOutlet(1, writable), openOutlet(2, writable)];
    const stdout = open('stdout', out);
    // The same pipe or terminal twice: lines of one must not come into those of the other.
    this.#sinks = { stdout, stderr: err.id === out.id ? stdout : open('stderr', err) };
  }

  /** Where warnings go, once there is a log, which itself needs `forLog`. */
  set log(log: Log) {
    this.#log = log;
  }

  /** The way of our own log lines, between the lines of the services. */
  get forLog(): LineOutlet {
    const sink = this.#sinks.stderr;
    let again: (() => void) | undefined;
    const writer: Writer = { go: () => again?.(), breakOff() {} };
    return {
      takes: () => sink.admits(writer),
      write(bytes) {
        sink.write(bytes);
        return bytes.length;
      },
      onceTaking(call) {
        again = call;
        sink.park(writer);
      },
    };
  }

  /**
   * The output of one service, from now until `forget`.
   * @param isOurs its lines are of our own log, which names the service in each
   */
  of(name: string, isOurs = false): ServiceOutput {
    let output = this.#services.get(name);
    if (!output) {
      output = new ServiceOutput(this.#options.native, (stream) => [
        this.#sinks[stream],
        isOurs ? plain : this.#formatOf(name, stream),
      ]);
      this.#services.set(name, output);
    }
    return output;
  }

  forget(name: string): void {
    this.#services.get(name)?.close();
    this.#services.delete(name);
  }

  /**
   * All that was written goes out, as far as it does in time. A process that still holds a pipe open is not waited for.
   * @param timeout ms
   */
  async flush(timeout: number): Promise<void> {
    const late = Symbol();
    const timer = Promise.withResolvers<typeof late>();
    const handle = setTimeout(timer.resolve, timeout, late);
    const sinks = new Set(Object.values(this.#sinks));
    for (;;) {
      const outputs = [...this.#services.values()];
      const isAll = outputs.map((output) => output.ended()).every(Boolean);
      const drained = Promise.all([...sinks].map((sink) => sink.drained()));
      if ((await Promise.race([drained, timer.promise])) === late || isAll) break;
    }
    clearTimeout(handle);
  }

  #formatOf(name: string, stream: StreamName): Format {
    const { format, prefix } = this.#options;
    if (format === 'json') return json(name, stream, () => new Date());
    return prefix ? prefixed(name) : plain;
  }
}

interface CapturedPipe {
  write: number;
  reader: PipeReader;
  lines: LineStream;
}

/** The output of one service: two pipes from a start to its rest, whose ends to write all its processes get. */
export class ServiceOutput {
  readonly tail = new Tail();
  readonly #native: Native;
  readonly #way: (stream: StreamName) => [Sink, Format];
  readonly #pipes = new Map<StreamName, CapturedPipe>();
  /** Whose end to write is no longer ours: somebody who was left behind may still have it. */
  readonly #left = new Set<CapturedPipe>();
  #resting = false;

  constructor(native: Native, way: (stream: StreamName) => [Sink, Format]) {
    this.#native = native;
    this.#way = way;
  }

  /**
   * @throws the system's error when there are no pipes to be had
   */
  output(): Descriptors {
    this.#resting = false;
    // One that was made stays, where there is no other yet to be had: it would be lost at each try.
    return { stdout: this.#writeEnd('stdout'), stderr: this.#writeEnd('stderr') };
  }

  /**
   * A process of the service is gone: what it wrote goes out ahead of what is said of its end.
   * @returns whether that is all of it: nothing is left in the pipes
   */
  ended(): boolean {
    const buffer = Buffer.allocUnsafe(PIPE_BYTES);
    return [...this.#pipes.values(), ...this.#left].map((pipe) => readAll(pipe, buffer)).every(Boolean);
  }

  /** No process of the service is left that we know of, and none is to come by itself: nothing is kept open for it. */
  rest(): void {
    this.#resting = true;
    const buffer = Buffer.allocUnsafe(PIPE_BYTES);
    for (const [name, pipe] of this.#pipes) {
      // What a slow reader keeps from going out goes ahead of what the next start writes: its pipe stays until then.
      if (!readAll(pipe, buffer) || pipe.lines.waiting > 0) continue;
      this.#pipes.delete(name);
      this.#left.add(pipe);
      closeQuietly(pipe.write);
    }
  }

  close(): void {
    this.ended();
    for (const { write } of this.#pipes.values()) closeQuietly(write);
    for (const { reader } of [...this.#pipes.values(), ...this.#left]) reader.close();
    this.#pipes.clear();
    this.#left.clear();
  }

  #writeEnd(name: StreamName): number {
    const { write } = this.#pipes.get(name) ?? this.#open(name);
    return write;
  }

  #open(name: StreamName): CapturedPipe {
    const [sink, format] = this.#way(name);
    const { read, write } = makePipe(this.#native);
    const lines: LineStream = new LineStream({
      name,
      format,
      sink,
      tail: this.tail,
      resume: () => {
        reader.resume();
        if (this.#resting) this.rest();
      },
    });
    const reader: PipeReader = new PipeReader(
      read,
      (bytes) => lines.take(bytes),
      () => {
        this.#left.delete(pipe);
        lines.endLine();
      },
    );
    const pipe = { write, reader, lines };
    this.#pipes.set(name, pipe);
    return pipe;
  }
}

/** Reads what is there, and ends the last line. While something is left in the pipe, its end is not yet known. */
function readAll({ reader, lines }: CapturedPipe, buffer: Buffer): boolean {
  for (let sum = 0; sum < MOST_AT_ONCE && lines.waiting < MOST_WAITING; ) {
    const read = reader.readNow(buffer);
    if (read === 0) {
      lines.endLine();
      return true;
    }
    sum += read;
    lines.take(buffer.subarray(0, read));
  }
  return false;
}
