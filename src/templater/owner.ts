import { readFileSync } from 'node:fs';
import { entriesIn, LISTS, notListed } from '../core/accounts.ts';
import { causeOf, UserError } from '../errors.ts';

/** Whom a file shall belong to, as written: names or numbers, of which one may be left out. */
export interface Owner {
  user: string | undefined;
  group: string | undefined;
}

/** The same in numbers; undefined is left as it is. */
export interface Ids {
  uid: number | undefined;
  gid: number | undefined;
}

/** Reads `user`, `user:group` or `:group`; undefined for anything else. */
export function parseOwner(text: string): Owner | undefined {
  const match = /^([\w.@$-]+)?(?::([\w.@$-]+))?$/.exec(text);
  if (!match || text === '') return undefined;
  return { user: match[1], group: match[2] };
}

/**
 * Looks names up in /etc/passwd and /etc/group, anew each time: an image layer or an entrypoint may add them late.
 * @throws UserError for a name that is not there
 */
export function lookUpOwner(owner: Owner, files = LISTS): Ids {
  return {
    uid: owner.user === undefined ? undefined : lookUp('user', owner.user, files.passwd),
    gid: owner.group === undefined ? undefined : lookUp('group', owner.group, files.group),
  };
}

function lookUp(what: 'user' | 'group', name: string, file: string): number {
  // A name of digits that is listed is a name all the same, as for chown; it is rare enough to look second.
  if (/^\d+$/.test(name)) return Number(name);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(`cannot find the ${what} "${name}": ${file}: ${causeOf(error)}`, { cause: error });
  }
  const [, , id] = entriesIn(text).find(([entry]) => entry === name) ?? [];
  if (id !== undefined) return Number(id);
  throw notListed(what, name, file);
}
