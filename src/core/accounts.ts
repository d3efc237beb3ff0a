import { UserError } from '../errors.ts';

/** Where names are listed. Read as they are: the C library's other sources of names (LDAP …) are not for containers. */
export const LISTS = { passwd: '/etc/passwd', group: '/etc/group' };

/** The lines `name:password:id:…` of such a list as fields; what is no such line is passed over. */
export function entriesIn(list: string): string[][] {
  return list
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([name, , id]) => name && isNumber(id));
}

export function isNumber(text: string | undefined): boolean {
  return text !== undefined && /^\d{1,10}$/.test(text);
}

/** @param file the list that was read */
export function notListed(what: 'user' | 'group', name: string, file: string): UserError {
  return new UserError(`cannot find the ${what} "${name}": it is not in ${file}`, {
    hint: 'add it to the image, or give its number',
  });
}
