import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { LOCK, MARKER, WORK } from '../core/package.ts';
import { makeDirectories } from '../directories.ts';
import { causeOf, errno, UserError } from '../errors.ts';
import { readHead } from '../os/files.ts';
import { diskError } from './disk-error.ts';
import { syncDirectory } from './sync.ts';

/** What was installed, as MARKER has it. */
export interface Installed {
  v: 1;
  /** SHA-256 of the URL, without user and password. */
  url: string;
  /** SHA-256 of the file. */
  sha256: string;
  name?: string;
  version?: string;
  services?: Record<string, string>;
  /** ISO 8601 */
  installed: string;
}

/** What is nobody's content: ours, and what mkfs makes. */
const NOT_CONTENT = [WORK, 'lost+found'];
/** It lists the services of the package. */
const MOST_MARKER_BYTES = 16_777_216;

/**
 * A package directory. It is filled by renames within itself, since it may be a mount, and what is above it may be
 * nobody's to write: `WORK/new` is filled first; then the package before goes to `WORK/old`, entry by entry and its marker
 * last; then the new one comes up, and its marker last, when `init` has run. Whatever cuts that short, `recover` tells from
 * what lies where how far it went, and restores the package before. Nothing runs from the directory meanwhile.
 */
export class PackageDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** What is installed here; undefined for nothing, or for what is not ours. */
  installed(): Installed | undefined {
    try {
      const text = Buffer.from(readHead(this.#at(MARKER), MOST_MARKER_BYTES), 'latin1').toString('utf8');
      const value = JSON.parse(text) as Installed | null;
      return value?.v === 1 ? value : undefined;
    } catch (error) {
      if (error instanceof SyntaxError || errno(error) === 'ENOENT') return undefined;
      throw new UserError(`cannot read ${this.#at(MARKER)}: ${causeOf(error)}`, { cause: error });
    }
  }

  /** Whether there is anything in it that counts. */
  isEmpty(): boolean {
    return this.#content().length === 0;
  }

  /** Whether somebody installs here, or was cut short. */
  get isBegun(): boolean {
    return lstatSync(this.#at(WORK), { throwIfNoEntry: false }) !== undefined;
  }

  /**
   * Puts right what an installer that was killed left here.
   * @returns whether there was anything
   * @throws UserError for what is not an installer's: by links that somebody else laid, we would move other people's files
   */
  recover(): boolean {
    const old = this.#at(WORK, 'old');
    const back = this.#at(WORK, 'back');
    if (!this.isBegun) return false;
    this.#attempt(() => {
      this.#trustWork();
      const isHere = existsSync(this.#at(MARKER));
      if (!existsSync(back) && !existsSync(old)) {
        // Nothing was here before: without its marker, what is here now is part of the new one.
        if (!isHere) this.#discard();
      } else if (!existsSync(back) && existsSync(join(old, MARKER)) && !isHere) {
        this.#discard();
        renameSync(old, back);
      } else if (!existsSync(back) && !existsSync(join(old, MARKER))) {
        // On its way out when it was cut short.
        renameSync(old, back);
      }
      if (existsSync(back)) this.#restore(back);
      this.#removeWork();
    });
    return true;
  }

  /** Makes an empty place for the new package, and returns a path in it for each name. */
  prepare(): { next: string; zip: string } {
    this.#attempt(() => {
      mkdirSync(this.#at(WORK), 0o700);
      mkdirSync(this.#at(WORK, 'new'));
    });
    return { next: this.#at(WORK, 'new'), zip: this.#at(WORK, 'package.zip') };
  }

  /**
   * Puts what `prepare` made, filled and with its marker, in the place of what is here. When `init` rejects, or anything
   * else goes wrong, what was here is here again.
   */
  async replace(init: () => Promise<void>): Promise<void> {
    const [next, old] = [this.#at(WORK, 'new'), this.#at(WORK, 'old')];
    try {
      this.#attempt(() => {
        if (existsSync(this.#at(MARKER))) {
          mkdirSync(old);
          for (const name of this.#content())
            if (name !== MARKER) renameSync(this.#at(name), join(old, name));
          renameSync(this.#at(MARKER), join(old, MARKER));
        }
        for (const name of readdirSync(next))
          if (name !== MARKER) renameSync(join(next, name), this.#at(name));
        syncDirectory(this.path);
      });
      await init();
      this.#attempt(() => {
        renameSync(join(next, MARKER), this.#at(MARKER));
        syncDirectory(this.path);
      });
    } catch (error) {
      this.recover();
      throw error;
    }
  }

  /** Removes what the installation needed, and the package before. @throws UserError; the new package is in place all the same */
  cleanUp(): void {
    this.#attempt(() => this.#removeWork());
  }

  #content(): string[] {
    return this.#attempt(() =>
      readdirSync(this.path).filter((name) => !NOT_CONTENT.includes(name) && !name.startsWith(LOCK)),
    );
  }

  /** Takes all content away. */
  #discard(): void {
    const trash = this.#at(WORK, 'trash');
    makeDirectories(trash, 0o777);
    for (const name of this.#content()) {
      rmSync(join(trash, name), { recursive: true, force: true });
      renameSync(this.#at(name), join(trash, name));
    }
  }

  #restore(back: string): void {
    for (const name of readdirSync(back)) if (name !== MARKER) renameSync(join(back, name), this.#at(name));
    if (existsSync(join(back, MARKER))) renameSync(join(back, MARKER), this.#at(MARKER));
    rmSync(back, { recursive: true });
  }

  /** `old` first ceases to be `old`: half of it must not pass for a package on its way out. */
  #removeWork(): void {
    const old = this.#at(WORK, 'old');
    if (existsSync(old)) {
      makeDirectories(this.#at(WORK, 'trash'), 0o777);
      rmSync(this.#at(WORK, 'trash', WORK), { recursive: true, force: true });
      renameSync(old, this.#at(WORK, 'trash', WORK));
    }
    rmSync(this.#at(WORK), { recursive: true, force: true });
  }

  /** What is in it nobody else could have put there, but for those to whom the whole directory belongs. */
  #trustWork(): void {
    const work = lstatSync(this.#at(WORK));
    const owners = [process.geteuid?.(), statSync(this.path).uid];
    if (work.isDirectory() && owners.includes(work.uid) && (work.mode & 0o022) === 0) return;
    throw new UserError(`cannot use ${this.#at(WORK)}: it is not an installer's`, {
      hint: `look who may write to ${this.path}: what is there is run; then remove it`,
    });
  }

  #at(...names: string[]): string {
    return join(this.path, ...names);
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw diskError(this.path, error);
    }
  }
}

/**
 * Makes a directory, and those above it.
 * @returns what removes those that were made, unless somebody else has put something there meanwhile
 * @throws UserError
 */
export function makeDirectory(path: string): () => void {
  const made: string[] = [];
  try {
    makeDirectories(path, 0o777, made);
    return () => removeEmpty(made);
  } catch (error) {
    removeEmpty(made);
    throw diskError(path, error);
  }
}

/** From the lowest up. */
function removeEmpty(made: readonly string[]): void {
  try {
    for (const path of made.toReversed()) rmdirSync(path);
  } catch {
    // Not empty, or gone.
  }
}
