import { readFileSync } from 'node:fs';
import { entriesIn, isNumber, LISTS, notListed } from '../core/accounts.ts';
import type { Account, UserSpec } from '../core/servicedir.ts';
import { causeOf, errno, UserError } from '../errors.ts';
import { statusField } from './proc.ts';

/** Of include/uapi/linux/capability.h */
const CAP_SETGID = 6;
const CAP_SETUID = 7;

/** What Node, too, takes for one. */
const MOST_ID = 0x7fff_ffff;

/** @throws UserError for a name that is not listed, or for whom we may not become */
export type LookUp = (spec: UserSpec) => Account;

/** Looks accounts up; the lists are read once, when the first is asked for. */
export function accountLookUp(lists = LISTS, mayBecome: (account: Account) => boolean = weMayBecome): LookUp {
  const passwd = once(() => entriesOf(lists.passwd));
  const group = once(() => entriesOf(lists.group));
  return ({ user, group: groupName }) => {
    const listed = passwd().find(
      ([name, , uid]) => name === user || (isNumber(user) && Number(uid) === Number(user)),
    );
    const [name, , listedUid, listedGid, , home] = listed ?? [];
    if (!listed && !isNumber(user)) throw notListed('user', user, lists.passwd);
    const uid = Number(listedUid ?? user);
    const account = { uid, name, home, ...groupsOf() };
    if ([uid, account.gid, ...account.groups].some((id) => id > MOST_ID))
      throw new UserError(
        `cannot run as "${groupName === undefined ? user : `${user}:${groupName}`}": a number of a user or a group is at most ${MOST_ID}`,
      );
    if (mayBecome(account)) return account;
    throw new UserError(`cannot run as "${user}": supervise runs as uid ${process.geteuid?.()}`, {
      hint: 'run supervise as root with CAP_SETUID and CAP_SETGID, or remove the file',
    });

    /** With a group of its own choice nothing else is added, as with `docker run --user`. */
    function groupsOf(): Pick<Account, 'gid' | 'groups'> {
      if (groupName !== undefined) return { gid: groupId(groupName), groups: [] };
      if (listedGid === undefined)
        throw new UserError(`cannot tell the group of uid ${user}: it is not in ${lists.passwd}`, {
          hint: `write ${user}:GROUP`,
        });
      const gid = Number(listedGid);
      const groups = group()
        .filter(([, , , members = '']) => name !== undefined && members.split(',').includes(name))
        .map(([, , id]) => Number(id))
        .filter((id) => id !== gid);
      return { gid, groups: [...new Set(groups)] };
    }

    function groupId(wanted: string): number {
      const found = group().find(([each]) => each === wanted)?.[2];
      if (found !== undefined) return Number(found);
      if (isNumber(wanted)) return Number(wanted);
      throw notListed('group', wanted, lists.group);
    }
  };
}

/** Whether we are who is asked for already. */
export function isOurs({ uid, gid }: Account): boolean {
  return process.geteuid?.() === uid && process.getegid?.() === gid;
}

function weMayBecome(account: Account): boolean {
  if (isOurs(account)) return true;
  const capabilities = statusField('CapEff');
  if (capabilities === undefined) return process.geteuid?.() === 0;
  const has = (bit: number): boolean => ((BigInt(`0x${capabilities}`) >> BigInt(bit)) & 1n) === 1n;
  return has(CAP_SETUID) && has(CAP_SETGID);
}

function entriesOf(file: string): string[][] {
  try {
    return entriesIn(readFileSync(file, 'utf8'));
  } catch (error) {
    // No list, no names: numbers do without.
    if (errno(error) === 'ENOENT') return [];
    throw new UserError(`cannot read ${file}: ${causeOf(error)}`, { cause: error });
  }
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
