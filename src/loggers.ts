import { ownerOf } from './core/servicedir.ts';
import { closeQuietly, type Pipe } from './os/pipe.ts';
import type { ServiceRunner } from './service.ts';

/** A logger that reads no end, since somebody else still holds the pipe, is told to stop after this. */
const PATIENCE_MS = 1000;

/**
 * The pipes between services and their loggers (`log/run`). We hold both ends for the life of the service and touch
 * neither: whatever of the two is restarted, what is in the pipe stays there for the next.
 */
export class Loggers {
  readonly #makePipe: () => Pipe;
  readonly #pipes = new Map<string, Pipe>();
  /** Services that may have a process which writes to its logger. */
  readonly #writing = new Set<string>();

  constructor(makePipe: () => Pipe) {
    this.#makePipe = makePipe;
  }

  /** For the next process of a service that has a logger. @throws the system's error */
  stdoutOf(service: string): number {
    const { write } = this.#pipeOf(service);
    this.#writing.add(service);
    return write;
  }

  /** For the next process of a logger. @throws the system's error */
  stdinOf(logger: string): number {
    return this.#pipeOf(ownerOf(logger) ?? logger).read;
  }

  /** The processes of the service that we know of are gone. */
  ended(service: string): void {
    this.#writing.delete(service);
  }

  isWriting(service: string): boolean {
    return this.#writing.has(service);
  }

  /**
   * Ends a logger as it is used to: its input ends, once nobody holds the pipe any more. Where somebody does, whom we do
   * not know, a signal follows.
   */
  hangUp(runner: ServiceRunner): void {
    this.forget(ownerOf(runner.name) ?? runner.name);
    const { pid } = runner.service;
    setTimeout(() => {
      if (runner.service.is === 'stopping' && runner.service.pid === pid)
        runner.signal(runner.config.downSignal);
    }, PATIENCE_MS).unref();
  }

  /** Lets go of a service's pipe. What a process still has of it stays good. */
  forget(service: string): void {
    const pipe = this.#pipes.get(service);
    this.#pipes.delete(service);
    for (const fd of pipe ? [pipe.read, pipe.write] : []) closeQuietly(fd);
  }

  #pipeOf(service: string): Pipe {
    let pipe = this.#pipes.get(service);
    if (!pipe) {
      pipe = this.#makePipe();
      this.#pipes.set(service, pipe);
    }
    return pipe;
  }
}
