const MOST_SHOWN = 200;

/** The names of a package, each checked against those before it. A text that comes back is what is wrong. */
export class Names {
  /** Folded as a file system that does not tell case folds → as it was written. */
  readonly #known = new Map<string, { path: string; kind: 'file' | 'directory'; said: boolean }>();

  /** Takes a name that `safePath` has passed. */
  add(path: string, kind: 'file' | 'directory'): string | undefined {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      const refused = this.#take(path.slice(0, end), 'directory', false);
      if (refused) return refused;
    }
    return this.#take(path, kind, true);
  }

  #take(path: string, kind: 'file' | 'directory', said: boolean): string | undefined {
    const folded = path.normalize('NFC').toLowerCase();
    const known = this.#known.get(folded);
    if (!known) {
      this.#known.set(folded, { path, kind, said });
      return undefined;
    }
    if (known.path !== path)
      return `it holds both ${quote(known.path)} and ${quote(path)}, which are one where case does not count`;
    if (known.kind !== kind) return `it holds ${quote(path)} as a file and as a directory`;
    if (known.said && said) return `it holds ${quote(path)} twice`;
    known.said ||= said;
    return undefined;
  }
}

/**
 * The path, relative to the package, that a name of a ZIP stands for; empty for the package itself.
 * @returns a problem where it could lead out of the package, or is no name
 */
export function safePath(name: string): { path: string } | { problem: string } {
  const refuse = (why: string): { problem: string } => ({ problem: `the name ${quote(name)} ${why}` });
  if (name === '') return refuse('is empty');
  if (/\p{Cc}/u.test(name)) return refuse('holds control characters');
  if (name.includes('\\')) return refuse('holds a backslash');
  if (name.startsWith('/')) return refuse('is an absolute path');
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) return refuse('leads out of the package');
  const path = parts.join('/');
  return /^[a-z]:/i.test(path) ? refuse('begins with a drive') : { path };
}

/** A name as messages show it: on one line, and no longer than that. */
export function quote(name: string): string {
  return JSON.stringify(name.length > MOST_SHOWN ? `${name.slice(0, MOST_SHOWN)}…` : name).replaceAll(
    /\p{C}/gu,
    (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`,
  );
}
