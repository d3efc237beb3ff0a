/** Tells when a file holds what is waited for: the kernel says when to look. */
import { type FSWatcher, mkdirSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';

export class Arrivals {
  readonly #path: string;
  readonly #watcher: FSWatcher;
  #look = (): void => {};

  /** @param directory is made here, so that nothing is missed */
  constructor(directory: string, name: string) {
    mkdirSync(directory);
    this.#path = join(directory, name);
    this.#watcher = watch(directory, () => this.#look());
  }

  of(content: string): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => {
        if (this.#read() === content) resolve();
      };
      this.#look();
    });
  }

  close(): void {
    this.#watcher.close();
  }

  #read(): string | undefined {
    try {
      return readFileSync(this.#path, 'utf8');
    } catch {
      return undefined; // It is not there yet.
    }
  }
}
